// Signals that ask the program to end.
import { constants } from "node:os";

/** The signals that end a program which does not handle them, and that someone may send on purpose. */
export const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** One of the signals that ask a program to end. */
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/**
 * Calls `asked` for the first such signal; a second one ends the program at once, exit hooks included. Returns how to stop listening.
 */
export function onTermination(asked: (signal: EndingSignal) => void): () => void {
  let first = true;
  const handle = (signal: EndingSignal): void => {
    if (!first) process.exit(statusOfSignal(signal));
    first = false;
    asked(signal);
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, handle);
  return () => {
    for (const signal of ENDING_SIGNALS) process.off(signal, handle);
  };
}

/** The exit status by which shells report that a signal ended a program: 128 and its number. */
export function statusOfSignal(signal: EndingSignal): number {
  return 128 + constants.signals[signal];
}
