// The small language that instructions and processor routines are written in.
//
// A routine is a list of statements over typed expressions. It is built once by a Builder (builder.ts) and then read by three
// consumers: the evaluator (bigint, slow, the oracle), the WebAssembly emitter (interpreter), and the translator. Operator names
// are WebAssembly's own, so that the emitter is a table and the evaluator has a published definition to follow.

/** Value types, as in WebAssembly. */
export type Type = "i32" | "i64" | "f32" | "f64" | "v128";

/** A value. Nodes with `impure` set read state, so they are computed where they were created; others may move to their use. */
export interface Expr {
  readonly op: string;
  readonly type: Type;
  readonly args: readonly Expr[];
  /** Constant value, memory offset, lane number, shuffle pattern. */
  readonly imm: number | bigint | Uint8Array;
  readonly impure: boolean;
  /** Expressions are numbered as they are created. */
  readonly serial: number;
  /** How many live expressions and statements use it; this and what follows is found out by the emitter (liveness.ts, emit.ts). */
  uses: number;
  /** The expression that uses it, when there is one and no other use. */
  user: Expr | undefined;
  /** Where it was created, and where the statement is that uses it, when there is only one: numbers of places, 0 for none. */
  from: number;
  to: number;
  /** Whether it is computed where it is used, once that is decided. */
  inline: boolean | undefined;
  /** The local that holds it, -1 for none; the loop in which it was computed, and uses still to come. */
  local: number;
  loop: number;
  left: number;
}

/** A mutable variable of a routine. */
export interface Variable {
  readonly type: Type;
  readonly index: number;
  /** For who reads what was emitted. */
  readonly name?: string | undefined;
}

/** A branch target: leaving a `block`, or repeating a `loop`. */
export interface Label {
  readonly kind: "block" | "loop";
}

/** A statement: what happens, in order. `def` marks where an expression was created. */
export type Stmt =
  | { readonly k: "def"; readonly e: Expr }
  | { readonly k: "set"; readonly v: Variable; readonly e: Expr }
  | { readonly k: "store"; readonly op: string; readonly addr: Expr; readonly offset: number; readonly e: Expr }
  | { readonly k: "if"; readonly c: Expr; readonly then: Stmt[]; readonly else: Stmt[] }
  | { readonly k: "block" | "loop"; readonly label: Label; readonly body: Stmt[] }
  | { readonly k: "br"; readonly label: Label; readonly c: Expr | undefined }
  | { readonly k: "switch"; readonly on: Expr; readonly cases: Stmt[][]; readonly other: Stmt[] }
  | { readonly k: "call"; readonly target: Callee; readonly args: readonly Expr[]; readonly result: Expr | undefined }
  | { readonly k: "copy" | "fill"; readonly dst: Expr; readonly src: Expr; readonly n: Expr }
  | { readonly k: "ret"; readonly e: Expr | undefined };

/** A routine's interface. Routines that may raise a guest exception say so; their callers then stop at once. */
export interface Signature {
  readonly name: string;
  readonly params: readonly Type[];
  readonly result: Type | undefined;
  readonly faults: boolean;
}

/** A function of the host (TypeScript), imported by every engine under its name. */
export interface HostFunction extends Signature {
  readonly kind: "host";
}

/** A routine written in this language; `body` is built on demand. */
export interface Routine extends Signature {
  readonly kind: "routine";
  /** Who takes the body in place of a call: nobody, translated code, or everyone; then its only return stands at its end. */
  readonly inlined: "never" | "translated" | "always";
  readonly build: (b: import("./builder.ts").Builder, ...params: Expr[]) => void;
}

/** What a call statement may call. */
export type Callee = HostFunction | Routine;

/** A finished routine. */
export interface Body {
  readonly signature: Signature;
  readonly params: readonly Variable[];
  readonly variables: readonly Variable[];
  readonly stmts: readonly Stmt[];
}
