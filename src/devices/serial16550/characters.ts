// Queues of characters with the errors they came with: both FIFOs of a 16550, and what the host sent ahead of them.
import { bytes, integer, record, type Schema } from "../../support/schema.ts";
import { LSR_CHARACTER_ERRORS } from "./spec.ts";

/** Characters in order, the oldest at `head` of a ring. */
export interface Characters {
  data: Uint8Array;
  /** Line status errors of each character. */
  errors: Uint8Array;
  head: number;
  count: number;
}

/** Describes a queue of at most `size` characters. */
export function characters(size: number): Schema<Characters> {
  return record<Characters>({ data: bytes(size), errors: bytes(size), head: integer(0, size - 1), count: integer(0, size) });
}

/** A queue that holds nothing and has room for `size`. */
export function noCharacters(size: number): Characters {
  return { data: new Uint8Array(size), errors: new Uint8Array(size), head: 0, count: 0 };
}

/** Appends a character; false when `capacity` are there already. */
export function push(queue: Characters, capacity: number, character: number, errors: number): boolean {
  if (queue.count >= capacity) return false;
  const at = (queue.head + queue.count) % queue.data.length;
  queue.data[at] = character;
  queue.errors[at] = errors & LSR_CHARACTER_ERRORS;
  queue.count++;
  return true;
}

/** The oldest character, 0 when there is none. */
export function peek(queue: Characters): number {
  return queue.count === 0 ? 0 : queue.data[queue.head]!;
}

/** The errors of the oldest character. */
export function peekErrors(queue: Characters): number {
  return queue.count === 0 ? 0 : queue.errors[queue.head]! & LSR_CHARACTER_ERRORS;
}

/** Takes out the oldest character; 0 when there is none. */
export function pop(queue: Characters): number {
  const character = peek(queue);
  if (queue.count === 0) return 0;
  queue.errors[queue.head] = 0;
  queue.head = (queue.head + 1) % queue.data.length;
  queue.count--;
  return character;
}

/** Takes away the errors of the oldest character. */
export function forgiveFirst(queue: Characters): void {
  queue.errors[queue.head] = 0;
}

/** Whether any character has an error. */
export function hasErrors(queue: Characters): boolean {
  for (let index = 0; index < queue.count; index++) {
    if (queue.errors[(queue.head + index) % queue.data.length] !== 0) return true;
  }
  return false;
}

/** Throws everything away. */
export function clear(queue: Characters): void {
  queue.head = 0;
  queue.count = 0;
  queue.errors.fill(0);
}
