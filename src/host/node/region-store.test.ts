// Files of regions: whole and the user's own, or none.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileRegionStore, makeRoom, pathOf } from "./region-store.ts";

const CONTENT = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
const HAS_MODES = process.getuid !== undefined;

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "nido-regions-")), "regions");
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true, force: true }));

const place = (name = "kernel"): { folder: string; name: string } => ({ folder, name });

async function saved(): Promise<string> {
  await new FileRegionStore(place()).save(CONTENT);
  return pathOf(place());
}

const loaded = (): Promise<Uint8Array | undefined> => new FileRegionStore(place()).load();
const bytes = (content: Uint8Array | undefined): number[] | undefined => content && [...content];

describe("a file of regions", () => {
  it("gives back what was saved", async () => {
    expect(await loaded()).toBeUndefined();
    await saved();
    expect(bytes(await loaded())).toEqual([...CONTENT]);
  });

  it("replaces what was there, and leaves nothing else behind", async () => {
    await Promise.all([saved(), saved(), saved()]);
    await new FileRegionStore(place()).save(Uint8Array.of(1));
    expect(bytes(await loaded())).toEqual([1]);
    expect(readdirSync(folder)).toEqual(["kernel.regions"]);
  });

  it.runIf(HAS_MODES)("can be read by nobody else", async () => {
    const path = await saved();
    expect([statSync(path).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  it.each<[string, (whole: Uint8Array) => Uint8Array]>([
    ["empty", () => new Uint8Array(0)],
    ["cut in its header", (whole) => whole.subarray(0, 40)],
    ["cut", (whole) => whole.subarray(0, -1)],
    ["longer", (whole) => Uint8Array.of(...whole, 0)],
    ["of another version", (whole) => whole.with(8, 99)],
    ["no such file", (whole) => whole.with(0, 0)],
    ["changed in its hash", (whole) => whole.with(20, whole[20]! ^ 1)],
    ["changed in its content", (whole) => whole.with(500, whole[500]! ^ 1)],
  ])("is none when it is %s", async (_what, change) => {
    const path = await saved();
    writeFileSync(path, change(new Uint8Array(readFileSync(path))));
    expect(await loaded()).toBeUndefined();
  });

  it.runIf(HAS_MODES).each([0o620, 0o602, 0o666])("is none when others may write to it (mode %o)", async (mode) => {
    chmodSync(await saved(), mode);
    expect(await loaded()).toBeUndefined();
  });

  it.runIf(HAS_MODES)("is neither read nor written where others may write to the folder", async () => {
    const path = await saved();
    chmodSync(folder, 0o777);
    expect(await loaded()).toBeUndefined();
    rmSync(path);
    await new FileRegionStore(place()).save(CONTENT);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.runIf(HAS_MODES)("is none when it is a link or a folder", async () => {
    const path = await saved();
    writeFileSync(join(folder, "elsewhere"), readFileSync(path), { mode: 0o600 });
    rmSync(path);
    symlinkSync(join(folder, "elsewhere"), path);
    expect(await loaded()).toBeUndefined();
    rmSync(path);
    mkdirSync(path);
    expect(await loaded()).toBeUndefined();
    await expect(saved()).rejects.toThrow(/directory/i);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("the folder of regions", () => {
  const put = (name: string, size: number, usedAt: number): void => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, name), new Uint8Array(size));
    utimesSync(join(folder, name), usedAt, usedAt);
  };

  it("keeps to its size: what was used least lately goes", async () => {
    put("a.regions", 400, 100);
    put("b.regions", 400, 300);
    put("c.regions", 400, 200);
    await makeRoom(folder, 900);
    expect(readdirSync(folder).sort()).toEqual(["b.regions", "c.regions"]);
  });

  it("is rid of files that nobody has finished, and of no others", async () => {
    put("a.1.tmp", 10, 100);
    put("b.2.tmp", 10, Date.now() / 1000);
    put("notes", 5000, 100);
    await makeRoom(folder, 900);
    expect(readdirSync(folder).sort()).toEqual(["b.2.tmp", "notes"]);
  });

  it("counts reading as use", async () => {
    const path = await saved();
    utimesSync(path, 100, 100);
    await loaded();
    expect(statSync(path).mtimeMs).toBeGreaterThan(1e6);
  });
});
