// What the far end of a translator's thread does with what earlier starts have left.
import { describe, expect, it } from "vitest";
import { type FromTranslator, RemoteTranslator } from "../engine/remote-translator.ts";
import { SEEN } from "../engine/region-shape.ts";
import type { RegionRequest, TranslatorClient } from "../engine/translation.ts";
import { MODE } from "../state.ts";
import { packArchive, type RegionArchive } from "./region-archive.ts";
import { type RegionStore, TranslatorService } from "./service.ts";

/** `i32.const 0`, `local.get 2`: a function body that any region may have. */
const BODY = Uint8Array.of(0, 0x41, 0, 0x20, 2, 0x0b);

const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

const archiveOf = (...bodies: readonly Uint8Array[]): RegionArchive => ({
  imports: [],
  regions: bodies.map((body, n) => ({
    shape: {
      mode: MODE.long,
      entries: [n],
      keys: [n],
      pages: [0],
      ranges: [{ delta: n, length: 1 }],
      bytes: Uint8Array.of(0x90),
      parameters: [],
      records: new Uint8Array(SEEN.size),
      instructions: 1,
      isWide: false,
      isOpen: false,
    },
    body,
    age: 0,
  })),
});

/** A service over a store; the messages that it sends. */
async function served(store: RegionStore): Promise<{ readonly service: TranslatorService; readonly sent: FromTranslator[] }> {
  const sent: FromTranslator[] = [];
  const tasks: (() => void)[] = [];
  const service = new TranslatorService({
    post: (message) => void sent.push(message),
    compile: (bytes) => new WebAssembly.Module(bytes),
    soon: (task) => void tasks.push(task),
    store,
  });
  await settled();
  for (let task = tasks.shift(); task; task = tasks.shift()) task();
  return { service, sent };
}

/** Lets promises that can settle do so. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

const storeOf = (bytes: Uint8Array | undefined): RegionStore & { readonly saved: Uint8Array[] } => {
  const saved: Uint8Array[] = [];
  return {
    saved,
    load: async () => bytes,
    save: async (content) => void saved.push(content),
  };
};

describe("a translator's thread at its start", () => {
  it("announces what was kept, and compiles it in its order, few regions first", async () => {
    const { sent } = await served(storeOf(packArchive(archiveOf(...Array.from({ length: 100 }, () => BODY)))));
    const [first, ...others] = sent;
    expect(first?.type === "announced" && first.regions.length).toBe(100);
    const batches = others.map((message) => (message.type === "compiled" ? message.regions.ids : []));
    expect(batches.flat()).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(batches[0]).toEqual([0, 1, 2, 3]);
  });

  it.each<[string, RegionStore]>([
    ["is nothing", storeOf(undefined)],
    ["is no archive", storeOf(Uint8Array.of(1, 2, 3))],
    ["cannot be read", { load: () => Promise.reject(new Error("no")), save: async () => {} }],
  ])("says nothing when there %s", async (_what, store) => {
    expect((await served(store)).sent).toEqual([]);
  });

  it("leaves out what cannot be compiled", async () => {
    const { sent } = await served(storeOf(packArchive(archiveOf(Uint8Array.of(0, 0xff, 0x0b), BODY, BODY, BODY, BODY))));
    expect(sent.map((message) => (message.type === "compiled" ? message.regions.ids : message.type))).toEqual(["announced", [4]]);
  });
});

describe("a translator's thread that is to keep its regions", () => {
  it("answers without writing when nothing is new", async () => {
    const store = storeOf(packArchive(archiveOf(BODY)));
    const { service, sent } = await served(store);
    service.receive({ type: "keep", used: [0], missed: [], hot: new Float64Array(0) });
    await settled();
    expect([store.saved, sent.at(-1)]).toEqual([[], { type: "kept" }]);
  });
});

describe("the near end of a translator's thread", () => {
  const client = { failed: () => {}, hotPlaces: () => new Float64Array(0) } as unknown as TranslatorClient;

  it("asks again for what the thread has left", () => {
    const [one, other] = [1, 2].map((host): RegionRequest => ({ host, mode: MODE.long, linearPage: 0n, view: 0, isWide: false }));
    const asked: (readonly RegionRequest[])[] = [];
    const done: RegionRequest[] = [];
    const busy = {
      ...client,
      isIdle: () => false,
      heatOf: () => 1,
      accept: () => {},
      missed: () => {},
      done: (requests: readonly RegionRequest[]) => void done.push(...requests),
    };
    const remote = new RemoteTranslator(busy, (message) => void (message.type === "translate" && asked.push(message.requests)));
    remote.request([one!, other!]);
    const batch = { module: new WebAssembly.Module(EMPTY_MODULE), regions: [], dealt: 1, ms: 1, compileMs: 1 };
    remote.receive({ type: "translated", requests: [one!, other!], batch });
    expect([asked, done]).toEqual([[[one, other], [other]], [one]]);
  });

  it("has kept when the thread says so, and when the thread is gone", async () => {
    const asked: string[] = [];
    const remote = new RemoteTranslator(client, ({ type }) => void asked.push(type));
    const kept = remote.keep([], []);
    remote.receive({ type: "kept" });
    await kept;
    const lost = remote.keep([], []);
    remote.failed(new Error("gone"));
    await lost;
    await remote.keep([], []);
    // Who is gone is not asked.
    expect(asked).toEqual(["open", "keep", "keep"]);
  });
});
