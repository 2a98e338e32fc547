// nido disasm: the bytes of a file as instructions.
import { readFileSync } from "node:fs";
import { ioError } from "../../host/node/io-error.ts";
import { usageError, type Arguments } from "../arguments.ts";
import type { Command } from "../command.ts";
import { EXIT } from "../exit-status.ts";
import { write } from "../streams.ts";

/** The operand and address size that code starts with: real and 16-bit protected, 32-bit, or 64-bit mode. */
export type CodeMode = 16 | 32 | 64;

/** The instruction at the start of some bytes: its length in bytes, at least 1, and its text; bytes that are no instruction have a text too. */
export type DisassembleOne = (bytes: Uint8Array, mode: CodeMode, address: bigint) => { readonly length: number; readonly text: string };

/** The longest instruction (SDM 2A §2.3.11). */
const LONGEST = 15;

/** Lines that are written at once. */
const BATCH = 512;

/** The command, with the disassembler that it shows. */
export function disasmCommand(disassemble: DisassembleOne): Command {
  return {
    name: "disasm",
    summary: "Shows the bytes of a file as instructions.",
    usage: "FILE [options]",
    about: ["Takes the file's bytes as x86 code from its first to its last byte; it does not look for headers."],
    flags: [
      { name: "--mode", placeholder: "BITS", describe: "16, 32 or 64. Default: 64." },
      { name: "--address", placeholder: "ADDRESS", describe: "The address of the first byte, decimal or 0x-hexadecimal. Default: 0." },
    ],
    examples: [
      { line: "nido disasm boot.bin --mode 16 --address 0x7c00", does: "A boot sector, at the address where the BIOS puts it." },
      { line: "nido disasm code.bin", does: "64-bit code." },
    ],
    run: async (args, host) => {
      const [path, extra] = args.positionals;
      if (path === undefined || extra !== undefined || args.rest !== undefined) throw usageError("Give one file: nido disasm FILE");
      const mode = modeOf(args);
      const address = addressOf(args);
      const bytes = readCode(path);
      for (const text of listing(bytes, mode, address, disassemble)) await write(host.stdout, text);
      return EXIT.success;
    },
  };
}

function modeOf(args: Arguments): CodeMode {
  const given = args.value("--mode") ?? "64";
  const mode = ([16, 32, 64] as const).find((each) => String(each) === given);
  if (mode === undefined) throw usageError(`Bad value ${JSON.stringify(given)} for --mode: expected 16, 32 or 64`, "--mode");
  return mode;
}

function addressOf(args: Arguments): bigint {
  const given = args.value("--address") ?? "0";
  if (/^(0x[0-9a-f]{1,16}|\d{1,19})$/i.test(given)) return BigInt(given);
  throw usageError(`Bad value ${JSON.stringify(given)} for --address: expected a number below 2^64, such as 0x7c00`, "--address");
}

function readCode(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw ioError("FILE_NOT_FOUND", "read", path, error);
  }
}

function* listing(bytes: Uint8Array, mode: CodeMode, address: bigint, disassemble: DisassembleOne): Generator<string> {
  const digits = mode === 64 ? 16 : 8;
  let lines: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const here = BigInt.asUintN(mode === 64 ? 64 : 32, address + BigInt(at));
    const { length: claimed, text } = disassemble(bytes.subarray(at, at + LONGEST), mode, here);
    const length = Math.max(1, claimed);
    const code = Array.from(bytes.subarray(at, at + length), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    lines.push(`${here.toString(16).padStart(digits, "0")}  ${code.padEnd(LONGEST * 2)}  ${text}\n`);
    at += length;
    if (lines.length < BATCH) continue;
    yield lines.join("");
    lines = [];
  }
  yield lines.join("");
}
