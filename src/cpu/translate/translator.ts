// From hot code to WebAssembly: follows it, builds its routine, and emits one module for all that is asked for together.
import { joined } from "../../support/bytes.ts";
import { Code } from "../../wasm/code.ts";
import { Decoder, STATUS } from "../decode/decoder.ts";
import type { ProgramGenerator } from "../engine/generator.ts";
import { INTERNAL, INTERNAL_HANDLERS, RECORD } from "../engine/layout.ts";
import { placeOf } from "../engine/place.ts";
import type { EnginePlan } from "../engine/plan.ts";
import { entryKey, hostIn, isTranslatable, type PlacedRegion, type RegionShape, SEEN } from "../engine/region-shape.ts";
import type { RegionRequest, TranslatedBatch } from "../engine/translation.ts";
import type { Handler } from "../isa/handlers.ts";
import { MODE } from "../state.ts";
import { discover, type RegionGraph } from "./graph.ts";
import type { GuestInstruction } from "./guest-instruction.ts";
import { HotPlaces, MemorySource } from "./memory-source.ts";
import { kernelParameters, NO_PARAMETERS, type RegionParameters, withoutParameters } from "./parameters.ts";
import { buildRegion, type RegionBody, SIDE_SIZE } from "./region.ts";
import { RegionLibrary } from "./region-library.ts";
import { bodyOf } from "./region-body.ts";
import { moduleOf } from "./region-module.ts";
import type { CodeSource } from "./source.ts";

/** Bytes that the code of most regions finds room in. */
const REGION_BYTES = 0x2000;

/** Places that are remembered for how large their regions are. */
const MOST_SIZES = 0x1_0000;

/** The code of a region. */
interface FoundRegion {
  readonly source: CodeSource;
  readonly graph: RegionGraph;
}

/** A region before its function is emitted. */
interface Draft {
  readonly placed: PlacedRegion;
  readonly region: RegionBody;
}

/** A region with its function's body. */
interface MadeRegion extends PlacedRegion {
  readonly id: number;
  readonly body: Uint8Array;
}

/** How to translate. */
export interface TranslationOptions {
  /** Places where regions may be entered beside where they begin. */
  readonly places?: HotPlaces;
  readonly compile?: (bytes: Uint8Array) => WebAssembly.Module;
  /** Guest instructions, and milliseconds, after which the requests that follow are left. */
  readonly most?: number;
  readonly mostMs?: number;
}

/** What there is beside a region that is to be made. */
export interface Surroundings {
  readonly places: HotPlaces;
  /** Places where regions can be entered that have just been made. */
  readonly entries: Set<number>;
}

/** Translates the code of one machine's memory. */
export class RegionTranslator {
  readonly library: RegionLibrary;
  readonly #handlers: readonly Handler[];
  readonly #plan: EnginePlan;
  readonly #decoder: Decoder;
  /** Instructions of the regions made so far, by the places where they may be entered. */
  readonly #sizes = new Map<number, number>();
  /** The same of wide regions, by the places where they begin; 0 where another one was made since. */
  readonly #wide = new Map<number, number>();
  /** Where indirect branches led, by their host addresses. */
  readonly #targets = new Map<number, readonly number[]>();
  /** Room for the code of the region that is being emitted. */
  readonly #code = new Code(REGION_BYTES);

  /** @param library where the regions go, beside those that have been kept */
  constructor(generator: Pick<ProgramGenerator, "set" | "plan">, library: RegionLibrary = new RegionLibrary()) {
    this.library = library;
    this.#handlers = generator.set.handlers;
    this.#plan = generator.plan;
    this.#decoder = new Decoder(generator.plan.tables);
  }

  /** One module with all requested regions that can be made; undefined when there are none. */
  translate(
    buffer: ArrayBuffer | SharedArrayBuffer,
    base: number,
    requests: readonly RegionRequest[],
    {
      places = new HotPlaces([]),
      compile = (bytes) => new WebAssembly.Module(bytes),
      most = Infinity,
      mostMs = Infinity,
    }: TranslationOptions = {},
  ): TranslatedBatch | undefined {
    const start = performance.now();
    const surroundings: Surroundings = { places, entries: new Set() };
    const regions: MadeRegion[] = [];
    let next = 0;
    for (let made = 0; next < requests.length && made < most; next++) {
      if (made > 0 && performance.now() - start > mostMs) break;
      const found = this.#find(buffer, base, requests[next]!, surroundings);
      if (!found) continue;
      // What is small and hot does not wait for what is large.
      if (made > 0 && made + sizeOf(found.graph) > most) break;
      const region = this.#make(found, surroundings);
      regions.push(region);
      made += region.shape.instructions;
    }
    if (regions.length === 0) return undefined;
    const bytes = moduleOf(this.library.imports, regions);
    const emitted = performance.now();
    const module = compile(bytes);
    const end = performance.now();
    return {
      module,
      regions: regions.map(({ shape, hosts, id }) => ({ shape, hosts, id })),
      dealt: next,
      ms: end - start,
      compileMs: end - emitted,
    };
  }

  /** A requested region with its function's body, which goes into the library. Undefined when it cannot be made, or can be entered by now. */
  prepare(
    buffer: ArrayBuffer | SharedArrayBuffer,
    base: number,
    request: RegionRequest,
    surroundings: Surroundings,
  ): MadeRegion | undefined {
    const found = this.#find(buffer, base, request, surroundings);
    return found && this.#make(found, surroundings);
  }

  #find(
    buffer: ArrayBuffer | SharedArrayBuffer,
    base: number,
    request: RegionRequest,
    { places, entries }: Surroundings,
  ): FoundRegion | undefined {
    const { host, mode } = request;
    if (!isTranslatable(mode) || entries.has(placeOf(host, mode))) return undefined;
    if (this.#targets.size >= MOST_SIZES) this.#targets.clear();
    const source = new MemorySource(buffer, base, request, places, { entries, sizes: this.#sizes, targets: this.#targets });
    const graph = this.#discover(source, host);
    // What was made there last holds as much, and is optimized by now.
    if (!graph || (request.isWide && this.#wide.get(placeOf(host, mode)) === sizeOf(graph))) return undefined;
    return { source, graph };
  }

  #make({ source, graph }: FoundRegion, { entries }: Surroundings): MadeRegion {
    const { placed, region } = this.#draft(source, graph);
    const { shape, hosts } = placed;
    const body = bodyOf(region, this.library.imports, this.#code);
    const at = shape.entries.map((delta) => placeOf(hostIn({ pages: shape.pages, hosts }, delta), shape.mode));
    if (this.#wide.size >= MOST_SIZES) this.#wide.clear();
    this.#wide.set(at[0]!, shape.isWide ? shape.instructions : 0);
    for (const place of at) {
      entries.add(place);
      if (!this.#sizes.has(place) && this.#sizes.size < MOST_SIZES) this.#sizes.set(place, shape.instructions);
    }
    return { shape, hosts, body, id: this.library.add(shape, body) };
  }

  /** The region that begins at a host address in the source's origin page. */
  draft(source: CodeSource, host: number): Draft | undefined {
    const graph = this.#discover(source, host);
    return graph && this.#draft(source, graph);
  }

  #discover(source: CodeSource, host: number): RegionGraph | undefined {
    return discover(source, this.#decoder, (d) => this.#handlers[d.handler - INTERNAL_HANDLERS]!, host & 0xfff);
  }

  #draft(source: CodeSource, graph: RegionGraph): Draft {
    const parameters = source.isKernel ? kernelParameters(graph, (i) => bytesAt(source, i.host, i.length)) : NO_PARAMETERS;
    const region = buildRegion(graph, source.mode & MODE.long ? "long" : "legacy", source, parameters);
    return { region, placed: this.#placed(source, graph, region, parameters) };
  }

  #placed(source: CodeSource, graph: RegionGraph, region: RegionBody, parameters: RegionParameters): PlacedRegion {
    const hosts = graph.pages.map(({ host }) => host);
    const pages = graph.pages.map((page) => page.pages);
    const hostOf = (delta: number): number => hostIn({ pages, hosts }, delta);
    const entries = graph.entries.map((n) => graph.blocks[n]!.instructions[0]!.delta);
    const mapAt = SEEN.size + parameters.size;
    const calledAt = mapAt + region.map.length;
    const recordOf = new Map(region.called.map((i, n) => [i, calledAt + n * SIDE_SIZE]));
    const described = parameters.describe(graph.ranges, SEEN.size, recordOf);
    const records = new Uint8Array(calledAt + region.called.length * SIDE_SIZE);
    records.set(region.map, mapAt);
    records.set(recordsOf(region.called), calledAt);
    const bytes = joined(graph.ranges.map(({ delta, length }) => bytesAt(source, hostOf(delta), length)));
    const shape: RegionShape = {
      mode: source.mode,
      entries,
      keys: entries.map((delta) => this.#keyOf(source, hostOf(delta))),
      pages,
      ranges: graph.ranges,
      bytes: withoutParameters(bytes, described),
      parameters: described,
      records,
      instructions: sizeOf(graph),
      isWide: graph.isWide,
      isOpen: graph.isOpen,
    };
    return { shape, hosts };
  }

  #keyOf(source: CodeSource, host: number): number {
    const page = source.page(host - (host & 0xfff));
    return entryKey(
      host & 0xfff,
      source.mode,
      (handler) => this.#plan.endsBlock(handler),
      (_, offset) => {
        const status = this.#decoder.decode(page, offset, 0x1000, source.mode);
        return status === STATUS.ok ? this.#decoder.handler | (this.#decoder.length << 16) : -1;
      },
    );
  }
}

const sizeOf = ({ blocks }: RegionGraph): number => blocks.reduce((n, b) => n + b.instructions.length, 0);

/** A view of some bytes in one page, as the source shows it. */
function bytesAt(source: CodeSource, host: number, length: number): Uint8Array {
  const offset = host & 0xfff;
  return source.page(host - offset).subarray(offset, offset + length);
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
