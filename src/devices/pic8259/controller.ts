// One 8259A: request, in-service and mask registers, priority resolver, initialization and operation command words.
import { boolean, integer, oneOf, record, u8, type Schema } from "../../support/schema.ts";
import {
  ICW1,
  ICW1_IC4,
  ICW1_SNGL,
  ICW2_BASE,
  ICW4_AEOI,
  ICW4_SFNM,
  OCW2_EOI,
  OCW2_EOI_SPECIFIC,
  OCW2_LEVEL,
  OCW2_ROTATE_AEOI_CLEAR,
  OCW2_ROTATE_AEOI_SET,
  OCW2_ROTATE_EOI,
  OCW2_ROTATE_EOI_SPECIFIC,
  OCW2_SET_PRIORITY,
  OCW3,
  OCW3_ESMM,
  OCW3_P,
  OCW3_RIS,
  OCW3_RR,
  OCW3_SMM,
  POLL_REQUEST,
  SPURIOUS_LEVEL,
} from "./spec.ts";

/** What is expected at the odd port: nothing known yet, an initialization command word, or the mask (OCW1). */
export type Expecting = "nothing" | "icw2" | "icw3" | "icw4" | "ocw1";

/** The registers of one controller; bit n stands for input IRn. */
export interface ControllerState {
  /** Levels on the inputs. */
  inputs: number;
  irr: number;
  isr: number;
  imr: number;
  elcr: number;
  expecting: Expecting;
  icw1: number;
  icw2: number;
  icw3: number;
  icw4: number;
  /** The level with the lowest priority; the next one up has the highest. */
  lowest: number;
  readIsr: boolean;
  poll: boolean;
  specialMask: boolean;
  rotateInAeoi: boolean;
}

/** Describes ControllerState. */
export const CONTROLLER: Schema<ControllerState> = record<ControllerState>({
  inputs: u8,
  irr: u8,
  isr: u8,
  imr: u8,
  elcr: u8,
  expecting: oneOf<Expecting>("nothing", "icw2", "icw3", "icw4", "ocw1"),
  icw1: u8,
  icw2: u8,
  icw3: u8,
  icw4: u8,
  lowest: integer(0, 7),
  readIsr: boolean,
  poll: boolean,
  specialMask: boolean,
  rotateInAeoi: boolean,
});

/** A controller that has not been initialized: it asks for nothing. `inputs` are levels that are driven from outside. */
export function powerOnController(inputs: number): ControllerState {
  return {
    inputs,
    irr: 0,
    isr: 0,
    imr: 0,
    elcr: 0,
    expecting: "nothing",
    icw1: 0,
    icw2: 0,
    icw3: 0,
    icw4: 0,
    lowest: 7,
    readIsr: false,
    poll: false,
    specialMask: false,
    rotateInAeoi: false,
  };
}

/** The level to be served next, or -1: what INT shows. */
export function requested(c: ControllerState): number {
  if (c.expecting !== "ocw1") return -1;
  const level = highest(c, c.irr & ~c.imr);
  if (level < 0) return -1;
  // 8259A datasheet, "Special Mask Mode": a level that is masked does not inhibit others while it is in service.
  let inService = c.specialMask ? c.isr & ~c.imr : c.isr;
  // "Special Fully Nested Mode": a slave in service is not locked out; higher levels within it come through.
  if ((c.icw4 & ICW4_SFNM) !== 0 && hasSlave(c, level)) inService &= ~(1 << level);
  const serving = highest(c, inService);
  return serving < 0 || rank(c, level) < rank(c, serving) ? level : -1;
}

/** Whether a slave is attached to an input. */
export function hasSlave(c: ControllerState, level: number): boolean {
  return (c.icw1 & ICW1_SNGL) === 0 && ((c.icw3 >> level) & 1) === 1;
}

/** The first INTA cycle: takes the request into service and returns its level, or the default level 7 when there is none. */
export function accept(c: ControllerState): number {
  const level = requested(c);
  if (level < 0) return SPURIOUS_LEVEL;
  const bit = 1 << level;
  // An edge is used up; a level asks again for as long as it lasts.
  if ((c.elcr & bit) === 0) c.irr &= ~bit;
  if ((c.icw4 & ICW4_AEOI) === 0) c.isr |= bit;
  else if (c.rotateInAeoi) c.lowest = level;
  return level;
}

/** The vector that a level has in the second INTA cycle. */
export function vectorOf(c: ControllerState, level: number): number {
  return (c.icw2 & ICW2_BASE) | level;
}

/** Drives an input. A request whose input falls before it was accepted is forgotten, for edges too. */
export function setInput(c: ControllerState, level: number, high: boolean): void {
  const bit = 1 << level;
  if (((c.inputs & bit) !== 0) === high) return;
  if (high) {
    c.inputs |= bit;
    c.irr |= bit;
  } else {
    c.inputs &= ~bit;
    c.irr &= ~bit;
  }
}

/** Writes the edge/level control register. Inputs that become level-triggered ask for as long as they are high. */
export function setElcr(c: ControllerState, elcr: number): void {
  c.elcr = elcr;
  c.irr |= c.inputs & elcr;
}

/** A write to the even port: ICW1, OCW2 or OCW3. */
export function writeCommand(c: ControllerState, value: number): void {
  if ((value & ICW1) !== 0) initialize(c, value);
  else if ((value & OCW3) !== 0) operate(c, value);
  else endOfInterrupt(c, value >> 5, value & OCW2_LEVEL);
}

/** A write to the odd port: the initialization command word that is due, or the mask. */
export function writeData(c: ControllerState, value: number): void {
  switch (c.expecting) {
    case "icw2":
      c.icw2 = value;
      c.expecting = (c.icw1 & ICW1_SNGL) === 0 ? "icw3" : afterIcw3(c);
      break;
    case "icw3":
      c.icw3 = value;
      c.expecting = afterIcw3(c);
      break;
    case "icw4":
      c.icw4 = value;
      c.expecting = "ocw1";
      break;
    default:
      c.imr = value;
  }
}

/** A read of the even port: the poll word, ISR or IRR. */
export function readStatus(c: ControllerState): number {
  if (c.poll) return readPoll(c);
  return c.readIsr ? c.isr : c.irr;
}

/** A read of the odd port: the poll word or the mask. */
export function readMask(c: ControllerState): number {
  return c.poll ? readPoll(c) : c.imr;
}

// 8259A datasheet, "Poll Command": the next read is treated as an interrupt acknowledge.
function readPoll(c: ControllerState): number {
  c.poll = false;
  return requested(c) < 0 ? 0 : POLL_REQUEST | accept(c);
}

// 8259A datasheet, "Initialization Command Words 1 and 2", items a to f. ISR is cleared as well, which every clone does.
function initialize(c: ControllerState, icw1: number): void {
  const { inputs, elcr } = c;
  Object.assign(c, powerOnController(inputs), {
    elcr,
    icw1,
    icw2: c.icw2,
    icw3: c.icw3,
    irr: inputs & elcr,
    expecting: "icw2" satisfies Expecting,
  });
}

function afterIcw3(c: ControllerState): Expecting {
  return (c.icw1 & ICW1_IC4) === 0 ? "ocw1" : "icw4";
}

function operate(c: ControllerState, ocw3: number): void {
  if ((ocw3 & OCW3_ESMM) !== 0) c.specialMask = (ocw3 & OCW3_SMM) !== 0;
  c.poll = (ocw3 & OCW3_P) !== 0;
  if (!c.poll && (ocw3 & OCW3_RR) !== 0) c.readIsr = (ocw3 & OCW3_RIS) !== 0;
}

function endOfInterrupt(c: ControllerState, command: number, level: number): void {
  switch (command) {
    case OCW2_ROTATE_AEOI_CLEAR:
    case OCW2_ROTATE_AEOI_SET:
      c.rotateInAeoi = command === OCW2_ROTATE_AEOI_SET;
      break;
    case OCW2_SET_PRIORITY:
      c.lowest = level;
      break;
    case OCW2_EOI_SPECIFIC:
      c.isr &= ~(1 << level);
      break;
    case OCW2_ROTATE_EOI_SPECIFIC:
      c.isr &= ~(1 << level);
      c.lowest = level;
      break;
    case OCW2_EOI:
    case OCW2_ROTATE_EOI:
      endHighest(c, command === OCW2_ROTATE_EOI);
  }
}

// 8259A datasheet, "End of Interrupt": in special mask mode a masked level is not cleared by a non-specific EOI.
function endHighest(c: ControllerState, rotate: boolean): void {
  const level = highest(c, c.specialMask ? c.isr & ~c.imr : c.isr);
  if (level < 0) return;
  c.isr &= ~(1 << level);
  if (rotate) c.lowest = level;
}

/** 0 for the highest priority to 7 for the lowest. */
function rank(c: ControllerState, level: number): number {
  return (level - c.lowest - 1) & 7;
}

/** The level of the highest priority among `bits`, or -1. */
function highest(c: ControllerState, bits: number): number {
  if (bits === 0) return -1;
  for (let step = 1; step <= 8; step++) {
    const level = (c.lowest + step) & 7;
    if (((bits >> level) & 1) === 1) return level;
  }
  return -1;
}
