// The fields of double extended-precision numbers (SDM 1 §4.2.2): a `head` of sign and exponent, and a significand.

/** What the exponent field of 1.0 holds. */
export const BIAS = 16383;
/** The exponent field of infinities and NaNs; also its mask. */
export const EXPONENT_MAX = 0x7fff;
/** The sign in a head. */
export const SIGN = 0x8000;
/** The explicit leading bit of a significand: alone, the significand of infinity and of powers of two. */
export const INTEGER_BIT: bigint = 1n << 63n;
/** Set in quiet NaNs, clear in signalling ones. */
export const QUIET_BIT: bigint = 1n << 62n;
/** The QNaN floating-point indefinite (SDM 1 §8.2.1). */
export const INDEFINITE = { head: 0xffff, significand: 0xc000_0000_0000_0000n } as const;
