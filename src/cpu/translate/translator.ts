// From hot code to WebAssembly: follows it, builds its routine, and emits one module for all that is asked for together.
import { Code } from "../../wasm/code.ts";
import { ModuleBuilder } from "../../wasm/module-builder.ts";
import { Decoder } from "../decode/decoder.ts";
import type { ProgramGenerator } from "../engine/generator.ts";
import { REGION_TYPE } from "../engine/interpreter-module.ts";
import { INTERNAL, INTERNAL_HANDLERS, RECORD } from "../engine/layout.ts";
import { placeOf } from "../engine/place.ts";
import type { RegionPlan } from "../engine/region-cache.ts";
import type { RegionRequest, TranslatedBatch } from "../engine/translation.ts";
import { emit, LocalPool } from "../ir/emit.ts";
import type { Callee } from "../ir/types.ts";
import type { Handler } from "../isa/handlers.ts";
import { MODE } from "../state.ts";
import { type Block, discover, type RegionGraph } from "./graph.ts";
import type { GuestInstruction } from "./guest-instruction.ts";
import { HotPlaces, MemorySource } from "./memory-source.ts";
import { buildRegion, joined, type RegionBody } from "./region.ts";
import { isTranslatable } from "./region-sem.ts";
import type { CodeSource } from "./source.ts";

/** Bytes that the code of most regions finds room in. */
const REGION_BYTES = 0x2000;

/** A region before it goes into a module. */
interface Draft {
  readonly plan: RegionPlan;
  readonly region: RegionBody;
}

/** How to translate. */
export interface TranslationOptions {
  /** Places where regions may be entered beside where they begin, as numbers (engine/place.ts). */
  readonly hot?: Iterable<number>;
  readonly compile?: (bytes: Uint8Array) => WebAssembly.Module;
}

/** Translates the code of one machine's memory. */
export class RegionTranslator {
  readonly #handlers: readonly Handler[];
  readonly #decoder: Decoder;

  constructor(generator: Pick<ProgramGenerator, "set" | "plan">) {
    this.#handlers = generator.set.handlers;
    this.#decoder = new Decoder(generator.plan.tables);
  }

  /** One module with all requested regions that can be made; undefined when there are none. */
  translate(
    buffer: ArrayBuffer | SharedArrayBuffer,
    base: number,
    requests: readonly RegionRequest[],
    { hot = [], compile = (bytes) => new WebAssembly.Module(bytes) }: TranslationOptions = {},
  ): TranslatedBatch | undefined {
    const places = new HotPlaces(hot);
    const start = performance.now();
    const regions = new RegionModule();
    const covered = new Set<number>();
    for (const r of requests) {
      if (!isTranslatable(r.mode) || covered.has(placeOf(r.host, r.mode))) continue;
      const draft = this.draft(new MemorySource(buffer, base, r, places), r.host);
      if (!draft) continue;
      regions.add(draft);
      for (const { host } of draft.plan.entries) covered.add(placeOf(host, r.mode));
    }
    if (regions.plans.length === 0) return undefined;
    const bytes = regions.finish();
    const emitted = performance.now();
    const module = compile(bytes);
    const end = performance.now();
    return { module, regions: regions.plans, ms: end - start, compileMs: end - emitted };
  }

  /** The region that begins at a host address in the source's origin page. */
  draft(source: CodeSource, host: number): Draft | undefined {
    const graph = discover(source, this.#decoder, (d) => this.#handlers[d.handler - INTERNAL_HANDLERS]!, host & 0xfff);
    if (!graph) return undefined;
    const region = buildRegion(graph, source.mode & MODE.long ? "long" : "legacy");
    return { region, plan: planOf(source, host, graph, region) };
  }
}

function planOf(source: CodeSource, host: number, graph: RegionGraph, region: RegionBody): RegionPlan {
  const bytes = new Uint8Array(graph.ranges.reduce((n, r) => n + r.length, 0));
  let at = 0;
  for (const r of graph.ranges) {
    const offset = r.host & 0xfff;
    bytes.set(source.page(r.host - offset).subarray(offset, offset + r.length), at);
    at += r.length;
  }
  return {
    mode: source.mode,
    name: `region ${host.toString(16)}`,
    entries: graph.entries.map((n) => entryOf(graph.blocks[n]!)),
    ranges: graph.ranges,
    bytes,
    records: joined(region.map, recordsOf(region.called)),
    instructions: graph.blocks.reduce((n, b) => n + b.instructions.length, 0),
  };
}

function entryOf({ delta, instructions }: Block): RegionPlan["entries"][number] {
  return { host: instructions[0]!.host, page: delta & ~0xfff };
}

/** The records of called instructions, each followed by one that goes on behind it. */
function recordsOf(called: readonly GuestInstruction[]): Uint8Array {
  const bytes = new Uint8Array(called.length * 2 * RECORD.size);
  const view = new DataView(bytes.buffer);
  called.forEach((i, n) => {
    const r = n * 2 * RECORD.size;
    const offset = i.delta & 0xfff;
    view.setUint16(r + RECORD.cold, i.handler.id, true);
    bytes[r + RECORD.len] = i.length;
    view.setUint16(r + RECORD.offset, offset, true);
    view.setUint16(r + RECORD.n, 1, true);
    bytes.set(i.fields, r + RECORD.a);
    bytes[r + RECORD.base] = i.base;
    bytes[r + RECORD.index] = i.index;
    bytes[r + RECORD.scale] = i.scale;
    bytes[r + RECORD.seg] = i.seg;
    bytes[r + RECORD.flags] = (i.addressBits === 32 ? 1 : i.addressBits === 16 ? 2 : 0) | (i.segment << 2);
    view.setInt32(r + RECORD.disp, i.ripRelative ? i.displacement + offset + i.length : i.displacement, true);
    view.setBigInt64(r + RECORD.imm, i.relative ? BigInt(i.target - i.delta + offset) : i.immediate, true);
    const behind = r + RECORD.size;
    view.setUint16(behind + RECORD.cold, INTERNAL.end, true);
    view.setUint16(behind + RECORD.offset, offset + i.length, true);
    view.setUint16(behind + RECORD.n, 1, true);
  });
  return bytes;
}

/** A module that exports the regions' functions as `0`, `1`, … Each is emitted as it comes, so that no more than one is in memory whole. */
class RegionModule {
  readonly plans: RegionPlan[] = [];
  readonly #module = new ModuleBuilder();
  readonly #imports = new Map<string, number>();
  readonly #emitted: { readonly code: Code; readonly locals: LocalPool["types"] }[] = [];
  readonly #code = new Code(REGION_BYTES);

  constructor() {
    this.#module.importMemory("env", "memory", 1, 65536, true);
  }

  add({ region: { body, results }, plan }: Draft): void {
    this.plans.push(plan);
    const locals = new LocalPool(body.signature.params.length);
    emit(body, { code: this.#code, locals, params: [0, 1, 2], resolve: (c) => this.#import(c) });
    for (const v of results) this.#code.localGet(v.index);
    this.#emitted.push({ code: this.#code.take(), locals: locals.types });
  }

  /** The module's bytes. */
  finish(): Uint8Array {
    const m = this.#module;
    this.#emitted.forEach(({ code, locals }, n) => {
      const index = m.declare();
      m.define(index, REGION_TYPE, locals, code);
      m.exportFunction(String(n), index);
      m.nameFunction(index, this.plans[n]!.name);
    });
    return m.finish();
  }

  /** Functions are imported as they are met: code knows its callees by number. */
  #import(callee: Callee): number {
    const known = this.#imports.get(callee.name);
    if (known !== undefined) return known;
    const index = this.#module.importFunction("env", callee.name, { params: callee.params, result: callee.result });
    this.#imports.set(callee.name, index);
    return index;
  }
}

/** A module of these regions. */
export function moduleOf(drafts: readonly Draft[]): Uint8Array {
  const regions = new RegionModule();
  for (const draft of drafts) regions.add(draft);
  return regions.finish();
}
