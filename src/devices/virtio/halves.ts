// 64-bit registers that a 32-bit bus reaches in two halves.

/** The low or high 32 bits. */
export function half(register: bigint, high: boolean): number {
  return Number(BigInt.asUintN(32, high ? register >> 32n : register));
}

/** The register with its low or high 32 bits replaced. */
export function withHalf(register: bigint, high: boolean, value: number): bigint {
  const bits = BigInt(value >>> 0);
  return high ? (bits << 32n) | BigInt.asUintN(32, register) : ((register >> 32n) << 32n) | bits;
}
