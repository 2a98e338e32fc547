// The ISA bridge: routes the PCI bus's four interrupt wires to ISA interrupts, as software says in PIRQ route control.
import { PciFunction } from "../../bus/pci/index.ts";
import { SharedLine } from "../../bus/line.ts";
import type { Line, Width } from "../device.ts";
import { PIRQ_TARGETS, PIRQRC_DISABLE, PIRQRCA, type BridgeSpec } from "./spec.ts";

/** An ISA bridge function with its interrupt router. */
export class IsaBridge extends PciFunction {
  /** PIRQA#..PIRQD#: what the bus's wires drive. */
  readonly pirqs: readonly [Line, Line, Line, Line];
  readonly #levels = [false, false, false, false];
  /** For each wire, a source on each ISA interrupt it may be routed to. */
  readonly #routes: readonly ReadonlyMap<number, Line>[];

  /** @param irq the line of an ISA interrupt */
  constructor(spec: BridgeSpec, irq: (number: number) => Line) {
    super("isa-bridge", spec.identity);
    for (const { offset, value, writable } of spec.registers) this.config.define(offset, 1, value, { writable });
    // Several wires may share an ISA interrupt.
    const shared = new Map(PIRQ_TARGETS.map((number) => [number, new SharedLine(irq(number))]));
    this.#routes = this.#levels.map(() => new Map([...shared].map(([number, line]) => [number, line.source()])));
    const wire = (index: number): Line => ({ set: (level) => this.#set(index, level) });
    this.pirqs = [wire(0), wire(1), wire(2), wire(3)];
  }

  override writeConfig(offset: number, width: Width, value: number): void {
    super.writeConfig(offset, width, value);
    this.#route();
  }

  override resync(...state: Parameters<PciFunction["resync"]>): void {
    super.resync(...state);
    this.#route();
  }

  #set(pirq: number, level: boolean): void {
    this.#levels[pirq] = level;
    this.#route();
  }

  #route(): void {
    this.#routes.forEach((routes, pirq) => {
      const control = this.config.get(PIRQRCA + pirq, 1);
      const target = (control & PIRQRC_DISABLE) === 0 ? control : -1;
      for (const [number, line] of routes) line.set(this.#levels[pirq] === true && number === target);
    });
  }
}
