// Our own bugs: conditions that no guest, file or user can make false.

/** Throws when `condition` is false: a bug in Nido. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) bug(message);
}

/** Throws: a bug in Nido. For conditions that are looked at so often that a message must not be put together each time. */
export function bug(message: string): never {
  throw new Error(`Bug in Nido: ${message}`);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  bug(`unexpected ${String(value)}`);
}
