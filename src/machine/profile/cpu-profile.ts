// The .cpuprofile format, as V8 writes it and viewers read it: Chrome DevTools Protocol, domain Profiler, type Profile. A host's profile
// of a machine's thread comes in it, and the guest's profile goes out in it.

/** What ran; line and column are counted from 0, -1 for none. */
export interface CallFrame {
  readonly functionName: string;
  readonly scriptId: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** A call frame in the place where it was called from. */
export interface ProfileNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  /** Samples in which nothing further was called. */
  readonly hitCount?: number | undefined;
  /** Ids of what it called. */
  readonly children?: readonly number[] | undefined;
}

/** A profile; the first node is the root. Times are microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  readonly endTime: number;
  /** Id of the innermost node at each sample. */
  readonly samples: readonly number[];
  /** Time from the sample before, or from the start. */
  readonly timeDeltas: readonly number[];
}

/** A frame that is not in a file. */
export function frameNamed(functionName: string, url = ""): CallFrame {
  return { functionName, scriptId: "0", url, lineNumber: -1, columnNumber: -1 };
}

/** Identity of a frame among the callees of one node. */
const keyOf = (f: CallFrame): string => `${f.functionName}\n${f.scriptId}\n${f.url}\n${f.lineNumber}\n${f.columnNumber}`;

interface Branch {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly children: number[];
  readonly byFrame: Map<string, number>;
  hits: number;
}

/** A tree of call frames under construction. Node 1 is the root. */
export class CallTree {
  readonly root = 1;
  readonly #branches: Branch[] = [];

  constructor() {
    this.#add(frameNamed("(root)"));
  }

  /** The node of a callee, new or known. */
  child(parent: number, frame: CallFrame): number {
    const branch = this.#at(parent);
    const key = keyOf(frame);
    const known = branch.byFrame.get(key);
    if (known !== undefined) return known;
    const id = this.#add(frame);
    branch.byFrame.set(key, id);
    branch.children.push(id);
    return id;
  }

  /** The node at the end of a way of callees. */
  path(from: number, frames: readonly CallFrame[]): number {
    return frames.reduce((node, frame) => this.child(node, frame), from);
  }

  /** Counts a sample. */
  hit(node: number): void {
    this.#at(node).hits++;
  }

  /** All nodes, the root first. */
  get nodes(): ProfileNode[] {
    return this.#branches.map(({ id, callFrame, hits, children }) => ({ id, callFrame, hitCount: hits, children }));
  }

  #at(id: number): Branch {
    return this.#branches[id - 1]!;
  }

  #add(callFrame: CallFrame): number {
    const id = this.#branches.length + 1;
    this.#branches.push({ id, callFrame, children: [], byFrame: new Map(), hits: 0 });
    return id;
  }
}
