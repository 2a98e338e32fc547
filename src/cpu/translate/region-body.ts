// A region's routine as the body of a WebAssembly function.
import { Code } from "../../wasm/code.ts";
import { functionBody } from "../../wasm/module-builder.ts";
import { emit, LocalPool } from "../ir/emit.ts";
import type { Callee } from "../ir/types.ts";
import type { RegionImports } from "./region-module.ts";
import type { RegionBody } from "./region.ts";

/** A region's function, as a body for modules with these imports. @param code where it is emitted; empty before and after */
export function bodyOf({ body, results }: RegionBody, imports: RegionImports, code: Code = new Code()): Uint8Array {
  const locals = new LocalPool(body.signature.params.length);
  emit(body, { code, locals, params: [0, 1, 2], resolve: (callee: Callee) => imports.indexOf(callee) });
  for (const v of results) code.localGet(v.index);
  return functionBody(locals.types, code.take());
}
