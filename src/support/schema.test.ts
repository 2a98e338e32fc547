import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VmError } from "./errors.ts";
import { array, bigint, boolean, bytes, codec, nullable, number, oneOf, record, tuple, u16, u64, u8, type Described } from "./schema.ts";

const schema = record({
  count: u16,
  latch: nullable(u8),
  fifo: bytes(0, 4),
  pair: tuple<[number, boolean]>(number, boolean),
  mode: oneOf("read", "write"),
  nested: array(record({ wide: u64, signed: bigint }), 2),
});
type State = Described<typeof schema>;
const CODEC = codec("unit", 2, schema, (raw) => ({ ...(raw as object), latch: null }));

const sample = (): State => ({
  count: 7,
  latch: 3,
  fifo: Uint8Array.of(1, 2),
  pair: [0.5, true],
  mode: "read",
  nested: [
    { wide: 1n, signed: -1n },
    { wide: 2n, signed: 0n },
  ],
});

function errorOf(raw: unknown, version = 2): VmError {
  try {
    CODEC.decode(raw, version);
  } catch (error) {
    if (VmError.is(error)) return error;
  }
  throw new Error("decode accepted the input");
}

describe("codec", () => {
  it("returns what it encoded, as a copy", () => {
    const state = sample();
    const encoded = CODEC.encode(state) as State;
    state.fifo[0] = 9;
    state.nested[0]!.wide = 9n;
    expect(encoded).toEqual(sample());
    const decoded = CODEC.decode(encoded, 2);
    encoded.fifo[0] = 9;
    expect(decoded).toEqual(sample());
  });

  it("names unit, field and value of the first mismatch", () => {
    const error = errorOf({
      ...sample(),
      nested: [
        { wide: 1n, signed: 0n },
        { wide: -5n, signed: 0n },
      ],
    });
    expect(error.code).toBe("STATE_INVALID");
    expect(error.data).toEqual({ unit: "unit", field: "nested[1].wide", value: "-5" });
    expect(error.message).toBe("Cannot restore unit: nested[1].wide must be a bigint below 2^64, found -5");
  });

  it.each<[string, unknown]>([
    ["out of range", { ...sample(), count: 0x1_0000 }],
    ["a fraction", { ...sample(), count: 1.5 }],
    ["NaN", { ...sample(), pair: [Number.NaN, true] }],
    ["too many bytes", { ...sample(), fifo: new Uint8Array(5) }],
    ["a word that is not listed", { ...sample(), mode: "erase" }],
    ["too few items", { ...sample(), nested: [] }],
    ["a sparse array", { ...sample(), pair: new Array(2) }],
    ["a field too many", { ...sample(), extra: 1 }],
    ["a field too few", { ...sample(), mode: undefined }],
    ["an inherited field", Object.assign(Object.create({ count: 1 }), { ...sample(), count: undefined, x: 1 })],
    ["null", null],
  ])("refuses %s", (_, raw) => {
    expect(errorOf(raw).code).toBe("STATE_INVALID");
  });

  it("never throws anything but STATE_INVALID, whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true, withSparseArray: true }),
        fc.integer(),
        (raw, version) => {
          expect(VmError.is(errorOf(raw, version), "STATE_INVALID")).toBe(true);
        },
      ),
    );
  });

  it("migrates older versions and refuses newer ones", () => {
    const { latch: _, ...older } = sample();
    expect(CODEC.decode(older, 1).latch).toBeNull();
    expect(errorOf(sample(), 3).data["field"]).toBe("version");
    expect(errorOf(sample(), 0).data["field"]).toBe("version");
  });
});
