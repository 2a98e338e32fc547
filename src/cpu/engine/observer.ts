// Where a processor's guest code runs, for profilers. Nothing is told on a fast path: places between slices, regions when they come.
import { MODE } from "../state.ts";
import { SAMPLES, VIEW } from "./layout.ts";
import { isEntry } from "./place.ts";

/** A place in guest code. */
export interface GuestPlace {
  /** Linear address, 0 to 2^64 - 1. */
  readonly linear: bigint;
  /** Whether it ran at privilege level 3. */
  readonly isUser: boolean;
}

/** A translated region. */
export interface ObservedRegion extends GuestPlace {
  /** Name of its function in the host's own profiles. */
  readonly name: string;
  /** The code it was made from. */
  readonly parts: readonly { readonly linear: bigint; readonly length: number }[];
}

/** Told what a processor runs. */
export interface ExecutionObserver {
  /** A region may be entered from now on. */
  regionTaken(region: ObservedRegion): void;
  /** A slice has ended in which the interpreter noted this many places, in their order; `place` is for the time of the call. */
  sampled(count: number, place: (index: number) => GuestPlace): void;
}

/** Upper half of 32-bit addresses that is a kernel's by custom, for code whose privilege is not known. */
const KERNEL_32 = 0xc000_0000n;

/** Whether code that was seen in a TLB view (host address) runs at level 3; where every access is checked the address decides. */
export function isUserCode(view: number, base: number, mode: number, linear: bigint): boolean {
  if (view !== base + VIEW.none) return view === base + VIEW.user;
  return linear < (mode & MODE.long ? 1n << 63n : KERNEL_32);
}

/** Which of the samples are of interpreted code: at the entries of regions some are taken, too. */
export function interpretedSamples(view: DataView, base: number, count: number): number[] {
  return Array.from({ length: count }, (_, n) => n).filter((n) => !isEntry(view, view.getUint32(base + SAMPLES + n * 16 + 8, true)));
}

/** The place of a sample (engine/layout.ts). */
export function sampledPlace(view: DataView, base: number, index: number): GuestPlace {
  const sample = base + SAMPLES + index * 16;
  const linear = view.getBigUint64(sample, true);
  const seen = view.getUint32(sample + 12, true);
  return { linear, isUser: isUserCode(seen & ~7, base, seen & 7, linear) };
}
