// The routines that TypeScript calls by name (engine-calls.ts) and a few for tests; the module exports these and all that they use.
import type { Routine } from "../ir/types.ts";
import { getArithmetic, makeFlagsWhole, setArithmetic } from "../isa/flags.ts";
import { load128, LOADS, probeWrite, store128, STORES, translate } from "../mmu/access.ts";
import { flushLocal, flushPage, flushTlb, newGeneration, refreshMode, updateAttention } from "../mmu/mode.ts";
import { physicalToHost } from "../mmu/walk.ts";
import { attend, resume, settle } from "./boundary.ts";
import { deliverLongFault } from "./long-transfer.ts";
import { codeHost, codePage, enter } from "./lookup.ts";
import { deliverProtectedEvent } from "./protected-transfer.ts";

/** Routines that engines and helpers call by name; those that they call themselves come along. */
export const ENGINE_ROUTINES: readonly Routine[] = [
  ...Object.values(LOADS),
  ...Object.values(STORES),
  load128,
  store128,
  probeWrite,
  translate,
  physicalToHost,
  enter,
  codeHost,
  codePage,
  attend,
  resume,
  settle,
  refreshMode,
  updateAttention,
  newGeneration,
  flushTlb,
  flushLocal,
  flushPage,
  getArithmetic,
  setArithmetic,
  makeFlagsWhole,
  deliverLongFault,
  deliverProtectedEvent,
];
