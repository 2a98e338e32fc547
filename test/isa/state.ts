// The processor state of a case, kept as bytes in the recorder's layout (recorder/abi.h) so that nothing is converted between
// the generator, the recorder and a comparison; engines read it through the accessors.

/** Size of a state in the recorder's layout. */
export const STATE_BYTES = 688;
const RIP = 128;
const FX = 176;

/** Offsets inside the FXSAVE64 image (SDM 1 table 10-2) that tests name. */
export const FX_OFFSET = { fcw: 0, fsw: 2, ftw: 4, fop: 6, fip: 8, fdp: 16, mxcsr: 24, mxcsrMask: 28, st: 32, xmm: 160 } as const;

/** Registers in encoding order (SDM 2A table 2-2), by their 64-bit and 32-bit names. */
export const GPR_NAMES: readonly string[] = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
];
/** Segment registers in encoding order (SDM 2A table B-8). */
export const SEGMENT_NAMES: readonly string[] = ["es", "cs", "ss", "ds", "fs", "gs"];

/** User-visible registers: general, flags, segments, x87 and SSE. */
export class CpuState {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array = new Uint8Array(STATE_BYTES)) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, STATE_BYTES);
  }

  clone(): CpuState {
    return new CpuState(this.bytes.slice());
  }

  /** A general register, 0..15 in encoding order; in 32-bit mode the upper halves mean nothing. */
  gpr(index: number): bigint {
    return this.view.getBigUint64(index * 8, true);
  }
  setGpr(index: number, value: bigint): void {
    this.view.setBigUint64(index * 8, value, true);
  }

  get rip(): bigint {
    return this.view.getBigUint64(RIP, true);
  }
  set rip(value: bigint) {
    this.view.setBigUint64(RIP, value, true);
  }

  get rflags(): bigint {
    return this.view.getBigUint64(RIP + 8, true);
  }
  set rflags(value: bigint) {
    this.view.setBigUint64(RIP + 8, value, true);
  }

  /** FS or GS base (64-bit mode). */
  get fsBase(): bigint {
    return this.view.getBigUint64(RIP + 16, true);
  }
  set fsBase(value: bigint) {
    this.view.setBigUint64(RIP + 16, value, true);
  }
  get gsBase(): bigint {
    return this.view.getBigUint64(RIP + 24, true);
  }
  set gsBase(value: bigint) {
    this.view.setBigUint64(RIP + 24, value, true);
  }

  /** A selector: 0..5 = es cs ss ds fs gs. */
  segment(index: number): number {
    return this.view.getUint16(RIP + 32 + index * 2, true);
  }
  setSegment(index: number, selector: number): void {
    this.view.setUint16(RIP + 32 + index * 2, selector, true);
  }

  /** The FXSAVE64 image, a live view of 512 bytes. */
  get fx(): Uint8Array {
    return this.bytes.subarray(FX, FX + 512);
  }

  get mxcsr(): number {
    return this.view.getUint32(FX + FX_OFFSET.mxcsr, true);
  }
  set mxcsr(value: number) {
    this.view.setUint32(FX + FX_OFFSET.mxcsr, value, true);
  }

  get fcw(): number {
    return this.view.getUint16(FX + FX_OFFSET.fcw, true);
  }
  set fcw(value: number) {
    this.view.setUint16(FX + FX_OFFSET.fcw, value, true);
  }

  get fsw(): number {
    return this.view.getUint16(FX + FX_OFFSET.fsw, true);
  }
  set fsw(value: number) {
    this.view.setUint16(FX + FX_OFFSET.fsw, value, true);
  }

  /** The abridged tag byte: bit n set = physical register n is not empty. */
  get ftw(): number {
    return this.view.getUint8(FX + FX_OFFSET.ftw);
  }
  set ftw(value: number) {
    this.view.setUint8(FX + FX_OFFSET.ftw, value);
  }

  /** ST(i), 10 bytes, a live view. */
  st(index: number): Uint8Array {
    const at = FX + FX_OFFSET.st + index * 16;
    return this.bytes.subarray(at, at + 10);
  }

  /** XMM register, 16 bytes, a live view. */
  xmm(index: number): Uint8Array {
    const at = FX + FX_OFFSET.xmm + index * 16;
    return this.bytes.subarray(at, at + 16);
  }
}
