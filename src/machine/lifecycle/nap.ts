// How a machine waits while its guest is halted. Hosts' timers are coarse, a millisecond or more late; a guest that counts on 4 ms ticks would
// lose a quarter of its time to that. So the last stretch before a timer is spent polling, on credit: a hundredth of the time that passes.
import type { MachineHost, ScheduledTask } from "../machine.ts";

/** Waits shorter than this are polled, credit permitting. */
const COARSE_NS = 1_200_000;
const CREDIT_SHARE = 0.01;
/** What a machine starts with: kernels wait for many short times while they boot, and hardly ever after. */
const CREDIT_MAX_NS = 200e6;
/** Hosts' timers have limits of their own; waking up for nothing once an hour costs nothing. */
const LONGEST_NS = 3600e9;

/** The waiting of one machine. */
export class Nap {
  readonly #host: Pick<MachineHost, "clock" | "scheduleAfter" | "scheduleSoon">;
  readonly #over: () => void;
  #task: ScheduledTask | undefined;
  #creditNs = CREDIT_MAX_NS;
  /** When the credit was last reckoned, in the host's time. */
  #reckonedNs: number;

  /** @param over called at the end of each wait */
  constructor(host: Pick<MachineHost, "clock" | "scheduleAfter" | "scheduleSoon">, over: () => void) {
    this.#host = host;
    this.#over = over;
    this.#reckonedNs = host.clock.nowNs();
  }

  /** Waits for about `ns`, or until `wake`. One wait at a time. */
  start(ns: number): void {
    this.#reckon(CREDIT_SHARE);
    if (ns < COARSE_NS && this.#creditNs > 0) return this.#poll();
    this.#task = this.#host.scheduleAfter(Math.min(Math.max(ns, 0), LONGEST_NS), () => {
      this.#task = undefined;
      this.#over();
    });
  }

  /** Ends the wait soon. */
  wake(): void {
    if (this.#task === undefined) return;
    this.cancel();
    this.#host.scheduleSoon(this.#over);
  }

  /** Forgets the wait. */
  cancel(): void {
    this.#task?.cancel();
    this.#task = undefined;
  }

  #poll(): void {
    this.#host.scheduleSoon(() => {
      this.#reckon(-1);
      this.#over();
    });
  }

  /** Changes the credit by a share of the time that has passed. */
  #reckon(share: number): void {
    const now = this.#host.clock.nowNs();
    this.#creditNs = Math.min(this.#creditNs + (now - this.#reckonedNs) * share, CREDIT_MAX_NS);
    this.#reckonedNs = now;
  }
}
