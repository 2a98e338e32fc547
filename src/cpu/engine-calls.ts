// The routines that TypeScript asks of generated code, under the names of exports; host-calls.ts is the other direction. Here are only
// names and types, so that a machine loads none of the definitions: those are in engine/routines.ts, for the build and the evaluator.

/** Routines by what they are for. The first parameter is always the processor's base address. */
// oxfmt-ignore
export const ROUTINE = {
  /** Loads by size in bytes: (base, view, lin) → value, zero-extended. */
  load: {
    1: { name: "mmu.load8", params: ["i32", "i32", "i64"], result: "i64", faults: true },
    2: { name: "mmu.load16", params: ["i32", "i32", "i64"], result: "i64", faults: true },
    4: { name: "mmu.load32", params: ["i32", "i32", "i64"], result: "i64", faults: true },
    8: { name: "mmu.load64", params: ["i32", "i32", "i64"], result: "i64", faults: true },
  },
  /** Stores by size in bytes: (base, view, lin, value). */
  store: {
    1: { name: "mmu.store8", params: ["i32", "i32", "i64", "i64"], result: undefined, faults: true },
    2: { name: "mmu.store16", params: ["i32", "i32", "i64", "i64"], result: undefined, faults: true },
    4: { name: "mmu.store32", params: ["i32", "i32", "i64", "i64"], result: undefined, faults: true },
    8: { name: "mmu.store64", params: ["i32", "i32", "i64", "i64"], result: undefined, faults: true },
  },
  /** Makes sure that `size` bytes can be written: (base, view, lin, size). */
  probeWrite: { name: "mmu.probeWrite", params: ["i32", "i32", "i64", "i32"], result: undefined, faults: true },
  /** Host address of a physical one, 0 when it is not RAM: (base, pa). */
  physicalToHost: { name: "mmu.host", params: ["i32", "i64"], result: "i32", faults: false },
  /** Host address of the code at `lin`, 0 with a fault pending or when it is not RAM: (base, lin). */
  codeHost: { name: "code.host", params: ["i32", "i64"], result: "i32", faults: true },
  /**
   * Host address of the page at `lin` from which code can be executed, entered into the TLB; 0 when there is none. Raises nothing: nobody
   * executes there yet. (base, lin, a page's first address)
   */
  codePage: { name: "code.page", params: ["i32", "i64"], result: "i32", faults: false },
  /** Forgets every translation: (base). */
  flushTlb: { name: "mmu.flush", params: ["i32"], result: undefined, faults: false },
  /** Forgets every translation but those of global pages: (base). */
  flushLocal: { name: "mmu.flushLocal", params: ["i32"], result: undefined, faults: false },
  /** Recomputes what follows from segments, privilege, control registers and EFLAGS: (base). */
  refreshMode: { name: "mode.refresh", params: ["i32"], result: undefined, faults: false },
  /** Recomputes whether something wants attention between instructions: (base). */
  updateAttention: { name: "mode.attention", params: ["i32"], result: undefined, faults: false },
  /** The six arithmetic flags in their EFLAGS positions: (base). */
  getArithmetic: { name: "flag.all", params: ["i32"], result: "i32", faults: false },
  /** Sets the six flags from EFLAGS positions: (base, flags). */
  setArithmetic: { name: "flag.set", params: ["i32", "i32"], result: undefined, faults: false },
  /** Delivers the pending event in the common case of IA-32e mode → 1; otherwise 0 and nothing has changed: (base). */
  deliverLongFault: { name: "long.deliver", params: ["i32"], result: "i32", faults: false },
  /** The same for protected mode. */
  deliverProtectedEvent: { name: "protected.deliver", params: ["i32"], result: "i32", faults: false },
} as const;
