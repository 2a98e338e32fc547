// Our own bugs: conditions that no guest, file or user can make false.

/** Throws when `condition` is false: a bug in Nido. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Bug in Nido: ${message}`);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new Error(`Bug in Nido: unexpected ${String(value)}`);
}
