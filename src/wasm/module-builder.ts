// Assembles a WebAssembly module: types, imports, functions, one table, exports (WebAssembly Core §5.5).
import { assert } from "../support/assert.ts";
import { Code, VALUE_TYPE, type ValueType } from "./code.ts";

/** Types of parameters and, unless there is none, of the result. */
export interface FunctionType {
  readonly params: readonly ValueType[];
  /** One result, or several. */
  readonly result: ValueType | readonly ValueType[] | undefined;
}

interface FunctionBody {
  readonly type: number;
  readonly body: Uint8Array;
}
interface FunctionImport {
  readonly module: string;
  readonly name: string;
  readonly type: number;
}

/** Bytes that small parts find room in. */
const ROOM = 256;

/** A module under construction. The order is: imports, `declare` for every function, `define` for each of them, `finish`. */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeCode: Code[] = [];
  readonly #imports: FunctionImport[] = [];
  readonly #functions: (FunctionBody | undefined)[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  #memory: { module: string; name: string; initial: number; maximum: number; shared: boolean } | undefined;
  #table: readonly number[] | undefined;
  #emptyTable: number | undefined;
  readonly #names = new Map<number, string>();
  readonly #custom: { readonly name: string; readonly bytes: Uint8Array }[] = [];

  /** Index of a function type; equal types share one. */
  type(t: FunctionType): number {
    const results = t.result === undefined ? [] : typeof t.result === "string" ? [t.result] : t.result;
    const key = `${t.params.join()}>${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const c = new Code().byte(0x60).u(t.params.length);
    for (const p of t.params) c.byte(VALUE_TYPE[p]);
    c.u(results.length);
    for (const r of results) c.byte(VALUE_TYPE[r]);
    this.#typeCode.push(c);
    return this.#types.push(key) - 1;
  }

  /** Imports the one memory; sizes are pages of 64 KiB. */
  importMemory(module: string, name: string, initial: number, maximum: number, shared: boolean): void {
    this.#memory = { module, name, initial, maximum, shared };
  }

  /** Imports must all be declared before the first `declare`. */
  importFunction(module: string, name: string, t: FunctionType): number {
    return this.#imports.push({ module, name, type: this.type(t) }) - 1;
  }

  /** Reserves a function index, so that bodies can call one another. */
  declare(): number {
    return this.#imports.length + this.#functions.push(undefined) - 1;
  }

  /** Gives a declared function its body, without the parameters among `locals` and without the final `end`. */
  define(index: number, t: FunctionType, locals: readonly ValueType[], code: Code): void {
    this.defineBody(index, t, functionBody(locals, code));
  }

  /** Gives a declared function a body that `functionBody` made, in a module where what it calls has the same indices. */
  defineBody(index: number, t: FunctionType, body: Uint8Array): void {
    this.#functions[index - this.#imports.length] = { type: this.type(t), body };
  }

  /** Exports a function, under as many names as are asked for. */
  exportFunction(name: string, index: number): void {
    this.#exports.push({ name, kind: 0, index });
  }

  /** Gives a function a name that profilers and stack traces show (Core §7.4.1, name section). */
  nameFunction(index: number, name: string): void {
    this.#names.set(index, name);
  }

  /** Adds a custom section, which does nothing by itself and can be asked for by name (Core §5.5.3). */
  custom(name: string, bytes: Uint8Array): void {
    this.#custom.push({ name, bytes });
  }

  /** The module's own table, filled with these functions. */
  table(functions: readonly number[]): void {
    this.#table = functions;
  }

  /** A second table, exported under a name and empty at first. */
  exportTable(name: string, size: number): void {
    this.#emptyTable = size;
    this.#exports.push({ name, kind: 1, index: 1 });
  }

  /** The module's bytes. Every declared function must have been defined. */
  finish(): Uint8Array {
    const functions = this.#functions.map(defined);
    const size = functions.reduce((n, f) => n + f.body.length + ROOM, 0);
    const out = new Code(size + 2 * ROOM).raw(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    section(out, 1, this.#typeCode.length, (c) => this.#typeCode.forEach((t) => c.raw(t.bytes())));
    this.#writeImports(out);
    section(out, 3, functions.length, (c) => functions.forEach((f) => c.u(f.type)));
    const table = this.#table;
    const sizes = [table?.length, this.#emptyTable].filter((n) => n !== undefined);
    section(out, 4, sizes.length, (c) => sizes.forEach((n) => c.byte(0x70).u(1).u(n).u(n)));
    section(out, 7, this.#exports.length, (c) => this.#exports.forEach((e) => c.name(e.name).byte(e.kind).u(e.index)));
    if (table) {
      section(out, 9, 1, (c) => {
        c.u(0).i32(0).end().u(table.length);
        for (const f of table) c.u(f);
      });
    }
    section(out, 10, functions.length, (c) => functions.forEach(({ body }) => c.u(body.length).raw(body)), size);
    if (this.#names.size > 0) this.#writeNames(out);
    for (const { name, bytes } of this.#custom) customSection(out, new Code().name(name).raw(bytes));
    return out.bytes().slice();
  }

  #writeNames(out: Code): void {
    const map = new Code().u(this.#names.size);
    for (const [index, name] of [...this.#names].sort(([a], [b]) => a - b)) map.u(index).name(name);
    customSection(out, new Code().name("name").byte(1).u(map.length).raw(map.bytes()));
  }

  #writeImports(out: Code): void {
    const m = this.#memory;
    section(out, 2, this.#imports.length + (m ? 1 : 0), (c) => {
      for (const i of this.#imports) c.name(i.module).name(i.name).byte(0).u(i.type);
      if (!m) return;
      c.name(m.module).name(m.name).byte(2);
      c.byte(m.shared ? 3 : 1)
        .u(m.initial)
        .u(m.maximum);
    });
  }
}

function defined(body: FunctionBody | undefined, n: number): FunctionBody {
  assert(body, `function ${n} after the imports is declared and not defined`);
  return body;
}

function customSection(out: Code, content: Code): void {
  out.byte(0).u(content.length).raw(content.bytes());
}

/** @param size bytes that it is likely to have */
function section(out: Code, id: number, count: number, write: (c: Code) => void, size = ROOM): void {
  if (count === 0) return;
  const c = new Code(size).u(count);
  write(c);
  out.byte(id).u(c.length).raw(c.bytes());
}

/** A function's body in its binary form (Core §5.5.13). */
export function functionBody(locals: readonly ValueType[], code: Code): Uint8Array {
  const c = new Code(code.length + ROOM);
  const groups: { type: ValueType; n: number }[] = [];
  for (const type of locals) {
    const last = groups.at(-1);
    if (last?.type === type) last.n++;
    else groups.push({ type, n: 1 });
  }
  c.u(groups.length);
  for (const g of groups) c.u(g.n).byte(VALUE_TYPE[g.type]);
  return c.raw(code.bytes()).end().bytes().slice();
}
