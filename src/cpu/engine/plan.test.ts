// The plan that a module carries: what is packed decodes as what was built, and what is damaged is refused.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Decoder, STATUS } from "../decode/decoder.ts";
import { ROUTINE } from "../engine-calls.ts";
import { MODE } from "../state.ts";
import { ProgramGenerator } from "./generator.ts";
import { packPlan, unpackPlan } from "./plan.ts";
import { ENGINE_ROUTINES } from "./routines.ts";

const generator = new ProgramGenerator();
const packed = packPlan(generator.plan);
const MODES = [MODE.long, MODE.code32 | MODE.stack32, 0];

/** Everything that a decoder says about an instruction. */
function decode(decoder: Decoder, bytes: Uint8Array, mode: number): unknown {
  const status = decoder.decode(bytes, 0, bytes.length, mode);
  return status === STATUS.ok ? structuredClone(decoder) : { status };
}

describe("a packed plan", () => {
  it("is the plan again", () => {
    expect(unpackPlan(packed)).toEqual(generator.plan);
    expect(packPlan(unpackPlan(packed))).toEqual(packed);
  });

  it("decodes every sequence of bytes as the rows do", () => {
    const built = new Decoder(generator.plan.tables);
    const unpacked = new Decoder(unpackPlan(packed).tables);
    const opcode = fc.constantFrom([], [0x0f], [0x66], [0x48], [0xf3, 0x0f], [0x66, 0x0f, 0x38], [0x66, 0x0f, 0x3a]);
    const sequence = fc.tuple(opcode, fc.uint8Array({ minLength: 1, maxLength: 16 }));
    fc.assert(
      fc.property(sequence, fc.constantFrom(...MODES), ([head, tail], mode) => {
        const bytes = Uint8Array.of(...head, ...tail);
        expect(decode(unpacked, bytes, mode)).toEqual(decode(built, bytes, mode));
      }),
      { numRuns: 500 },
    );
  });

  it("comes along in the module, whose handlers it counts", () => {
    const program = generator.interpreter();
    expect(program.plan).toEqual(generator.plan);
    expect(Math.max(...generator.set.handlers.map(({ id }) => id))).toBe(program.plan.ends.length - 1);
  });

  it("is refused when it is cut short, too long, or of another version", () => {
    const another = packed.slice();
    another[4]! ^= 0xff;
    for (const bytes of [packed.subarray(0, 8), packed.subarray(0, -1), Uint8Array.of(...packed, 0), another])
      expect(() => unpackPlan(bytes)).toThrow("build the package again");
  });

  it("is refused when lists are out of order or handlers do not exist", () => {
    const { tables, ends } = generator.plan;
    const damaged = (change: (view: DataView) => void): Uint8Array => {
      const bytes = packed.slice();
      change(new DataView(bytes.buffer));
      return bytes;
    };
    const entries = 12 + tables.first.length * 2 + tables.modrm.length;
    for (const bytes of [
      damaged((view) => view.setUint16(12 + 2 * 5, 0xffff, true)),
      damaged((view) => view.setUint32(8, 1, true)),
      damaged((view) => view.setUint16(entries + 8, ends.length, true)),
    ])
      expect(() => unpackPlan(bytes)).toThrow("build the package again");
  });
});

describe("routines that TypeScript calls", () => {
  const { load, store, ...others } = ROUTINE;
  const calls = [...Object.values(load), ...Object.values(store), ...Object.values(others)];

  it.each(calls.map((call) => [call.name, call] as const))("%s is exported with that type", (name, call) => {
    expect(ENGINE_ROUTINES.find((routine) => routine.name === name)).toMatchObject(call);
  });
});
