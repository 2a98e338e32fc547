// Between a moment and the bytes that show it: BCD or binary, 12 or 24 hours.
import {
  B_24H,
  B_DM,
  CENTURY,
  DATE_OF_MONTH,
  DAY_OF_WEEK,
  DONT_CARE,
  HOURS,
  HOURS_ALARM,
  MINUTES,
  MINUTES_ALARM,
  MONTH,
  PM,
  SECONDS,
  SECONDS_ALARM,
  YEAR,
} from "./spec.ts";

/** The registers that hold the time and the calendar, without alarms. */
export const TIME_REGISTERS: readonly number[] = [SECONDS, MINUTES, HOURS, DAY_OF_WEEK, DATE_OF_MONTH, MONTH, YEAR, CENTURY];

const DAYS_A_WEEK = 7;
const HOUR = 3600;
const MINUTE = 60;

// From any second, going on to the next hour, minute or second that can match takes no more steps than this to come around a day.
const ALARM_STEPS = 25 + 4 * 60;

/**
 * Writes a moment into its registers.
 * @param seconds      since 1970, of the clock's own time zone
 * @param weekdayShift days by which the guest's day of the week differs from the calendar's
 */
export function storeTime(ram: Uint8Array, registerB: number, seconds: number, weekdayShift: number): void {
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  const values: [number, number][] = [
    [SECONDS, date.getUTCSeconds()],
    [MINUTES, date.getUTCMinutes()],
    [DAY_OF_WEEK, ((date.getUTCDay() + weekdayShift) % DAYS_A_WEEK) + 1],
    [DATE_OF_MONTH, date.getUTCDate()],
    [MONTH, date.getUTCMonth() + 1],
    [YEAR, ((year % 100) + 100) % 100],
    [CENTURY, Math.floor(year / 100) % 100],
  ];
  for (const [register, value] of values) ram[register] = toByte(value, registerB);
  ram[HOURS] = hourToByte(date.getUTCHours(), registerB);
}

/** The moment that the registers hold, in seconds since 1970; values out of range carry over. */
export function loadTime(ram: Uint8Array, registerB: number): number {
  const value = (register: number): number => fromByte(ram[register]!, registerB);
  const date = new Date(0);
  date.setUTCFullYear(value(CENTURY) * 100 + value(YEAR), value(MONTH) - 1, value(DATE_OF_MONTH));
  date.setUTCHours(hourFromByte(ram[HOURS]!, registerB), value(MINUTES), value(SECONDS));
  return date.getTime() / 1000;
}

/** The shift that makes a moment show the day of the week that the registers hold. */
export function loadWeekdayShift(ram: Uint8Array, registerB: number, seconds: number): number {
  const shift = fromByte(ram[DAY_OF_WEEK]!, registerB) - 1 - new Date(seconds * 1000).getUTCDay();
  return ((shift % DAYS_A_WEEK) + DAYS_A_WEEK) % DAYS_A_WEEK;
}

/** The first second after `after` that the alarm bytes match, or null when none does. */
export function nextAlarm(ram: Uint8Array, registerB: number, after: number): number | null {
  const matches = (register: number, byte: number): boolean => (ram[register]! & DONT_CARE) === DONT_CARE || ram[register] === byte;
  let time = after + 1;
  for (let step = 0; step < ALARM_STEPS; step++) {
    const ofDay = ((time % 86_400) + 86_400) % 86_400;
    if (!matches(HOURS_ALARM, hourToByte(Math.floor(ofDay / HOUR), registerB))) time += HOUR - (ofDay % HOUR);
    else if (!matches(MINUTES_ALARM, toByte(Math.floor(ofDay / MINUTE) % 60, registerB))) time += MINUTE - (ofDay % MINUTE);
    else if (!matches(SECONDS_ALARM, toByte(ofDay % 60, registerB))) time++;
    else return time;
  }
  return null;
}

function toByte(value: number, registerB: number): number {
  return (registerB & B_DM) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function fromByte(byte: number, registerB: number): number {
  return (registerB & B_DM) !== 0 ? byte : (byte >> 4) * 10 + (byte & 15);
}

function hourToByte(hour: number, registerB: number): number {
  if ((registerB & B_24H) !== 0) return toByte(hour, registerB);
  return toByte(hour % 12 === 0 ? 12 : hour % 12, registerB) | (hour >= 12 ? PM : 0);
}

function hourFromByte(byte: number, registerB: number): number {
  if ((registerB & B_24H) !== 0) return fromByte(byte, registerB);
  return (fromByte(byte & ~PM, registerB) % 12) + ((byte & PM) !== 0 ? 12 : 0);
}
