// Signal lines: interrupt requests, resets, A20. A line carries a level; an edge is a change of level, which the sink detects
// (the 8259A and the IO-APIC both do). Levels are not saved: every device drives its lines anew in `resync()`.

/** An interrupt (or reset) line. The board decides where it leads; no device knows an interrupt number. */
export interface Line {
  set(level: boolean): void;
}

/** A line that leads nowhere. */
export const UNCONNECTED: Line = { set: () => {} };

/** Several sources on one wire (wired-OR, as PCI interrupt pins): the sink is high while any source is. */
export class SharedLine {
  readonly #sink: Line;
  #asserted = 0;

  constructor(sink: Line) {
    this.#sink = sink;
  }

  /** The level of the wire. */
  get level(): boolean {
    return this.#asserted > 0;
  }

  /** A further source on this wire, low until set. */
  source(): Line {
    let own = false;
    return {
      set: (level) => {
        if (level === own) return;
        own = level;
        this.#change(level ? 1 : -1);
      },
    };
  }

  #change(by: 1 | -1): void {
    const before = this.level;
    this.#asserted += by;
    if (this.level !== before) this.#sink.set(this.level);
  }
}

/** One source that drives several sinks, in the order given (ISA IRQ lines reach both the 8259A and the IO-APIC). */
export function fanOut(...sinks: readonly Line[]): Line {
  return {
    set: (level) => {
      for (const sink of sinks) sink.set(level);
    },
  };
}

/** A line from a function that takes the level. */
export function lineTo(set: (level: boolean) => void): Line {
  return { set };
}

/** Drives a low-high-low pulse: one edge for an edge-triggered input. */
export function pulse(line: Line): void {
  line.set(true);
  line.set(false);
}
