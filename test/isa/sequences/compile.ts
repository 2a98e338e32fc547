// How regions are compiled: by V8's baseline compiler, as the product does first, or by the optimizing one, as V8 does with what is hot.
import { setFlagsFromString } from "node:v8";

/** Compiles everything with the optimizing compiler, here and now. Without Liftoff V8 turns dynamic tiering off, too, and leaves it so. */
export function compileOptimized(bytes: Uint8Array): WebAssembly.Module {
  setFlagsFromString("--no-wasm-lazy-compilation");
  setFlagsFromString("--no-liftoff");
  try {
    return new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  } finally {
    setFlagsFromString("--liftoff");
    setFlagsFromString("--wasm-dynamic-tiering");
    setFlagsFromString("--wasm-lazy-compilation");
  }
}

/** Leaves each function to the baseline compiler at its first call. */
export function compileBaseline(bytes: Uint8Array): WebAssembly.Module {
  return new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
}
