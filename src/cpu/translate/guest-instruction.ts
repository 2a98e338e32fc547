// One decoded guest instruction as the translator keeps it: the fields of a record (engine/layout.ts), as numbers.
import type { Decoder } from "../decode/decoder.ts";
import type { Handler } from "../isa/handlers.ts";

/** How an instruction affects control flow. */
export type FlowKind = "next" | "conditional" | "jump" | "call" | "return" | "indirect" | "leave";

/** An instruction at a place. */
export interface GuestInstruction {
  readonly handler: Handler;
  /** Linear address relative to the region's origin; host address; bytes. */
  readonly delta: number;
  readonly host: number;
  readonly length: number;
  /** Operand fields A B C, as in a record. */
  readonly fields: readonly [number, number, number];
  /** State offsets of base, index and segment base; the zero slot for none. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly seg: number;
  readonly segment: number;
  readonly displacement: number;
  readonly ripRelative: boolean;
  readonly addressBits: 16 | 32 | 64;
  readonly immediate: bigint;
  readonly flow: FlowKind;
  /** A direct branch, and the delta of its target. */
  readonly relative: boolean;
  readonly target: number;
}

/** The handler of what a decoder has just decoded. */
export type RowLookup = (decoder: Decoder) => Handler;

/** Instructions that go on elsewhere, or seldom behind themselves. */
const LEAVES = /^(INT.*|UD\d|HLT|SYS.*|IRET.*)$/;
const FAR_POINTERS = /^L[DEFGS]S$/;
const CONDITIONAL = /^(J(?!MP).*|LOOP.*)$/;

/** Loads a segment register of 32-bit code: what a region takes for granted of segments is checked where it is entered. */
function changesSegments({ world, operands, instruction }: Handler): boolean {
  if (world === "long") return false;
  return FAR_POINTERS.test(instruction.name) || operands.some((o) => o.kind === "sreg" && o.access !== "r");
}

function flowOfHandler(h: Handler, relative: boolean): FlowKind {
  const { name } = h.instruction;
  if (relative) return name === "JMP" ? "jump" : name === "CALL" ? "call" : CONDITIONAL.test(name) ? "conditional" : "leave";
  if (name === "RET") return "return";
  if (name === "JMP" || name === "CALL") return "indirect";
  return h.form.attributes.has("end") || LEAVES.test(name) || changesSegments(h) ? "leave" : "next";
}

const flows: readonly Map<Handler, FlowKind>[] = [new Map(), new Map()];

/** The same, found out once for each handler. */
function flowFor(h: Handler, relative: boolean): FlowKind {
  const known = flows[relative ? 1 : 0]!;
  let flow = known.get(h);
  if (flow === undefined) known.set(h, (flow = flowOfHandler(h, relative)));
  return flow;
}

/** Both halves as a signed number of 64 bits. */
function joinedHalves(high: number, low: number): bigint {
  return high === low >> 31 ? BigInt(low | 0) : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
}

/** What the decoder holds, as an instruction at `delta`. */
export function instructionOf(d: Decoder, rows: RowLookup, delta: number, host: number): GuestInstruction {
  const handler = rows(d);
  return {
    handler,
    delta,
    host,
    length: d.length,
    fields: [d.operand[0]!, d.operand[1]!, d.operand[2]!],
    base: d.base,
    index: d.index,
    scale: d.scale,
    seg: d.seg,
    segment: d.segment,
    displacement: d.displacement,
    ripRelative: d.ripRelative,
    addressBits: d.address16 ? 16 : d.address32 ? 32 : 64,
    immediate: joinedHalves(d.immHigh, d.immLow),
    relative: d.relative,
    flow: flowFor(handler, d.relative),
    target: d.relative ? delta + d.length + d.immLow : 0,
  };
}
