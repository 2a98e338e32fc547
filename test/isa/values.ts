// Operand values biased to where processors and their imitations disagree: limits, single bits, zeros, denormals, NaNs, and
// exponents close enough to one another that rounding and cancellation happen. Frozen like prng.ts.
import type { Prng } from "./prng.ts";

/** What a lane of memory or of a register holds. */
export const LANES = ["i8", "i16", "i32", "i64", "f32", "f64", "f80", "bcd"] as const;
/** One of LANES. */
export type Lane = (typeof LANES)[number];
/** Size of a lane's value, in bytes. */
export const LANE_BYTES: Readonly<Record<Lane, number>> = { i8: 1, i16: 2, i32: 4, i64: 8, f32: 4, f64: 8, f80: 10, bcd: 10 };

/** Writes values of one kind: construct once per case, so that its floating-point values share an exponent's neighbourhood. */
export class Values {
  private readonly prng: Prng;
  private readonly center: number;
  private readonly scratch = new DataView(new ArrayBuffer(8));

  constructor(prng: Prng) {
    this.prng = prng;
    this.center = prng.chance(70) ? prng.between(-20, 20) : prng.between(-1100, 1100);
  }

  /** Fills `view[at, at + length)` with whole lanes. */
  fill(view: DataView, at: number, length: number, lane: Lane): void {
    const size = LANE_BYTES[lane];
    for (let i = 0; i + size <= length; i += size) this.write(view, at + i, lane);
  }

  /** Writes one value. */
  write(view: DataView, at: number, lane: Lane): void {
    switch (lane) {
      case "i8":
        view.setUint8(at, this.low(8));
        break;
      case "i16":
        view.setUint16(at, this.low(16), true);
        break;
      case "i32":
        view.setUint32(at, this.low(32), true);
        break;
      case "i64":
        this.integer(view, at);
        break;
      case "f32":
        this.single(view, at);
        break;
      case "f64":
        this.double(view, at);
        break;
      case "f80":
        this.extended(view, at);
        break;
      case "bcd":
        this.packedBcd(view, at);
        break;
    }
  }

  private low(bits: number): number {
    const p = this.prng;
    const top = 2 ** (bits - 1);
    switch (p.below(8)) {
      case 0:
        return p.below(4);
      case 1:
        return 2 ** p.below(bits);
      case 2:
        return 2 ** p.below(bits) - 1;
      case 3:
        return top - 1 + p.below(2);
      case 4:
        return 2 * top - 1 - p.below(3);
      default:
        return p.next() % (2 * top);
    }
  }

  private integer(view: DataView, at: number): void {
    const p = this.prng;
    let low = p.next();
    let high = p.next();
    switch (p.below(10)) {
      case 0:
        [low, high] = [p.below(20), 0];
        break;
      case 1:
        [low, high] = [-1 - p.below(3), -1];
        break;
      case 2:
        [low, high] = powerOfTwo(p.below(64));
        break;
      case 3:
        [low, high] = minusOne(powerOfTwo(p.below(65)));
        break;
      case 4:
        high = 0;
        break;
      case 5:
        high = low >> 31;
        break;
      case 6:
        low = narrowLimit(p, low);
        break;
      case 7:
        [low, high] = p.chance(50) ? [0, 0x8000_0000] : [-1, 0x7fff_ffff];
        break;
      default:
        break;
    }
    view.setUint32(at, low >>> 0, true);
    view.setUint32(at + 4, high >>> 0, true);
  }

  private exponent(bias: number): number {
    const spread = this.prng.chance(60) ? this.prng.between(-4, 4) : this.prng.between(-70, 70);
    return Math.min(Math.max(this.center + spread + bias, 1), 2 * bias);
  }

  private single(view: DataView, at: number): void {
    const p = this.prng;
    const sign = p.below(2) << 31;
    const fraction = this.fraction(23)[0];
    view.setUint32(at, (sign | this.special32(fraction)) >>> 0, true);
  }

  private special32(fraction: number): number {
    const p = this.prng;
    switch (p.below(16)) {
      case 0:
        return 0;
      case 1:
        return fraction; // denormal (or zero)
      case 2:
        return 0x7f80_0000;
      case 3:
        return 0x7fc0_0000 | fraction;
      case 4:
        return 0x7f80_0000 | (fraction & 0x3f_ffff) | 1;
      case 5:
        return (p.pick([1, 254, 127, 127 + 23, 127 + 31, 127 + 63]) << 23) | fraction;
      case 6:
        return new DataView(Float32Array.of(p.below(300)).buffer).getUint32(0, true);
      default:
        return (this.exponent(127) << 23) | fraction;
    }
  }

  private double(view: DataView, at: number): void {
    const p = this.prng;
    const [low, high] = this.fraction(52);
    let head = (this.exponent(1023) << 20) | high;
    let tail = low;
    switch (p.below(16)) {
      case 0:
        head = tail = 0;
        break;
      case 1:
        head = high;
        break;
      case 2:
        [head, tail] = [0x7ff0_0000, 0];
        break;
      case 3:
        head = 0x7ff8_0000 | high;
        break;
      case 4:
        head = 0x7ff0_0000 | (high & 0x7_ffff) | 1;
        break;
      case 5:
        head = (p.pick([1, 2046, 1023, 1023 + 31, 1023 + 52, 1023 + 63, 1023 - 127, 1023 - 149, 1023 + 127]) << 20) | high;
        break;
      case 6:
        this.scratch.setFloat64(0, p.below(300));
        [head, tail] = [this.scratch.getUint32(0), this.scratch.getUint32(4)];
        break;
      default:
        break;
    }
    view.setUint32(at, tail >>> 0, true);
    view.setUint32(at + 4, (head | (p.below(2) << 31)) >>> 0, true);
  }

  /** All encodings of SDM 1 table 8-3 appear, the unsupported ones too. */
  private extended(view: DataView, at: number): void {
    const p = this.prng;
    let [low, high] = this.fraction(63);
    let exponent = this.exponent(16383);
    high = (high | 0x8000_0000) >>> 0;
    switch (p.below(20)) {
      case 0:
        exponent = low = high = 0;
        break;
      case 1:
        exponent = 0;
        high &= 0x7fff_ffff;
        break; // denormal
      case 2:
        exponent = 0;
        break; // pseudo-denormal
      case 3:
        [exponent, low, high] = [0x7fff, 0, 0x8000_0000];
        break;
      case 4:
        exponent = 0x7fff;
        high |= 0xc000_0000;
        break; // quiet NaN
      case 5:
        exponent = 0x7fff;
        high = (high & 0xbfff_ffff) | 1;
        break; // signalling NaN
      case 6:
        if (p.chance(40)) high &= 0x7fff_ffff;
        break; // unnormal
      case 7:
        if (p.chance(40)) [exponent, high] = [0x7fff, high & 0x7fff_ffff];
        break; // pseudo-NaN, pseudo-infinity
      case 8:
        exponent = p.pick([1, 2, 0x7ffe, 16383, 16383 - 1, 16383 + 15, 16383 + 31, 16383 + 62, 16383 + 63]);
        break;
      case 9:
        exponent = 16383 + p.pick([-127, -126, 127, 128, -149, -1022, -1023, 1023, 1024, -1074]);
        break;
      case 10:
      case 11:
        [exponent, low, high] = smallInteger(p.between(1, 400));
        break;
      default:
        break;
    }
    view.setUint32(at, low >>> 0, true);
    view.setUint32(at + 4, high >>> 0, true);
    view.setUint16(at + 8, exponent | (p.below(2) << 15), true);
  }

  /** Eighteen digits and a sign, now and then with digits above 9 (which FBLD leaves undefined) left out. */
  private packedBcd(view: DataView, at: number): void {
    const digits = this.prng.below(19);
    for (let i = 0; i < 9; i++) {
      const one = 2 * i < digits ? this.prng.below(10) : 0;
      const ten = 2 * i + 1 < digits ? this.prng.below(10) : 0;
      view.setUint8(at + i, (ten << 4) | one);
    }
    view.setUint8(at + 9, this.prng.below(2) << 7);
  }

  /** Fraction bits as [low 32, rest]: few ones, many ones, or random, so that ties and exact results are common. */
  private fraction(bits: number): [number, number] {
    const p = this.prng;
    const highMask = bits > 32 ? 2 ** (bits - 32) - 1 : 0;
    const lowMask = bits < 32 ? 2 ** bits - 1 : 0xffff_ffff;
    let low = p.next();
    let high = p.next();
    switch (p.below(6)) {
      case 0:
        low = high = 0;
        break;
      case 1:
        low = high = -1;
        break;
      case 2:
        [low, high] = powerOfTwo(p.below(bits));
        break;
      case 3:
        low = bits > 32 ? 0 : low & (-1 << p.below(bits));
        break;
      default:
        break;
    }
    return [(low & lowMask) >>> 0, (high & highMask) >>> 0];
  }
}

function powerOfTwo(n: number): [number, number] {
  if (n >= 64) return [0, 0];
  return n < 32 ? [(1 << n) >>> 0, 0] : [0, (1 << (n - 32)) >>> 0];
}

function minusOne([low, high]: [number, number]): [number, number] {
  return low === 0 ? [-1, high - 1] : [low - 1, high];
}

function narrowLimit(p: Prng, random: number): number {
  const limit = p.pick([0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000]);
  const mask = limit > 0xffff ? -1 : limit > 0xff ? 0xffff : 0xff;
  return (random & ~mask) | limit;
}

/** [exponent, low, high] of an integer below 2^32 in extended precision. */
function smallInteger(n: number): [number, number, number] {
  const shift = Math.clz32(n);
  return [16383 + 31 - shift, 0, (n << shift) >>> 0];
}
