// The messages between the thread that holds a machine's handle and the thread the machine runs in. Plain data only: they cross
// by structured clone. Every `input` is answered by one `accepted`, in order; `taken` says how much output the reader has had.
import { VmError, type VmErrorJson } from "../support/errors.ts";
import type { ResolvedMachineConfig } from "./config.ts";
import type { CommandOutput, MachineEnd, MachineStatistics } from "./machine.ts";

/** Bytes that may be on their way to the reader before the machine waits. */
export const OUTPUT_WINDOW: number = 1 << 20;

/** Where input goes. */
export type InputStream = "console" | "command";

/** Where output comes from. */
export type OutputStreamName = "console" | "debug" | CommandOutput;

/** What the handle says to the machine. */
export type ToMachine =
  /** Open the files; answered by `opened` or `failed`. */
  | { readonly type: "open"; readonly config: ResolvedMachineConfig }
  /** Build the machine and run it; answered by `started` or `failed`. */
  | { readonly type: "start"; readonly command: readonly string[] | undefined }
  | { readonly type: "input"; readonly stream: InputStream; readonly bytes: Uint8Array }
  | { readonly type: "endInput" }
  | { readonly type: "taken"; readonly bytes: number }
  | { readonly type: "resize"; readonly rows: number; readonly columns: number }
  | { readonly type: "stop" };

/** What the machine says to its handle. Nothing follows `failed` or `ended`. */
export type FromMachine =
  | { readonly type: "opened" }
  | { readonly type: "started" }
  | { readonly type: "failed"; readonly error: VmErrorJson }
  | { readonly type: "output"; readonly stream: OutputStreamName; readonly bytes: Uint8Array }
  | { readonly type: "accepted"; readonly stream: InputStream }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "diskFailed"; readonly error: VmErrorJson }
  | { readonly type: "ended"; readonly end: EndMessage; readonly statistics: MachineStatistics | undefined };

/** A MachineEnd as plain data. */
export type EndMessage = Exclude<MachineEnd, { readonly kind: "error" }> | { readonly kind: "error"; readonly error: VmErrorJson };

/** An end as plain data. */
export function encodeEnd(end: MachineEnd): EndMessage {
  return end.kind === "error" ? { kind: "error", error: end.error.toJSON() } : end;
}

/** The end that `encodeEnd` was given. */
export function decodeEnd(end: EndMessage): MachineEnd {
  return end.kind === "error" ? { kind: "error", error: VmError.fromJSON(end.error) } : end;
}

/** The error itself if it is a VmError; anything else is a bug of ours, INTERNAL, with its stack in `data` for the report. */
export function asVmError(error: unknown): VmError {
  if (VmError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new VmError("INTERNAL", message, { data: { stack: error instanceof Error ? (error.stack ?? "") : "" }, cause: error });
}
