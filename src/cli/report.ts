// Errors as the user sees them: what, where, what to do. Only a bug of ours shows its stack, and only when asked.
import type { Writable } from "node:stream";
import { asVmError } from "../machine/protocol.ts";
import { write } from "./streams.ts";

/** A remark on the error output. */
export async function note(stderr: Writable, message: string): Promise<void> {
  // Who closed our error output does not want to hear this either.
  await write(stderr, `nido: ${message}\n`).catch(() => {});
}

/** Reports an error with its remedy. */
export async function reportError(stderr: Writable, error: unknown, options: { readonly verbose: boolean }): Promise<void> {
  const problem = asVmError(error);
  const stack = problem.data["stack"];
  const trace = problem.code === "INTERNAL" && options.verbose && typeof stack === "string" ? `\n${stack}` : "";
  await note(stderr, `${problem.message}\n      ${problem.remedy}${trace}`);
}
