// Decoder tables, built from the rows: for each opcode the candidates in the order in which they are tried.
import { assert } from "../../support/assert.ts";
import type { HandlerSet, Variant } from "../isa/handlers.ts";

/** A row as the decoder tests it. */
export interface Candidate {
  readonly variant: Variant;
  /** ModRM.reg digit that is needed, or -1. */
  readonly digit: number;
  /** Whole ModRM byte that is needed (register forms of x87, 0F 01 xx), or -1; `fixedMask` says which bits count. */
  readonly fixed: number;
  readonly fixedMask: number;
  /** Mandatory prefix: 0 none looked at, 1 NP, 2 66h, 3 F3h, 4 F2h. */
  readonly prefix: 0 | 1 | 2 | 3 | 4;
  /** Operand size in force, or 0. */
  readonly opsize: number;
  readonly rexW: boolean;
  /** F2 and F3 make the row no instruction. */
  readonly noRepeat: boolean;
  /** Not with REX.B. */
  readonly noRexB: boolean;
}

const PREFIX: Readonly<Record<string, Candidate["prefix"]>> = { "": 0, NP: 1, "66": 2, F3: 3, F2: 4 };

/** Opcode tables by map: 256 lists each, shared by nobody else. */
export interface DecodeTables {
  readonly candidates: readonly (readonly Candidate[])[];
  /** For each opcode of each map, 1 when a ModRM byte follows. */
  readonly modrm: Uint8Array;
}

/** Index of an opcode in the tables. */
export function tableIndex(map: number, opcode: number): number {
  return (map << 8) | opcode;
}

function specificity(c: Candidate): number {
  return (
    (c.fixed >= 0 ? (c.fixedMask === 0xff ? 64 : 32) : 0) +
    (c.prefix >= 2 ? 16 : c.prefix === 1 ? 8 : 0) +
    (c.noRexB ? 8 : 0) +
    (c.rexW ? 4 : 0) +
    (c.opsize ? 2 : 0) +
    (c.digit >= 0 ? 1 : 0)
  );
}

/** Builds the tables from all variants. */
export function buildTables(set: HandlerSet): DecodeTables {
  const candidates: Candidate[][] = Array.from({ length: 4 * 256 }, () => []);
  const modrm = new Uint8Array(4 * 256);
  for (const variant of set.variants) {
    const f = variant.form;
    const candidate: Candidate = {
      variant,
      digit: f.modrm?.digit ?? -1,
      fixed: f.modrm?.fixed ?? -1,
      fixedMask: f.modrm?.anyRm ? 0xf8 : 0xff,
      prefix: PREFIX[f.prefix] ?? 0,
      opsize: f.opsize,
      rexW: f.rexW,
      noRepeat: f.attributes.has("norep"),
      noRexB: f.attributes.has("b0"),
    };
    for (let r = 0; r < (f.plus ? 8 : 1); r++) {
      const index = tableIndex(f.map, f.opcode + r);
      candidates[index]!.push(candidate);
      if (f.modrm) modrm[index] = 1;
      else assert(modrm[index] === 0, `opcode ${f.text} has ModRM in some rows only`);
    }
  }
  for (const list of candidates) list.sort((a, b) => specificity(b) - specificity(a));
  return { candidates, modrm };
}
