// The random numbers of cases: small, fast, and frozen — recorded vectors store seeds, so another sequence is another file.

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by one 32-bit number. */
export class Prng {
  private a: number;
  private b: number;
  private c = 1;
  private d: number;

  constructor(seed: number) {
    this.a = seed | 0;
    this.b = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 0;
    this.d = (seed ^ 0x5bd1_e995) | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 random bits, unsigned. */
  next(): number {
    const t = (((this.a + this.b) | 0) + this.c) | 0;
    this.c = (this.c + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.d + (this.d << 3)) | 0;
    this.d = (((this.d << 21) | (this.d >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** An integer in 0..n-1. */
  below(n: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * n);
  }

  /** An integer in from..to, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True in `percent` of 100 calls. */
  chance(percent: number): boolean {
    return this.below(1000) < percent * 10;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

/** A seed from a text and a number (FNV-1a). */
export function seedOf(text: string, index: number): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return Math.imul(hash ^ index, 0x9e37_79b1) >>> 0;
}
