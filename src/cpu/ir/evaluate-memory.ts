// The evaluator's loads and stores (WebAssembly Core §4.4.7).

type Value = number | bigint;

const u64 = (n: bigint): bigint => BigInt.asUintN(64, n);

const LOADS: Readonly<Record<string, (v: DataView, at: number) => Value>> = {
  "i32.load": (v, at) => v.getInt32(at, true),
  "i32.load8_u": (v, at) => v.getUint8(at),
  "i32.load8_s": (v, at) => v.getInt8(at),
  "i32.load16_u": (v, at) => v.getUint16(at, true),
  "i32.load16_s": (v, at) => v.getInt16(at, true),
  "i64.load": (v, at) => v.getBigUint64(at, true),
  "i64.load8_u": (v, at) => BigInt(v.getUint8(at)),
  "i64.load16_u": (v, at) => BigInt(v.getUint16(at, true)),
  "i64.load32_u": (v, at) => BigInt(v.getUint32(at, true)),
  "i64.load8_s": (v, at) => u64(BigInt(v.getInt8(at))),
  "i64.load16_s": (v, at) => u64(BigInt(v.getInt16(at, true))),
  "i64.load32_s": (v, at) => u64(BigInt(v.getInt32(at, true))),
  "f32.load": (v, at) => v.getFloat32(at, true),
  "f64.load": (v, at) => v.getFloat64(at, true),
  "v128.load": (v, at) => v.getBigUint64(at, true) | (v.getBigUint64(at + 8, true) << 64n),
  "v128.load64_zero": (v, at) => v.getBigUint64(at, true),
  "v128.load32_zero": (v, at) => BigInt(v.getUint32(at, true)),
};

const STORES: Readonly<Record<string, (v: DataView, at: number, value: Value) => void>> = {
  "i32.store": (v, at, value) => v.setInt32(at, Number(value), true),
  "i32.store8": (v, at, value) => v.setUint8(at, Number(value) & 0xff),
  "i32.store16": (v, at, value) => v.setUint16(at, Number(value) & 0xffff, true),
  "i64.store": (v, at, value) => v.setBigUint64(at, value as bigint, true),
  "i64.store8": (v, at, value) => v.setUint8(at, Number((value as bigint) & 0xffn)),
  "i64.store16": (v, at, value) => v.setUint16(at, Number((value as bigint) & 0xffffn), true),
  "i64.store32": (v, at, value) => v.setUint32(at, Number((value as bigint) & 0xffff_ffffn), true),
  "f32.store": (v, at, value) => v.setFloat32(at, Number(value), true),
  "f64.store": (v, at, value) => v.setFloat64(at, Number(value), true),
  "v128.store": (v, at, value) => {
    v.setBigUint64(at, u64(value as bigint), true);
    v.setBigUint64(at + 8, (value as bigint) >> 64n, true);
  },
};

/** The load of that name. Throws when there is none: a bug. */
export function loadOperator(op: string): (v: DataView, at: number) => Value {
  return LOADS[op] ?? missing(op);
}

/** The store of that name. Throws when there is none: a bug. */
export function storeOperator(op: string): (v: DataView, at: number, value: Value) => void {
  return STORES[op] ?? missing(op);
}

function missing(op: string): never {
  throw new Error(`Bug in Nido: the evaluator has no ${op}`);
}
