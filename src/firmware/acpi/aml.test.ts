import { describe, expect, it } from "vitest";
import { buffer, device, eisaId, integer, name, packageOf, path, scope, string } from "./aml.ts";

const hex = (bytes: readonly number[]): string => Buffer.from(bytes).toString("hex");

describe("AML", () => {
  it("pads and joins name segments", () => {
    expect(hex(path("\\_S5"))).toBe("5c5f53355f");
    expect(hex(path("_SB.PCI0"))).toBe(`2e${Buffer.from("_SB_PCI0").toString("hex")}`);
    expect(hex(path("\\A.B.C"))).toBe(`5c2f03${Buffer.from("A___B___C___").toString("hex")}`);
    expect(() => path("TOOLONG")).toThrow("name segment");
  });

  it.each([
    [0, "00"],
    [1, "01"],
    [2, "0a02"],
    [0xff, "0aff"],
    [0x100, "0b0001"],
    [0x1_0000, "0c00000100"],
    [0x1_0000_0000, "0e0000000001000000"],
  ])("encodes %i in its shortest form", (value, expected) => {
    expect(hex(integer(value))).toBe(expected);
  });

  it("compresses EISA identifiers", () => {
    expect(hex(eisaId("PNP0A03"))).toBe("0c41d00a03");
    expect(hex(eisaId("PNP0501"))).toBe("0c41d00501");
  });

  it("counts the length field itself in every size of PkgLength", () => {
    for (const size of [0, 10, 58, 59, 60, 200, 4080, 4090, 4100, 70_000]) {
      const terms = [Array.from({ length: size }, () => 0xa3)];
      const bytes = scope("X", terms);
      const lead = bytes[1]!;
      const extra = lead >> 6;
      let length = extra === 0 ? lead & 0x3f : lead & 0x0f;
      for (let index = 0; index < extra; index++) length |= bytes[2 + index]! << (4 + 8 * index);
      expect(length).toBe(bytes.length - 1);
    }
  });

  it("nests devices, names, packages, buffers and strings", () => {
    expect(hex(device("D", [name("_HID", string("A"))]))).toBe("5b820d445f5f5f" + "085f484944" + "0d4100");
    expect(hex(packageOf([integer(5), integer(0)]))).toBe("120502" + "0a05" + "00");
    expect(hex(buffer([1, 2]))).toBe("11050a020102");
  });
});
