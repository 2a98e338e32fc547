// What every device type must keep: one call in each device's test file.
//
//   deviceContract(pit8254, {}, (pit) => outPort(pit, 0x43, 0x34));
//
// Restored devices must go on as the original would: after `restore(save(x))` both are driven by the same accesses and must
// answer alike, which catches state that is kept outside of `state`, and references into it that a restore leaves stale.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FLOAT, type Device, type DeviceType, type IoHandler, type Width } from "../devices/device.ts";
import { VmError } from "../support/errors.ts";
import { FakeWiring, fakeWiring } from "./fake-wiring.ts";
import { restore, save } from "./restore.ts";

interface Access {
  readonly region: number;
  readonly offset: number;
  readonly width: Width;
  /** Undefined for a read. */
  readonly value: number | undefined;
  /** Nanoseconds that pass after the access. */
  readonly passNs: number;
}

/** Choices for a device whose contract needs more than its configuration. */
export interface ContractOptions {
  /** Wiring for each instance; a plain fakeWiring() unless given. */
  readonly wiring?: () => FakeWiring;
  /** False for devices that read host entropy or the like, so that two instances need not answer alike. */
  readonly deterministic?: boolean;
}

const VALUES = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x8000_0000, 0xffff_ffff), fc.nat(0xff), fc.nat(0xffff_ffff));

function accesses(regions: number): fc.Arbitrary<Access[]> {
  const access = fc.record<Access>({
    region: fc.nat(regions - 1),
    offset: fc.oneof({ weight: 4, arbitrary: fc.nat(15) }, fc.nat(0xffff)),
    width: fc.constantFrom<Width>(1, 1, 1, 2, 4),
    value: fc.option(VALUES, { nil: undefined }),
    passNs: fc.constantFrom(0, 0, 838, 50_000, 3_000_000),
  });
  return fc.array(access, { minLength: 1, maxLength: 60 });
}

function regionsOf(device: Device): readonly (IoHandler & { readonly length: number })[] {
  return [...(device.ports ?? []), ...(device.mmio ?? [])];
}

function fitting(answer: number, width: Width): number {
  expect(Number.isInteger(answer) && answer >= 0 && answer <= FLOAT[width], `${answer} does not fit ${width} bytes`).toBe(true);
  return answer;
}

/** Performs the accesses and returns what the reads gave. Accesses are kept inside their region, as a bus does. */
function drive(device: Device, wiring: FakeWiring, list: readonly Access[]): number[] {
  const answers: number[] = [];
  for (const { region, offset, width, value, passNs } of list) {
    const target = regionsOf(device)[region];
    if (target === undefined || target.length < width) continue;
    const at = offset % (target.length - width + 1);
    if (value === undefined) answers.push(fitting(target.read(at, width), width));
    else target.write(at, width, (value & FLOAT[width]) >>> 0);
    wiring.clock.advance(passNs);
  }
  return answers;
}

/** Every single-leaf damage of an encoded state: each is something no codec may accept. */
function* damages(encoded: unknown): Generator<unknown> {
  yield "damaged";
  yield undefined;
  if (typeof encoded !== "object" || encoded === null || encoded instanceof Uint8Array) return;
  const entries = Object.entries(encoded);
  for (const [key, value] of entries) {
    for (const damaged of damages(value)) {
      const copy = Array.isArray(encoded) ? encoded.slice() : { ...encoded };
      (copy as Record<string, unknown>)[key] = damaged;
      yield copy;
    }
    if (!Array.isArray(encoded)) yield Object.fromEntries(entries.filter(([name]) => name !== key));
  }
  if (!Array.isArray(encoded)) yield { ...encoded, unheardOf: 1 };
}

/**
 * Registers the contract's tests for a device type.
 * @param disturb brings a fresh device into a state that differs from power-on
 */
export function deviceContract<C, S extends object, D extends Device<S>>(type: DeviceType<C, S, D>, config: C, disturb: (device: D, wiring: FakeWiring) => void, options: ContractOptions = {}): void {
  const make = (wiring: FakeWiring = (options.wiring ?? fakeWiring)()): { device: D; wiring: FakeWiring } => ({ device: type.create(config, wiring), wiring });
  const disturbed = (): { device: D; wiring: FakeWiring } => {
    const made = make();
    disturb(made.device, made.wiring);
    return made;
  };
  /** A second device at the same time of day, with the first one's state. */
  const copyOf = (original: D, wiring: FakeWiring): { device: D; wiring: FakeWiring } => {
    const copy = (options.wiring ?? fakeWiring)();
    copy.clock.wallBaseMs = wiring.clock.wallBaseMs;
    copy.clock.advanceTo(wiring.clock.now());
    const { device } = make(copy);
    restore(type, device, structuredClone(save(type, original)));
    return { device, wiring: copy };
  };

  describe(`${type.kind} keeps the device contract`, () => {
    it("names its state after itself", () => {
      expect(type.state.kind).toBe(type.kind);
      expect(type.state.version).toBeGreaterThanOrEqual(1);
    });

    it("restores what it saved, all of it", () => {
      const { device, wiring } = disturbed();
      if (Object.keys(device.state).length > 0) expect(save(type, device)).not.toEqual(save(type, make().device));
      const copy = copyOf(device, wiring);
      expect(copy.device.state).toEqual(device.state);
      for (const [name, line] of wiring.lines) expect(copy.wiring.line(name).level, `line ${name}`).toBe(line.level);
    });

    it("saves a copy that later changes do not reach", () => {
      const { device } = disturbed();
      const saved = save(type, device);
      const before = structuredClone(saved);
      device.reset();
      expect(saved).toEqual(before);
    });

    it("resets to power-on state, once or twice", () => {
      const { device, wiring } = disturbed();
      device.reset();
      const fresh = (options.wiring ?? fakeWiring)();
      fresh.clock.wallBaseMs = wiring.clock.wallBaseMs;
      fresh.clock.advanceTo(wiring.clock.now());
      const powerOn = save(type, make(fresh).device);
      expect(save(type, device)).toEqual(powerOn);
      device.reset();
      expect(save(type, device)).toEqual(powerOn);
    });

    it("answers every access of every width with a value that fits, and keeps a state that can be saved", () => {
      const { device } = make();
      const regions = regionsOf(device);
      if (regions.length === 0) return;
      fc.assert(fc.property(accesses(regions.length), (list) => {
        const { device: victim, wiring } = make();
        drive(victim, wiring, list);
        expect(type.state.decode(save(type, victim), type.state.version)).toEqual(victim.state);
      }), { numRuns: 60 });
    });

    it.skipIf(options.deterministic === false)("goes on after a restore as the original does", () => {
      const regions = regionsOf(make().device).length;
      if (regions === 0) return;
      fc.assert(fc.property(accesses(regions), accesses(regions), (before, after) => {
        const original = make();
        drive(original.device, original.wiring, before);
        const copy = copyOf(original.device, original.wiring);
        expect(drive(copy.device, copy.wiring, after)).toEqual(drive(original.device, original.wiring, after));
        expect(save(type, copy.device)).toEqual(save(type, original.device));
      }), { numRuns: 60 });
    });

    it("refuses damaged state by naming the unit", () => {
      const encoded = save(type, disturbed().device);
      for (const damaged of damages(encoded)) {
        let error: unknown;
        try {
          type.state.decode(damaged, type.state.version);
        } catch (caught) {
          error = caught;
        }
        expect(VmError.is(error, "STATE_INVALID"), `accepted ${JSON.stringify(damaged, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))}`).toBe(true);
        expect((error as VmError).data["unit"]).toBe(type.kind);
      }
      expect(() => type.state.decode(encoded, type.state.version + 1)).toThrow(VmError);
    });
  });
}
