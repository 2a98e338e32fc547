// What a translator reads of a machine: the bytes of guest code, and which of it has run.

/** How often a conditional branch went each way, as the interpreter saw it. */
export interface WaysGone {
  readonly taken: number;
  readonly notTaken: number;
}

/** Guest code as seen from one linear page, the origin: deltas are linear addresses relative to that page. */
export interface CodeSource {
  /**
   * The bytes of the page at a host address, the same ones whenever it is asked: the guest may be writing there meanwhile, and
   * a region says which bytes it was made from.
   */
  page(host: number): Uint8Array;
  /** State of the code: MODE bits (state.ts). */
  readonly mode: number;
  /** Host address of the processor's state. */
  readonly base: number;
  /** Host address of the TLB view that all of its accesses go through, when that is known. */
  readonly view: number | undefined;
  /** Whether it lies where kernels do, which may lie elsewhere the next time. */
  readonly isKernel: boolean;
  /** Host address of the page `pages` after the origin (negative: before), 0 when it is not known. */
  hostPage(pages: number): number;
  /** Delta of an address that an instruction holds; undefined when it is far away. */
  deltaOf(address: number): number | undefined;
  /** Where the pointer at a delta leads, as things are: a delta again, undefined when that is not known or far away. */
  pointer(delta: number): number | undefined;
  /**
   * Numbers by which is found what is known of the instruction at a host address: whoever comes from the instruction before gives those of
   * that one.
   */
  records(host: number, before: readonly number[]): readonly number[];
  /** Where the indirect branch with these records, at a host address, went lately, as distances from its page; the last first. */
  targets(host: number, records: readonly number[]): readonly number[];
  /** How often the conditional branch with these records went each way. */
  ways(records: readonly number[]): WaysGone;
  /** Whether the instruction at this host address is often met by the interpreter. */
  hot(host: number): boolean;
  /** All such addresses in a page. */
  hotInPage(host: number): readonly number[];
  /** Whether the region may hold what others do. */
  readonly isWide: boolean;
  /** Whether a region can be entered at this host address. */
  entered(host: number): boolean;
  /** How many instructions that region has. */
  sizeAt(host: number): number;
  /** Whether the instruction at this host address has been the target of a branch. */
  known(host: number): boolean;
}
