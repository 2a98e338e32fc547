// What every disk format must do, as one suite: a format's test calls it with a way to make a fresh, writable disk of that format.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VmError } from "../support/errors.ts";
import type { Disk } from "./disk.ts";

/** Sectors of the disk that a contract run works on. */
export const CONTRACT_SECTORS = 256;

/** Makes a fresh disk of CONTRACT_SECTORS zeroed sectors, and opens the same image again. */
export interface DiskUnderTest {
  readonly disk: Disk;
  reopen(writable: boolean): Promise<Disk>;
}

type Step = { readonly kind: "write" | "trim" | "zero"; readonly sector: number; readonly count: number; readonly fill: number };

const STEP: fc.Arbitrary<Step> = fc
  .record({
    kind: fc.constantFrom("write", "write", "trim", "zero"),
    sector: fc.nat(CONTRACT_SECTORS - 1),
    count: fc.integer({ min: 1, max: 40 }),
    fill: fc.integer({ min: 1, max: 255 }),
  })
  .map((step) => ({ ...step, kind: step.kind as Step["kind"], count: Math.min(step.count, CONTRACT_SECTORS - step.sector) }));

/** Registers the suite for one format. */
export function diskContract(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(`disk contract: ${name}`, () => {
    it("reads back what any sequence of writes, trims and zeroings left, also after opening it again", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(STEP, { maxLength: 12 }), async (steps) => {
          const { disk, reopen } = await make();
          const model = new Model(disk);
          for (const step of steps) await model.apply(step);
          await model.check(disk);
          await disk.flush();
          await model.check(await reopen(false));
        }),
        { numRuns: 40 },
      );
    });

    it("refuses every range that is not within the disk, and changes nothing", async () => {
      const { disk } = await make();
      const ranges: readonly [number, number][] = [
        [CONTRACT_SECTORS, 1],
        [CONTRACT_SECTORS - 1, 2],
        [-1, 1],
        [2 ** 53, 1],
        [0, CONTRACT_SECTORS + 1],
        [0.5, 1],
      ];
      for (const [sector, count] of ranges) {
        const buffer = new Uint8Array(count * disk.sectorSize).fill(7);
        await expectCode(disk.read(sector, buffer), "DISK_OUT_OF_RANGE");
        await expectCode(disk.write(sector, buffer), "DISK_OUT_OF_RANGE");
        if (disk.zero) await expectCode(disk.zero(sector, count), "DISK_OUT_OF_RANGE");
        if (disk.trim) await expectCode(disk.trim(sector, count), "DISK_OUT_OF_RANGE");
      }
      await new Model(disk).check(disk);
    });

    it("refuses buffers that are not whole sectors", async () => {
      const { disk } = await make();
      await expectCode(disk.read(0, new Uint8Array(disk.sectorSize - 1)), "DISK_OUT_OF_RANGE");
      await expectCode(disk.write(0, new Uint8Array(disk.sectorSize + 1)), "DISK_OUT_OF_RANGE");
    });

    it("refuses changes when opened read-only, and says so", async () => {
      const disk = await (await make()).reopen(false);
      expect(disk.readOnly).toBe(true);
      await expectCode(disk.write(0, new Uint8Array(disk.sectorSize)), "DISK_READ_ONLY");
      if (disk.zero) await expectCode(disk.zero(0, 1), "DISK_READ_ONLY");
      if (disk.trim) await expectCode(disk.trim(0, 1), "DISK_READ_ONLY");
      await disk.flush();
    });

    it("keeps concurrent requests apart", async () => {
      const { disk } = await make();
      const sector = (n: number): Uint8Array => new Uint8Array(disk.sectorSize).fill(n);
      await Promise.all(Array.from({ length: 32 }, (_, n) => disk.write(n * 7, sector(n + 1))));
      const read = await Promise.all(
        Array.from({ length: 32 }, async (_, n) => {
          const into = sector(0);
          await disk.read(n * 7, into);
          return into;
        }),
      );
      read.forEach((bytes, n) => expect(bytes).toEqual(sector(n + 1)));
    });
  });
}

/** What the disk should hold; -1 where a trim left the content open. */
class Model {
  readonly #disk: Disk;
  readonly #fills: number[] = Array.from({ length: CONTRACT_SECTORS }, () => 0);

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async apply({ kind, sector, count, fill }: Step): Promise<void> {
    if (kind === "write") await this.#disk.write(sector, new Uint8Array(count * this.#disk.sectorSize).fill(fill), { fua: fill % 2 === 0 });
    else if (kind === "trim") await this.#disk.trim?.(sector, count);
    else await this.#disk.zero?.(sector, count, { unmap: fill % 2 === 0 });
    if (kind === "write" || this.#disk[kind] !== undefined)
      this.#fills.fill(kind === "write" ? fill : kind === "zero" ? 0 : -1, sector, sector + count);
  }

  async check(disk: Disk): Promise<void> {
    expect(disk.sectors).toBe(CONTRACT_SECTORS);
    const all = new Uint8Array(CONTRACT_SECTORS * disk.sectorSize);
    await disk.read(0, all);
    const wrong = this.#fills.findIndex(
      (fill, n) => fill >= 0 && all.subarray(n * disk.sectorSize, (n + 1) * disk.sectorSize).some((byte) => byte !== fill),
    );
    expect(wrong, "first sector that differs").toBe(-1);
  }
}

async function expectCode(promise: Promise<void>, code: VmError["code"]): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(VmError.is(error, code), `expected ${code}, got ${String(error)}`).toBe(true);
}
