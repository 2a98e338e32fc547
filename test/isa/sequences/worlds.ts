// The processor's state before any sequence: one for each mode, privilege and kind of segments.
import { ROUTINE } from "../../../src/cpu/engine-calls.ts";
import { at } from "../../../src/cpu/state.ts";
import type { RegisterAccess } from "../../../src/cpu/engine/engine.ts";
import type { Board } from "./board.ts";
import type { Mode } from "./program.ts";
import { LIMIT, SELECTOR, SHIFT, STATE_BASE } from "./space.ts";
import type { Segments } from "./start.ts";

/** Parts of the state that every run begins with anew: segment bases, control registers and segments. */
const RESTORED: readonly (readonly [from: number, to: number])[] = [
  [0x80, 0xd0],
  [0x200, at("debugCtl") + 8],
  [0x600, 0x680],
];

/** A state to begin with. */
export interface World {
  /** Bytes of the state and their host addresses. */
  readonly parts: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** MODE bits, and the TLB's view. */
  readonly mode: number;
  readonly view: number;
  /** Base of the code segment. */
  readonly codeShift: number;
}

/** The name of a world among `makeWorlds`'. */
export const worldName = (mode: Mode, cpl: number, segments: Segments): string => `${mode} ${cpl} ${segments}`;

/** All worlds, by name. */
export function makeWorlds({ processor, space, memory }: Board): ReadonlyMap<string, World> {
  const { registers, context } = processor;
  const worlds = new Map<string, World>();
  for (const mode of [64, 32] as const) {
    for (const cpl of [3, 0] as const) {
      for (const segments of ["flat", "shifted", "limited"] as const) {
        if (mode === 64 && segments !== "flat") continue;
        space.enter(registers);
        setSegments(registers, mode, cpl, segments);
        context.set32("eflags", 0x202);
        context.call(ROUTINE.setArithmetic, 0);
        registers.commit();
        worlds.set(worldName(mode, cpl, segments), {
          parts: RESTORED.map(([from, to]) => ({ at: STATE_BASE + from, bytes: memory.u8.slice(STATE_BASE + from, STATE_BASE + to) })),
          mode: context.get32("mode"),
          view: context.get32("tlbView"),
          codeShift: segments === "shifted" ? SHIFT : 0,
        });
      }
    }
  }
  return worlds;
}

function setSegments(registers: RegisterAccess, mode: Mode, cpl: 0 | 3, segments: Segments): void {
  const isShifted = segments === "shifted";
  const base = isShifted ? BigInt(SHIFT) : 0n;
  const rights = 0x9b | (cpl << 5) | (mode === 64 ? 0xa000 : 0xc000);
  registers.setSegment("cs", { selector: codeSelector(mode, cpl, isShifted), base, limit: 0xffff_ffff, access: rights });
  const flat = { selector: SELECTOR.userData, base: 0n, limit: 0xffff_ffff, access: 0xc0f3 };
  const shifted = { ...flat, selector: SELECTOR.shifted, base };
  const data = isShifted ? shifted : segments === "limited" ? { ...flat, selector: SELECTOR.limited, limit: LIMIT } : flat;
  for (const name of ["es", "ds"] as const) registers.setSegment(name, data);
  for (const name of ["fs", "gs"] as const) registers.setSegment(name, flat);
  const stack = isShifted ? shifted : flat;
  const kernelStack = { ...stack, selector: isShifted ? SELECTOR.shiftedKernelData : SELECTOR.kernelData, access: 0xc093 };
  registers.setSegment("ss", cpl === 3 ? stack : kernelStack);
}

function codeSelector(mode: Mode, cpl: 0 | 3, isShifted: boolean): number {
  if (mode === 64) return cpl === 3 ? SELECTOR.userCode : SELECTOR.kernelCode;
  if (isShifted) return cpl === 3 ? SELECTOR.shiftedUserCode32 : SELECTOR.shiftedKernelCode32;
  return cpl === 3 ? SELECTOR.userCode32 : SELECTOR.kernelCode32;
}
