import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, describe, expect, it } from "vitest";
import type { CliHost } from "../command.ts";
import { parseArguments } from "../arguments.ts";
import { disasmCommand, type DisassembleOne } from "./disasm.ts";

const folder = mkdtempSync(join(tmpdir(), "nido-disasm-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const code = join(folder, "code");
writeFileSync(code, Uint8Array.of(0x90, 0x02, 0xaa, 0x03, 0x01));

/** Every instruction is as long as the low two bits of its first byte say. */
const toy: DisassembleOne = (bytes, mode, address) => ({
  length: (bytes[0] ?? 0) & 3,
  text: `op${bytes[0]} ${mode} ${address.toString(16)}`,
});

async function disasm(...argv: string[]): Promise<string[]> {
  const command = disasmCommand(toy);
  const stdout = new PassThrough();
  await command.run(parseArguments(argv, command.flags), { stdout } as unknown as CliHost);
  stdout.end();
  return (await text(stdout)).trimEnd().split("\n");
}

describe("nido disasm", () => {
  it("lists addresses, bytes and texts, and always gets on", async () => {
    expect((await disasm(code)).map((line) => line.replaceAll(/ +/g, " "))).toEqual([
      "0000000000000000 90 op144 64 0",
      "0000000000000001 02 aa op2 64 1",
      "0000000000000003 03 01 op3 64 3",
    ]);
  });

  it("starts where it is told to, in the mode it is told", async () => {
    expect((await disasm(code, "--mode", "16", "--address", "0x7c00"))[1]).toMatch(/^00007c01 .* op2 16 7c01$/);
    expect((await disasm(code, "--mode", "32", "--address", "4294967295"))[1]).toMatch(/^00000000 /);
  });

  it.each<[string[], string]>([
    [[], "Give one file"],
    [[code, code], "Give one file"],
    [[code, "--mode", "8"], "16, 32 or 64"],
    [[code, "--address", "start"], "0x7c00"],
  ])("refuses %j", async (argv, words) => {
    await expect(disasm(...argv)).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(words) });
  });

  it("names a file that it cannot read", async () => {
    await expect(disasm(join(folder, "none"))).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringContaining("no such file"),
    });
    await expect(disasm(folder)).rejects.toMatchObject({ code: "FILE_NOT_FOUND", message: expect.stringContaining("directory") });
  });
});
