// One counter of an 8254, evaluated lazily: its state is that of tick `at`, and `advance` moves it on in constant time.
//
// The counting element CE is not kept; `left` is. In modes 0, 1, 4 and 5 it is the number of ticks to terminal count, negative
// after it (CE goes on counting, wrapping). In mode 2 it is the number of ticks to the reload, in mode 3 to the end of the half cycle.
import { array, boolean, integer, nullable, record, u8, u16, type Schema } from "../../support/schema.ts";
import { BCD, M_SHIFT, RW_BOTH, RW_LSB, RW_MSB, RW_SHIFT, STATUS_NULL_COUNT, STATUS_OUT } from "./spec.ts";

/** What a counter is and what it was told. */
export interface CounterState {
  /** RW, M and BCD fields of the last control word. */
  control: number;
  /** The count register as written, in BCD if so programmed; 0 stands for the largest count. */
  count: number;
  /** A whole count has been written since the control word. */
  written: boolean;
  /** The first byte of a two-byte count. */
  lowByte: number | null;
  /** The counting element takes the count at the next tick. */
  loading: boolean;
  /** The count has not reached the counting element (status bit 6). */
  nullCount: boolean;
  /** The count in use, 1 to 65536; 0 before the first load. */
  loaded: number;
  left: number;
  /** Mode 3: which half cycle it is. */
  high: boolean;
  gate: boolean;
  /** The tick that `left` is for. */
  at: number;
  /** Latched bytes to be read first: the status, then the count, least significant byte first. */
  latchedStatus: number | null;
  latchedCount: number[];
  /** The next read of a two-byte count gives the most significant byte. */
  readMsb: boolean;
}

/** Describes CounterState. */
export const COUNTER: Schema<CounterState> = record<CounterState>({
  control: integer(0, 0x3f),
  count: u16,
  written: boolean,
  lowByte: nullable(u8),
  loading: boolean,
  nullCount: boolean,
  loaded: integer(0, 0x1_0000),
  left: integer(-0x1_0000, 0x1_0000),
  high: boolean,
  gate: boolean,
  at: integer(0, Number.MAX_SAFE_INTEGER),
  latchedStatus: nullable(u8),
  latchedCount: array(u8, 0, 2),
  readMsb: boolean,
});

/** A counter as the PC powers up: the 8254's own state is undefined then, so OUT is held low and nothing counts. */
export function powerOnCounter(gate: boolean, at: number): CounterState {
  return {
    control: RW_BOTH << RW_SHIFT,
    count: 0,
    written: false,
    lowByte: null,
    loading: false,
    nullCount: true,
    loaded: 0,
    left: 0,
    high: true,
    gate,
    at,
    latchedStatus: null,
    latchedCount: [],
    readMsb: false,
  };
}

/** False for a state that no sequence of writes leads to: one from after tick `now`, or one whose cycle has no end. */
export function isPossible(counter: CounterState, now: number): boolean {
  const { at, left, loaded } = counter;
  const periodic = (modeOf(counter) & 2) !== 0;
  return at <= now && left <= loaded && (!periodic || loaded < 2 || left > 0);
}

/** The mode, 0 to 5. */
export function modeOf(counter: CounterState): number {
  const mode = (counter.control >> M_SHIFT) & 7;
  return mode > 5 ? mode - 4 : mode;
}

/** The level of OUT at tick `at`. */
export function outOf(counter: CounterState): boolean {
  const { loaded, loading, left, gate } = counter;
  switch (modeOf(counter)) {
    case 0:
      return loaded > 0 && !loading && counter.lowByte === null && left <= 0;
    case 1:
      return loaded === 0 || left <= 0;
    case 2:
      return loaded < 2 || !gate || left !== 1;
    case 3:
      return loaded < 2 || !gate || counter.high;
    default:
      return loaded === 0 || left !== 0;
  }
}

/** Moves on to tick `to`; true when OUT rose at least once on the way. An earlier tick changes nothing. */
export function advance(counter: CounterState, to: number): boolean {
  let ticks = to - counter.at;
  if (ticks <= 0) return false;
  counter.at = to;
  const before = outOf(counter);
  if (counter.loading) {
    load(counter);
    ticks--;
  }
  const rose = counts(counter) && run(counter, ticks);
  return rose || (!before && outOf(counter));
}

/** The tick at which OUT rises next if nothing is written, or null when it does not. */
export function nextRise(counter: CounterState): number | null {
  if (counter.loading) {
    const next = { ...counter, at: counter.at + 1 };
    load(next);
    return nextRise(next);
  }
  if (!counts(counter)) return null;
  const { at, left } = counter;
  switch (modeOf(counter)) {
    case 0:
    case 1:
      return left > 0 ? at + left : null;
    case 2:
      return at + left;
    case 3:
      return counter.high ? at + left + (countOf(counter) >> 1) : at + left;
    default:
      return left >= 0 ? at + left + 1 : null;
  }
}

/** A control word for this counter: the counter's logic is reset and OUT takes its mode's initial state. */
export function writeControl(counter: CounterState, control: number): void {
  Object.assign(counter, powerOnCounter(counter.gate, counter.at));
  counter.control = control & 0x3f;
}

/** A byte of the count. */
export function writeCount(counter: CounterState, byte: number): void {
  switch ((counter.control >> RW_SHIFT) & 3) {
    case RW_LSB:
      return setCount(counter, byte);
    case RW_MSB:
      return setCount(counter, byte << 8);
    default:
      if (counter.lowByte === null) {
        counter.lowByte = byte;
        return;
      }
      setCount(counter, (byte << 8) | counter.lowByte);
      counter.lowByte = null;
  }
}

/** A byte of the latched status, the latched count or the counting element. */
export function readByte(counter: CounterState): number {
  if (counter.latchedStatus !== null) {
    const status = counter.latchedStatus;
    counter.latchedStatus = null;
    return status;
  }
  const latched = counter.latchedCount.shift();
  if (latched !== undefined) {
    counter.readMsb = counter.latchedCount.length > 0;
    return latched;
  }
  const access = (counter.control >> RW_SHIFT) & 3;
  const msb = access === RW_MSB || (access === RW_BOTH && counter.readMsb);
  if (access === RW_BOTH) counter.readMsb = !counter.readMsb;
  return msb ? elementOf(counter) >> 8 : elementOf(counter) & 0xff;
}

/** The counter latch command; a count that is latched already stays. */
export function latchCount(counter: CounterState): void {
  if (counter.latchedCount.length > 0) return;
  const element = elementOf(counter);
  const access = (counter.control >> RW_SHIFT) & 3;
  const both = [element & 0xff, element >> 8];
  counter.latchedCount = access === RW_BOTH ? both.slice(counter.readMsb ? 1 : 0) : [both[access === RW_MSB ? 1 : 0]!];
}

/** The read-back command's status; a status that is latched already stays. */
export function latchStatus(counter: CounterState): void {
  counter.latchedStatus ??= (outOf(counter) ? STATUS_OUT : 0) | (counter.nullCount ? STATUS_NULL_COUNT : 0) | counter.control;
}

/** The GATE pin: a level that enables counting, and an edge that triggers (8254 datasheet, "Gate Pin Operations Summary"). */
export function setGate(counter: CounterState, level: boolean): void {
  const rising = level && !counter.gate;
  counter.gate = level;
  const mode = modeOf(counter);
  if (rising && counter.written && mode !== 0 && mode !== 4) counter.loading = true;
}

function setCount(counter: CounterState, count: number): void {
  const first = !counter.written;
  counter.count = count;
  counter.written = true;
  counter.nullCount = true;
  const mode = modeOf(counter);
  // Modes 2 and 3 take a further count at the end of the cycle, modes 1 and 5 at the next trigger.
  if (mode === 0 || mode === 4 || (first && (mode === 2 || mode === 3))) counter.loading = true;
}

/** The count register as a number of ticks: 1 to 65536, or to 16665 with BCD digits beyond 9. */
function countOf(counter: CounterState): number {
  const { control, count } = counter;
  if ((control & BCD) === 0) return count === 0 ? 0x1_0000 : count;
  return count === 0 ? 10_000 : (count >> 12) * 1000 + ((count >> 8) & 15) * 100 + ((count >> 4) & 15) * 10 + (count & 15);
}

function load(counter: CounterState): void {
  counter.loading = false;
  counter.high = true;
  take(counter);
}

/** Takes the count for the cycle, or half cycle, that begins. */
function take(counter: CounterState): void {
  counter.nullCount = false;
  counter.loaded = countOf(counter);
  counter.left = modeOf(counter) === 3 ? halfOf(counter.loaded, counter.high) : counter.loaded;
}

// 8254 datasheet, Mode 3: "for odd counts, OUT will be high for (N + 1)/2 counts and low for (N - 1)/2 counts".
function halfOf(count: number, high: boolean): number {
  return high ? (count + 1) >> 1 : count >> 1;
}

function counts(counter: CounterState): boolean {
  const mode = modeOf(counter);
  if (counter.loaded === 0) return false;
  // 8254 datasheet, "Minimum and Maximum Initial Counts": 1 is illegal in modes 2 and 3. OUT stays high then.
  if ((mode === 2 || mode === 3) && counter.loaded === 1) return false;
  // Mode 0: "writing the first byte disables counting".
  if (mode === 0 && counter.lowByte !== null) return false;
  return counter.gate || mode === 1 || mode === 5;
}

/** Counts `ticks`; true when OUT rose, though it may have fallen again. */
function run(counter: CounterState, ticks: number): boolean {
  const mode = modeOf(counter);
  if (mode === 2) return runRate(counter, ticks);
  if (mode === 3) return runSquare(counter, ticks);
  const terminal = mode === 4 || mode === 5 ? -1 : 0;
  const before = counter.left;
  const left = before - ticks;
  // Far below zero only the place in the wrapping matters.
  counter.left = left < 0 ? -1 - ((-left - 1) % modulusOf(counter)) : left;
  return before > terminal && left <= terminal;
}

function runRate(counter: CounterState, ticks: number): boolean {
  if (ticks < counter.left) {
    counter.left -= ticks;
    return false;
  }
  const past = ticks - counter.left;
  take(counter);
  if (counter.loaded > 1) counter.left -= past % counter.loaded;
  return true;
}

function runSquare(counter: CounterState, ticks: number): boolean {
  let left = ticks;
  let rose = false;
  while (left >= counter.left) {
    left -= counter.left;
    counter.high = !counter.high;
    rose ||= counter.high;
    take(counter);
    if (counter.loaded === 1) return rose;
    // Once the count in use is the one in the register, whole cycles lead back here.
    if (left >= counter.loaded) {
      left %= counter.loaded;
      rose = true;
    }
  }
  counter.left -= left;
  return rose;
}

function modulusOf(counter: CounterState): number {
  return (counter.control & BCD) === 0 ? 0x1_0000 : 10_000;
}

/** What a read of the counting element gives. */
function elementOf(counter: CounterState): number {
  const { loaded, left, high } = counter;
  // Mode 3 counts by two; an odd count is loaded less one, and its high half lasts one tick beyond zero.
  const value = modeOf(counter) === 3 ? 2 * (left - (high && loaded % 2 === 1 ? 1 : 0)) : left;
  const modulus = modulusOf(counter);
  const element = ((value % modulus) + modulus) % modulus;
  if ((counter.control & BCD) === 0) return element;
  return (
    (Math.floor(element / 1000) << 12) | ((Math.floor(element / 100) % 10) << 8) | ((Math.floor(element / 10) % 10) << 4) | (element % 10)
  );
}
