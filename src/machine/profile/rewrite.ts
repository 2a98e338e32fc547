// From a host's profile of a machine's thread to the guest's: functions of regions become guest functions, the interpreter's time is
// given to the places where it was, and the rest is sorted.
//
//   (root) ─┬─ guest user ───┬─ translated ── function ── region ── what the region called
//           ├─ guest kernel ─┴─ interpreted ─ function ── what the interpreter called
//           ├─ devices
//           ├─ host
//           └─ (idle), (program), (garbage collector)
//
// The shapes of what comes in (V8's): a JavaScript frame has a file or node: as its url, a WebAssembly one wasm://; a region's function
// is named as the region, the interpreter's loop `run`, everything else of it as its routine or handler. V8's profiler sometimes does not
// hear of code that was optimized in the background, whose time is then its caller's: so the loop begins where it is called.
//
// The host's profile comes in parts, for the same reason (each begins with a look at all code) and to bound what is held of it.
import type { GuestPlace, ObservedRegion } from "../../cpu/engine/observer.ts";
import { type CallFrame, CallTree, type CpuProfile, frameNamed, type ProfileNode } from "./cpu-profile.ts";
import type { GuestSymbols } from "./guest-symbols.ts";
import type { RunRecorder } from "./recorder.ts";

/** Frames that viewers look for right below the root. */
const SPECIAL: ReadonlySet<string> = new Set(["(program)", "(idle)", "(garbage collector)"]);
/** Calls from guest code to devices, by the names of the functions that generated code imports (cpu/host-calls.ts). */
const DEVICE_CALLS: ReadonlySet<string> = new Set(["portRead", "portWrite", "mmioRead", "mmioWrite"]);
const DEVICE_FILE = /\/(?:src|dist)\/(?:devices|disk|net)\//;
/** What V8 puts between JavaScript and WebAssembly. */
const GLUE = /^(?:wasm-to-js|js-to-wasm)\b/;
const LOOP = "run";
const LOOP_CALLER = /\/cpu\/engine\/executor\.[jt]s$/;
/** How far a place of the interpreter may be from a sample of the host: slices seldom take longer. */
const WITHIN_US = 100_000;
/** Functions of a region that are named beside its own. */
const MOST_OTHERS = 3;

/** Whom the time at a node of the host's profile belongs to, and what was called from there. */
interface Owner {
  readonly kind: "special" | "host" | "devices" | "region" | "interpreter";
  /** The region's function. */
  readonly name: string;
  readonly frames: readonly CallFrame[];
}

const INTERPRETER: Owner = { kind: "interpreter", name: "", frames: [] };

const isWasm = ({ url }: CallFrame): boolean => url.startsWith("wasm://");

/** The guest's profile under construction. */
export class GuestProfile {
  readonly #recorder: RunRecorder;
  readonly #symbols: GuestSymbols;
  readonly #tree = new CallTree();
  readonly #samples: number[] = [];
  readonly #timeDeltas: number[] = [];
  #startUs: number | undefined;
  /** Time of the last sample. */
  #toldUs = 0;
  #endUs = 0;

  constructor(recorder: RunRecorder, symbols: GuestSymbols) {
    this.#recorder = recorder;
    this.#symbols = symbols;
  }

  /** How many samples it has. */
  get size(): number {
    return this.#samples.length;
  }

  /** Adds a host's profile of the next stretch of time, whose clock is the recorder's. */
  add(host: CpuProfile): void {
    if (this.#startUs === undefined) this.#startUs = this.#toldUs = host.startTime;
    else this.#pause(host.startTime);
    const part = new Part(host, this.#recorder, this.#symbols, this.#tree);
    let now = host.startTime;
    host.samples.forEach((sample, i) => {
      now += host.timeDeltas[i] ?? 0;
      this.#sample(part.nodeFor(sample, now), now);
    });
    this.#endUs = Math.max(this.#toldUs, host.endTime);
  }

  /** The profile of everything that was added. */
  finish(): CpuProfile {
    const [samples, timeDeltas] = [this.#samples, this.#timeDeltas];
    return { nodes: this.#tree.nodes, startTime: this.#startUs ?? 0, endTime: this.#endUs, samples, timeDeltas };
  }

  /** From the end of one part to the beginning of the next the host was busy with profiling. */
  #pause(untilUs: number): void {
    const node = this.#tree.path(this.#tree.root, [frameNamed("host"), frameNamed("profiler")]);
    this.#sample(node, this.#endUs);
    this.#sample(node, untilUs);
  }

  #sample(node: number, atUs: number): void {
    this.#tree.hit(node);
    this.#samples.push(node);
    // V8's clock may seem to go back between samples; viewers want times in order.
    this.#timeDeltas.push(Math.max(0, atUs - this.#toldUs));
    this.#toldUs = Math.max(this.#toldUs, atUs);
  }
}

/** One host's profile on its way into the guest's. */
class Part {
  readonly #host: CpuProfile;
  readonly #recorder: RunRecorder;
  readonly #symbols: GuestSymbols;
  readonly #tree: CallTree;
  readonly #owners = new Map<number, Owner>();
  /** Nodes of the new tree by those of the host's, where time plays no part. */
  readonly #fixed = new Map<number, number>();

  constructor(host: CpuProfile, recorder: RunRecorder, symbols: GuestSymbols, tree: CallTree) {
    this.#host = host;
    this.#recorder = recorder;
    this.#symbols = symbols;
    this.#tree = tree;
    this.#sort();
  }

  /** Finds the owner of every node of the host's profile. */
  #sort(): void {
    const byId = new Map(this.#host.nodes.map((node) => [node.id, node]));
    const [root] = this.#host.nodes;
    const ways: { readonly node: ProfileNode; readonly above: Owner }[] = [];
    const enter = (node: ProfileNode, above: Owner): void => {
      for (const id of node.children ?? []) {
        const child = byId.get(id);
        // Each node once, whatever the ids say.
        if (child !== undefined && !this.#owners.has(id)) ways.push({ node: child, above });
      }
    };
    const nothing: Owner = { kind: "host", name: "", frames: [] };
    if (root !== undefined) enter(root, nothing);
    for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
      const owner = this.#owner(way.above, way.node.callFrame);
      this.#owners.set(way.node.id, owner);
      enter(way.node, owner);
    }
  }

  #owner(above: Owner, frame: CallFrame): Owner {
    const { functionName } = frame;
    if (SPECIAL.has(functionName) && above.frames.length === 0) return { kind: "special", name: functionName, frames: [frame] };
    if (isWasm(frame) && this.#recorder.regionAt(functionName, 0) !== undefined) return { kind: "region", name: functionName, frames: [] };
    if (functionName === LOOP && above.frames.length === 0 && above.kind === "interpreter") return above;
    if (functionName === LOOP && above.kind === "host" && (isWasm(frame) || LOOP_CALLER.test(frame.url))) return INTERPRETER;
    if (GLUE.test(functionName)) return above;
    const isGuest = above.kind === "region" || above.kind === "interpreter";
    const isDevice = isGuest ? !isWasm(frame) && DEVICE_CALLS.has(functionName) : above.kind === "host" && DEVICE_FILE.test(frame.url);
    if (isDevice) return { kind: "devices", name: "", frames: [frame] };
    return { ...above, frames: [...above.frames, frame] };
  }

  /** The new tree's node for a sample of the host's. */
  nodeFor(sample: number, nowUs: number): number {
    const known = this.#fixed.get(sample);
    if (known !== undefined) return known;
    const owner = this.#owners.get(sample);
    if (owner?.kind === "interpreter") return this.#interpreted(owner, nowUs);
    const node = this.#timeless(owner, nowUs);
    this.#fixed.set(sample, node);
    return node;
  }

  #timeless(owner: Owner | undefined, nowUs: number): number {
    const { root } = this.#tree;
    if (owner === undefined) return this.#tree.child(root, frameNamed("(program)"));
    if (owner.kind === "special") return this.#tree.path(root, owner.frames);
    if (owner.kind !== "region") return this.#tree.path(root, [frameNamed(owner.kind), ...owner.frames]);
    const region = this.#recorder.regionAt(owner.name, nowUs);
    if (region === undefined) return this.#tree.path(root, [frameNamed("host"), ...owner.frames]);
    return this.#tree.path(root, [...this.#above(region, "translated"), this.#regionFrame(region), ...owner.frames]);
  }

  #interpreted({ frames }: Owner, nowUs: number): number {
    const place = this.#recorder.placeAt(nowUs, WITHIN_US);
    const above = place === undefined ? [frameNamed("guest, place unknown"), frameNamed("interpreted")] : this.#above(place, "interpreted");
    return this.#tree.path(this.#tree.root, [...above, ...frames]);
  }

  /** The function at a place, below the guest's half and the tier. */
  #above(place: GuestPlace, tier: "translated" | "interpreted"): CallFrame[] {
    return [frameNamed(place.isUser ? "guest user" : "guest kernel"), frameNamed(tier), this.#functionFrame(place.linear)];
  }

  /** The function at an address; where nothing is known, its page. */
  #functionFrame(linear: bigint): CallFrame {
    const symbol = this.#symbols.find(linear);
    if (symbol === undefined) return frameNamed(`page ${hex(linear & ~0xfffn)}`);
    return frameNamed(symbol.name, symbol.file);
  }

  /** A region: where it begins, and which other functions are part of it. */
  #regionFrame({ linear, parts }: ObservedRegion): CallFrame {
    const own = this.#symbols.find(linear);
    const start = own === undefined ? hex(linear) : own.offset === 0 ? own.name : `${own.name}+${hex(own.offset)}`;
    const others = [...new Set(parts.flatMap(({ linear: from, length }) => this.#functionsIn(from, length)))].filter(
      (n) => n !== own?.name,
    );
    const more = others.length - MOST_OTHERS;
    const listed = others.slice(0, MOST_OTHERS).join(", ") + (more > 0 ? ` and ${more} more` : "");
    return frameNamed(`region ${start}${others.length > 0 ? ` with ${listed}` : ""}`);
  }

  /** Names of the functions in some bytes: regions hold few of them, so that a look at every 16 bytes finds all but the smallest. */
  #functionsIn(from: bigint, length: number): string[] {
    const names: string[] = [];
    for (let at = 0; at < length; at += 16) {
      const name = this.#symbols.find(from + BigInt(at))?.name;
      if (name !== undefined) names.push(name);
    }
    return names;
  }
}

const hex = (address: bigint | number): string => `0x${address.toString(16)}`;
