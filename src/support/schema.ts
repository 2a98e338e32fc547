// A small vocabulary that describes plain data once and gives its codec: encoding copies, decoding treats the input as hostile.
//
//   interface CounterState { count: number; latch: number | null }
//   const STATE: Codec<CounterState> = codec("counter", 1, record({ count: u16, latch: nullable(u8) }));
//
// `record<S>` demands a field for every key of S and no other, so that the interface and its description cannot drift apart.
import { VmError } from "./errors.ts";

/** How one value is checked and copied. `where` names the value in an error ("counters[2].latch"). */
export interface Schema<T> {
  /** The values it admits, in words for errors and documentation. */
  readonly about: string;
  encode(value: T): unknown;
  /** Throws Mismatch unless `raw` is a T. */
  decode(raw: unknown, where: string): T;
}

/** The type a schema describes. */
export type Described<X> = X extends Schema<infer T> ? T : never;

/** A value that is not what its schema says; `codec` turns it into a VmError that names the unit. */
class Mismatch extends Error {
  readonly where: string;
  readonly value: unknown;
  constructor(where: string, about: string, value: unknown) {
    super(`${where || "state"} must be ${about}`);
    this.where = where;
    this.value = value;
  }
}

function scalar<T>(about: string, is: (raw: unknown) => raw is T): Schema<T> {
  return {
    about,
    encode: (value) => value,
    decode: (raw, where) => {
      if (!is(raw)) throw new Mismatch(where, about, raw);
      return raw;
    },
  };
}

/** A whole number from `min` to `max`, both included. */
export function integer(min: number, max: number): Schema<number> {
  return scalar(
    `a whole number from ${min} to ${max}`,
    (raw): raw is number => Number.isSafeInteger(raw) && (raw as number) >= min && (raw as number) <= max,
  );
}

/** 0..FFh. */
export const u8: Schema<number> = integer(0, 0xff);
/** 0..FFFFh. */
export const u16: Schema<number> = integer(0, 0xffff);
/** 0..FFFF_FFFFh. */
export const u32: Schema<number> = integer(0, 0xffff_ffff);
/** Any finite number. */
export const number: Schema<number> = scalar("a finite number", (raw): raw is number => Number.isFinite(raw));
/** true or false. */
export const boolean: Schema<boolean> = scalar("true or false", (raw): raw is boolean => typeof raw === "boolean");
/** An unsigned 64-bit integer. */
export const u64: Schema<bigint> = scalar(
  "a bigint below 2^64",
  (raw): raw is bigint => typeof raw === "bigint" && raw >= 0n && raw < 1n << 64n,
);
/** A signed integer of at most 128 bits. */
export const bigint: Schema<bigint> = scalar(
  "a bigint within 128 bits",
  (raw): raw is bigint => typeof raw === "bigint" && BigInt.asIntN(128, raw) === raw,
);

/** One of the values listed. */
export function oneOf<const T extends string | number | boolean>(...values: readonly T[]): Schema<T> {
  return scalar(`one of ${values.join(", ")}`, (raw): raw is T => (values as readonly unknown[]).includes(raw));
}

/** Bytes: exactly `length` of them, or up to `max` when a range is given. */
export function bytes(length: number, max: number = length): Schema<Uint8Array> {
  const about = length === max ? `${length} bytes` : `${length} to ${max} bytes`;
  const is = (raw: unknown): raw is Uint8Array => raw instanceof Uint8Array && raw.length >= length && raw.length <= max;
  const { decode } = scalar(about, is);
  return { about, encode: (value) => value.slice(), decode: (raw, where) => decode(raw, where).slice() };
}

/** The value or null. */
export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return {
    about: `${inner.about}, or null`,
    encode: (value) => (value === null ? null : inner.encode(value)),
    decode: (raw, where) => (raw === null ? null : inner.decode(raw, where)),
  };
}

/** `length` items of one kind, or from `length` up to `max` when a range is given. */
export function array<T>(item: Schema<T>, length: number, max: number = length): Schema<T[]> {
  const about = `${length === max ? length : `${length} to ${max}`} items`;
  return {
    about,
    encode: (value) => value.map((each) => item.encode(each)),
    decode: (raw, where) => {
      if (!Array.isArray(raw) || raw.length < length || raw.length > max) throw new Mismatch(where, about, raw);
      return Array.from(raw, (each: unknown, index) => item.decode(each, `${where}[${index}]`));
    },
  };
}

/** A fixed sequence of items of different kinds. */
export function tuple<T extends readonly unknown[]>(...items: { readonly [K in keyof T]: Schema<T[K]> }): Schema<T> {
  const schemas = items as readonly Schema<unknown>[];
  const about = `${schemas.length} items`;
  return {
    about,
    encode: (value) => schemas.map((schema, index) => schema.encode(value[index])),
    decode: (raw, where) => {
      if (!Array.isArray(raw) || raw.length !== schemas.length) throw new Mismatch(where, about, raw);
      return schemas.map((schema, index) => schema.decode(raw[index], `${where}[${index}]`)) as unknown as T;
    },
  };
}

/** Named fields: all of them, and no others. */
export function record<S extends object>(fields: { readonly [K in keyof S]-?: Schema<S[K]> }): Schema<S> {
  const entries = Object.entries(fields) as [string, Schema<unknown>][];
  const about = `a record of ${entries.map(([name]) => name).join(", ")}`;
  return {
    about,
    encode: (value) => Object.fromEntries(entries.map(([name, schema]) => [name, schema.encode((value as Record<string, unknown>)[name])])),
    decode: (raw, where) => {
      if (typeof raw !== "object" || raw === null || Array.isArray(raw) || Object.keys(raw).length !== entries.length)
        throw new Mismatch(where, about, raw);
      return Object.fromEntries(
        entries.map(([name, schema]) => {
          if (!Object.hasOwn(raw, name)) throw new Mismatch(where, about, raw);
          return [name, schema.decode((raw as Record<string, unknown>)[name], where === "" ? name : `${where}.${name}`)];
        }),
      ) as S;
    },
  };
}

/** How a unit's state is written to and read from a snapshot. `decode` treats `raw` as untrusted and migrates old versions. */
export interface Codec<S> {
  readonly kind: string;
  readonly version: number;
  encode(state: S): unknown;
  decode(raw: unknown, version: number): S;
}

/**
 * The codec of a unit of saved state. `decode` throws VmError STATE_INVALID naming unit, field and value.
 * @param migrate turns the raw state of an older version into the current version's raw state; it may throw on damaged input
 */
export function codec<S>(kind: string, version: number, schema: Schema<S>, migrate?: (raw: unknown, version: number) => unknown): Codec<S> {
  const refuse = (reason: string, field: string, value: unknown, cause?: unknown): never => {
    throw new VmError("STATE_INVALID", `Cannot restore ${kind}: ${reason}, found ${show(value)}`, {
      data: { unit: kind, field, value: show(value) },
      cause,
    });
  };
  const current = (raw: unknown, from: number): unknown => {
    if (from === version) return raw;
    if (migrate === undefined || !Number.isInteger(from) || from < 1 || from > version)
      return refuse(`version must be ${version}`, "version", from);
    try {
      return migrate(raw, from);
    } catch (cause) {
      return refuse(`version ${from} cannot be migrated`, "version", from, cause);
    }
  };
  return {
    kind,
    version,
    encode: (state) => schema.encode(state),
    decode: (raw, from) => {
      const input = current(raw, from);
      try {
        return schema.decode(input, "");
      } catch (cause) {
        if (cause instanceof Mismatch) return refuse(cause.message, cause.where, cause.value);
        throw cause;
      }
    },
  };
}

/** A value in few words, whatever it is: saved state may hold anything. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `${value.length} items`;
  return typeof value === "object" && value !== null ? `a record of ${Object.keys(value).join(", ").slice(0, 80)}` : String(value);
}
