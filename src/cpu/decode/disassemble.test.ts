import { describe, expect, it } from "vitest";
import { type CodeMode, disassemble } from "./disassemble.ts";

const text = (hex: string, mode: CodeMode = 64, address = 0x1000n): string =>
  disassemble(Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex")), mode, address).text;

describe("the disassembler", () => {
  it("names registers by width and REX", () => {
    expect(text("01 c8")).toBe("add eax, ecx");
    expect(text("4c 01 c0")).toBe("add rax, r8");
    expect(text("00 e4")).toBe("add ah, ah");
    expect(text("40 00 e4")).toBe("add spl, spl");
    expect(text("66 45 01 c1")).toBe("add r9w, r8w");
  });

  it("prints addresses of every form", () => {
    expect(text("03 44 8b 10")).toBe("add eax, dword ptr [rbx + rcx*4 + 0x10]");
    expect(text("48 03 05 10 00 00 00")).toBe("add rax, qword ptr [rip + 0x10] # 0x1017");
    expect(text("64 48 03 04 25 28 00 00 00")).toBe("add rax, qword ptr fs:[0x28]");
    expect(text("03 40 fe", 16)).toBe("add ax, word ptr [bx + si - 0x2]");
    expect(text("03 05 00 00 00 80", 32)).toBe("add eax, dword ptr [0x80000000]");
  });

  it("prints branch targets as addresses and immediates at their width", () => {
    expect(text("75 fe")).toBe("jne 0x1000");
    expect(text("48 83 c0 ff")).toBe("add rax, 0xffffffffffffffff");
    expect(text("83 c0 ff")).toBe("add eax, 0xffffffff");
  });

  it("marks LOCK where it is allowed and refuses it elsewhere", () => {
    expect(text("f0 01 08")).toBe("lock add dword ptr [rax], ecx");
    expect(text("f0 01 c8")).toBe("(bad)");
  });

  it("always makes progress", () => {
    expect(disassemble(Uint8Array.of(0x0f), 64, 0n)).toEqual({ length: 1, text: "(bad)" });
  });
});
