// What a translator reads of a machine: the bytes of guest code, and which of it has run.

/** Guest code as seen from one linear page, the origin: deltas are linear addresses relative to that page. */
export interface CodeSource {
  /**
   * The bytes of the page at a host address, the same ones whenever it is asked: the guest may be writing there meanwhile, and
   * a region says which bytes it was made from.
   */
  page(host: number): Uint8Array;
  /** State of the code: MODE bits (state.ts). */
  readonly mode: number;
  /** Whether it lies where kernels do, which may lie elsewhere the next time. */
  readonly isKernel: boolean;
  /** Host address of the page `pages` after the origin (negative: before), 0 when it is not known. */
  hostPage(pages: number): number;
  /** Delta of an address that an instruction holds; undefined when it is far away. */
  deltaOf(address: number): number | undefined;
  /** Where the pointer at a delta leads, as things are: a delta again, undefined when that is not known or far away. */
  pointer(delta: number): number | undefined;
  /**
   * Where the indirect branch at a host address went lately, as distances from its page, when it was reached as part of a block that
   * begins at `start`, in the same page.
   */
  targets(start: number, host: number): readonly number[];
  /** Whether the instruction at this host address is often met by the interpreter. */
  hot(host: number): boolean;
  /** All such addresses in a page. */
  hotInPage(host: number): readonly number[];
  /** Whether the instruction at this host address has been the target of a branch. */
  known(host: number): boolean;
}
