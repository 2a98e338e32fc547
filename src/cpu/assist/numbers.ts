// Numbers by which generated code calls the TypeScript helpers of rare instructions (assist/index.ts).

/** What a helper is called by. */
export const HELPER = {
  dataBreakpoint: 0,
  cpuid: 1,
  rdmsr: 2,
  wrmsr: 3,
  writeCr: 4,
  readCr: 5,
  writeDr: 6,
  readDr: 7,
  iret: 9,
  farJump: 10,
  farCall: 11,
  farReturn: 12,
  rdtsc: 13,
  rdpmc: 14,
  random: 15,
  xsetbv: 18,
  invpcid: 19,
  lar: 20,
  lsl: 21,
  verify: 22,
  x87: 23,
  ioPermission: 24,
  flushTlb: 25,
  sysenter: 26,
  sysexit: 27,
  halt: 29,
  mwait: 30,
  lmsw: 31,
  loadLdt: 32,
  loadTask: 33,
  portBreakpoint: 34,
  transcendental: 35,
} as const;

/** Argument of HELPER.x87: what is asked. */
export const X87_HELPER = { ferr: 0, ferrGone: 1, opcode: 2 } as const;

/** Argument of HELPER.transcendental. */
export const FUNCTION = {
  sine: 0,
  cosine: 1,
  sineCosine: 2,
  tangent: 3,
  powerMinusOne: 4,
  logarithm: 5,
  logarithmPlusOne: 6,
  arcTangent: 7,
} as const;

/**
 * A result of HELPER.transcendental in the scratch area, and the next `size` bytes on: unless `rounds` is ROUNDS.no, a sign in
 * `head`, an exponent and 128 bits; otherwise a head and a significand in `high`. `raised` are exceptions found beforehand.
 */
export const FUNCTION_RESULT = { size: 40, rounds: 0, head: 4, exponent: 8, raised: 12, high: 16, low: 24 } as const;

/** How such a result is rounded. */
export const ROUNDS = { no: 0, control: 1, nearest: 2 } as const;

/** Arguments of the far transfers' helpers: operand size in bytes << 16, below it the selector, or how many bytes RET releases. */
export const FAR_ARGUMENT = { sizeShift: 16, mask: 0xffff } as const;
