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

/** A device type under test with everything that makes instances of it. */
class Subject<C, S extends object, D extends Device<S>> {
  readonly type: DeviceType<C, S, D>;
  readonly #config: C;
  readonly #disturb: (device: D, wiring: FakeWiring) => void;
  readonly #wiring: () => FakeWiring;

  constructor(type: DeviceType<C, S, D>, config: C, disturb: (device: D, wiring: FakeWiring) => void, wiring: () => FakeWiring) {
    this.type = type;
    this.#config = config;
    this.#disturb = disturb;
    this.#wiring = wiring;
  }

  fresh(wiring: FakeWiring = this.#wiring()): { device: D; wiring: FakeWiring } {
    return { device: this.type.create(this.#config, wiring), wiring };
  }

  disturbed(): { device: D; wiring: FakeWiring } {
    const made = this.fresh();
    this.#disturb(made.device, made.wiring);
    return made;
  }

  /** A device as it is created at the time of `wiring`'s clock. */
  freshAt(wiring: FakeWiring): { device: D; wiring: FakeWiring } {
    const own = this.#wiring();
    own.clock.wallBaseMs = wiring.clock.wallBaseMs;
    own.clock.advanceTo(wiring.clock.now());
    return this.fresh(own);
  }

  /** A second device at the same time, with the first one's state. */
  copyOf(original: D, wiring: FakeWiring): { device: D; wiring: FakeWiring } {
    const copy = this.freshAt(wiring);
    restore(this.type, copy.device, structuredClone(save(this.type, original)));
    return copy;
  }

  save(device: D): unknown {
    return save(this.type, device);
  }

  get regions(): number {
    return regionsOf(this.fresh().device).length;
  }
}

function namesItself<C, S extends object, D extends Device<S>>({ type }: Subject<C, S, D>): void {
  expect(type.state.kind).toBe(type.kind);
  expect(type.state.version).toBeGreaterThanOrEqual(1);
}

function restoresWhatItSaved<C, S extends object, D extends Device<S>>(subject: Subject<C, S, D>): void {
  const { device, wiring } = subject.disturbed();
  if (Object.keys(device.state).length > 0)
    expect(subject.save(device), "disturb must change the state").not.toEqual(subject.save(subject.fresh().device));
  const copy = subject.copyOf(device, wiring);
  expect(copy.device.state).toEqual(device.state);
  for (const [name, line] of wiring.lines) expect(copy.wiring.line(name).level, `line ${name}`).toBe(line.level);
}

function savesACopy<C, S extends object, D extends Device<S>>(subject: Subject<C, S, D>): void {
  const { device } = subject.disturbed();
  const saved = subject.save(device);
  const before = structuredClone(saved);
  device.reset();
  expect(saved).toEqual(before);
}

function resetsToPowerOn<C, S extends object, D extends Device<S>>(subject: Subject<C, S, D>): void {
  const { device, wiring } = subject.disturbed();
  const powerOn = subject.save(subject.freshAt(wiring).device);
  for (const time of ["once", "twice"]) {
    device.reset();
    expect(subject.save(device), `reset ${time}`).toEqual(powerOn);
  }
}

function answersEveryAccess<C, S extends object, D extends Device<S>>(subject: Subject<C, S, D>): void {
  if (subject.regions === 0) return;
  fc.assert(
    fc.property(accesses(subject.regions), (list) => {
      const { device, wiring } = subject.fresh();
      drive(device, wiring, list);
      expect(subject.type.state.decode(subject.save(device), subject.type.state.version)).toEqual(device.state);
    }),
    { numRuns: 60 },
  );
}

function goesOnAfterRestore<C, S extends object, D extends Device<S>>(subject: Subject<C, S, D>): void {
  if (subject.regions === 0) return;
  fc.assert(
    fc.property(accesses(subject.regions), accesses(subject.regions), (before, after) => {
      const original = subject.fresh();
      drive(original.device, original.wiring, before);
      const copy = subject.copyOf(original.device, original.wiring);
      expect(drive(copy.device, copy.wiring, after)).toEqual(drive(original.device, original.wiring, after));
      expect(subject.save(copy.device)).toEqual(subject.save(original.device));
    }),
    { numRuns: 60 },
  );
}

function refusesDamage<C, S extends object, D extends Device<S>>(subject: Subject<C, S, D>): void {
  const { type } = subject;
  const encoded = subject.save(subject.disturbed().device);
  for (const damaged of damages(encoded)) {
    const error = caught(() => type.state.decode(damaged, type.state.version));
    expect(
      VmError.is(error, "STATE_INVALID"),
      `accepted ${JSON.stringify(damaged, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))}`,
    ).toBe(true);
    expect((error as VmError).data["unit"]).toBe(type.kind);
  }
  expect(
    VmError.is(
      caught(() => type.state.decode(encoded, type.state.version + 1)),
      "STATE_INVALID",
    ),
    "accepted a later version",
  ).toBe(true);
}

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/**
 * The contract's cases for a device type, by name; each throws when the type does not keep it.
 * @param disturb brings a fresh device into a state that differs from power-on
 */
export function deviceCases<C, S extends object, D extends Device<S>>(
  type: DeviceType<C, S, D>,
  config: C,
  disturb: (device: D, wiring: FakeWiring) => void,
  options: ContractOptions = {},
): ReadonlyMap<string, () => void> {
  const subject = new Subject(type, config, disturb, options.wiring ?? fakeWiring);
  const cases = new Map<string, () => void>([
    ["names its state after itself", () => namesItself(subject)],
    ["restores what it saved, all of it", () => restoresWhatItSaved(subject)],
    ["saves a copy that later changes do not reach", () => savesACopy(subject)],
    ["resets to power-on state, once or twice", () => resetsToPowerOn(subject)],
    ["answers every access of every width with a value that fits, and keeps a state that can be saved", () => answersEveryAccess(subject)],
    ["goes on after a restore as the original does", () => goesOnAfterRestore(subject)],
    ["refuses damaged state by naming the unit", () => refusesDamage(subject)],
  ]);
  if (options.deterministic === false) cases.delete("goes on after a restore as the original does");
  return cases;
}

/** Registers the contract's cases as tests; parameters as for `deviceCases`. */
export function deviceContract<C, S extends object, D extends Device<S>>(
  type: DeviceType<C, S, D>,
  config: C,
  disturb: (device: D, wiring: FakeWiring) => void,
  options: ContractOptions = {},
): void {
  describe(`${type.kind} keeps the device contract`, () => {
    for (const [name, check] of deviceCases(type, config, disturb, options)) it(name, () => check());
  });
}
