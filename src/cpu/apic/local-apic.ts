// One processor's local APIC: xAPIC register page and x2APIC MSRs over one set of registers (SDM 3A chapter 11).
//
//        IO-APIC, MSI, IPIs ── receive ─┐        ┌── INTR ──> processor
//   PIC ── LINT0, NMI switch ── LINT1 ──┤ accept │
//   timer, error, performance, thermal ─┘ ─> IRR ┴─ acknowledge ─> ISR ─ EOI ─> IO-APIC (level-triggered)
//
// Everything happens at once: no message is ever in flight, so delivery status always reads idle. SMI is taken and ignored. Polarity bits are
// held but decide nothing, because lines here carry assertion and not voltage.
import { BROADCAST, DELIVERY, type InterruptMessage } from "../../bus/interrupt-message.ts";
import { FLOAT, type Width } from "../../bus/region.ts";
import { logicalX2apicId, matchesLogical, matchesLogicalX2apic } from "./addressing.ts";
import { checkState, lvtDelivery, powerOnRegisters, powerOnState, words, type LocalApicState } from "./apic-state.ts";
import { decodeApicBase, encodeApicBase } from "./base-msr.ts";
import { decodeCommand } from "./interrupt-command.ts";
import {
  addVector,
  arbitrationPriority,
  deliverableVector,
  hasVector,
  highestVector,
  processorPriority,
  removeVector,
} from "./priority.ts";
import {
  ACCESS,
  ESR,
  ICR_SHORTHAND_SHIFT,
  LVT_DELIVERY_SHIFT,
  LVT_LEVEL,
  LVT_MASKED,
  LVT_REGISTERS,
  LVT_REMOTE_IRR,
  LVT_TIMER_MODE_SHIFT,
  MSR,
  REG,
  REGISTER_ACCESS,
  REGISTER_COUNT,
  RESERVED,
  SHORTHAND,
  SVR_ENABLE,
  SVR_SUPPRESS_EOI_BROADCAST,
  VERSION_VALUE,
  WRITABLE,
} from "./registers.ts";
import { ApicTimer, idleTimer } from "./timer.ts";
import { EVENT_REGISTER, type LocalApicConfig, type LocalApicWiring, type LocalEvent } from "./wiring.ts";

/** A local APIC. */
export class LocalApic {
  readonly id: number;
  readonly #config: LocalApicConfig;
  readonly #wiring: LocalApicWiring;
  readonly #timer: ApicTimer;
  #interruptLine = false;
  readonly state: LocalApicState;
  #registers: Uint32Array;

  constructor(config: LocalApicConfig, wiring: LocalApicWiring) {
    this.id = config.id;
    this.#config = config;
    this.#wiring = wiring;
    this.state = powerOnState(config.bootstrap);
    this.#registers = words(this.state.registers);
    const { clock } = wiring;
    const tscNow = (): bigint => wiring.tscNow();
    const expired = (): void => void this.#raise(REG.LVT_TIMER);
    this.#timer = new ApicTimer({ clock, tscNow, tscHz: config.tscHz, timerHz: config.timerHz, expired }, this.state.timer);
  }

  /** Where the register page is now, or -1 when the APIC decodes none (disabled, or x2APIC mode). */
  get mmioBase(): number {
    return this.state.mode === "xapic" ? this.state.base : -1;
  }

  /** Power-on. Pin levels stay as they are driven. */
  reset(): void {
    const { lint0, lint1 } = this.state;
    Object.assign(this.state, powerOnState(this.#config.bootstrap), { lint0, lint1 });
    this.#adoptState();
  }

  /** INIT: as power-on, but mode, base and the bootstrap flag stay (SDM 3A §11.4.7.3). Does not tell the processor. */
  init(): void {
    this.#clearRegisters();
    this.state.waitingForStartUp = !this.state.bootstrap;
    this.#update();
  }

  /** Follows a restored `state`. Throws VmError STATE_INVALID when it is impossible. */
  resync(): void {
    checkState(this.state, this.#wiring.clock.now());
    this.#adoptState();
    this.#wiring.setInterruptLine(this.#interruptLine);
  }

  /** Puts the APIC into virtual-wire mode as firmware leaves it: enabled, the 8259A on LINT0, NMI on LINT1 (MP 1.4 §3.6.2.2). */
  enterVirtualWireMode(): void {
    this.#writeRegister(REG.SVR, SVR_ENABLE | 0xff);
    this.#writeRegister(REG.LVT_LINT0, DELIVERY.EXT_INT << LVT_DELIVERY_SHIFT);
    this.#writeRegister(REG.LVT_LINT1, DELIVERY.NMI << LVT_DELIVERY_SHIFT);
  }

  // Interrupts in and out.

  /** Takes a fixed interrupt into the IRR (SDM 3A §11.8.4); false when it is refused: APIC disabled, or a vector below 16. */
  accept(vector: number, level: boolean): boolean {
    if (!this.#softwareEnabled) return false;
    if (vector < 16) {
      this.#error(ESR.RECEIVE_ILLEGAL_VECTOR);
      return false;
    }
    addVector(this.#registers, REG.IRR, vector);
    if (level) addVector(this.#registers, REG.TMR, vector);
    else removeVector(this.#registers, REG.TMR, vector);
    this.#update();
    return true;
  }

  /** Whether the INTR input of the processor is high. */
  pending(): boolean {
    return this.#externalPending() || (this.state.mode !== "disabled" && deliverableVector(this.#registers) >= 0);
  }

  /** The processor's INTA cycle: the vector to take, which is now in service. -1 when nothing ever was requested. */
  acknowledge(): number {
    // ExtINT goes straight to the processor core, past the priorities (SDM 3A §11.8.1).
    if (this.#externalPending()) {
      this.state.externalInterrupt = false;
      const vector = this.#wiring.acknowledgePic();
      this.#update();
      return vector;
    }
    const vector = deliverableVector(this.#registers);
    if (vector < 0 || this.state.mode === "disabled") return this.#spurious();
    removeVector(this.#registers, REG.IRR, vector);
    addVector(this.#registers, REG.ISR, vector);
    this.#update();
    return vector;
  }

  /** Takes a message that `matches` said is for this APIC; false when it is refused. */
  receive({ delivery, vector, level }: InterruptMessage): boolean {
    return this.#perform(delivery, vector, level);
  }

  /** Whether a message's destination includes this APIC (SDM 3A §11.6.2 and §11.12.10). */
  matches(destination: number, logical: boolean): boolean {
    if (this.state.mode === "disabled") return false;
    if (destination === BROADCAST) return true;
    const x2apic = this.state.mode === "x2apic";
    if (!logical) return destination === (x2apic ? this.id : this.id & 0xff);
    if (x2apic) return matchesLogicalX2apic(destination, this.id);
    return matchesLogical(destination, this.#registers[REG.LDR]!, this.#registers[REG.DFR]!);
  }

  /** Whether fixed interrupts are accepted, so that lowest-priority delivery may choose this APIC. */
  get accepting(): boolean {
    return this.#softwareEnabled;
  }

  /** Arbitration priority: the lowest of several APICs gets a lowest-priority message. */
  get arbitrationPriority(): number {
    return arbitrationPriority(this.#registers);
  }

  /** Drives the LINT0 pin: INTR while the APIC is disabled, otherwise what LVT_LINT0 says. The board leads the 8259A's output here. */
  setLint0(level: boolean): void {
    const rising = level && !this.state.lint0;
    this.state.lint0 = level;
    if (this.state.mode !== "disabled") this.#servicePin(REG.LVT_LINT0, level, rising);
    this.#update();
  }

  /** Drives the LINT1 pin: NMI while the APIC is disabled, otherwise what LVT_LINT1 says. */
  setLint1(level: boolean): void {
    const rising = level && !this.state.lint1;
    this.state.lint1 = level;
    if (this.state.mode !== "disabled") this.#servicePin(REG.LVT_LINT1, level, rising);
    else if (rising) this.#wiring.nmi();
  }

  /** Signals an event of the processor through its local vector table entry. */
  signal(event: LocalEvent): void {
    const register = EVENT_REGISTER[event];
    if (!this.#raise(register)) return;
    // A performance-monitoring interrupt masks its entry (SDM 3A §11.5.1).
    if (event === "performance") this.#registers[register]! |= LVT_MASKED;
  }

  /** Follows a change of the time-stamp counter other than by the passing of time (WRMSR, restore). */
  tscChanged(): void {
    this.#timer.tscChanged();
  }

  // The doors: register page, MSRs, CR8.

  /** Reads the register page. Registers are the first four bytes of each sixteen; the rest reads as zero. */
  read(offset: number, width: Width): number {
    const within = offset & 15;
    if (within + width > 4) return 0;
    const index = (offset & 0xfff) >>> 4;
    if (!this.#exists(index, ACCESS.XAPIC_READ)) return 0;
    return ((this.#readRegister(index) >>> (within * 8)) & FLOAT[width]) >>> 0;
  }

  /** Writes the register page: aligned 32-bit writes alone reach a register (SDM 3A §11.4.1). */
  write(offset: number, width: Width, value: number): void {
    if (width !== 4 || (offset & 15) !== 0) return;
    const index = (offset & 0xfff) >>> 4;
    if (this.#exists(index, ACCESS.XAPIC_WRITE)) this.#writeRegister(index, value);
  }

  /** RDMSR of an MSR that belongs here; undefined when it is not one, or not in this mode. */
  readMsr(index: number): bigint | undefined {
    if (index === MSR.IA32_APIC_BASE) return encodeApicBase(this.state);
    if (index === MSR.IA32_TSC_DEADLINE) return this.#timer.deadline;
    const register = index - MSR.X2APIC_FIRST;
    if (!this.#hasX2apicRegister(register, ACCESS.X2APIC_READ)) return undefined;
    const low = BigInt(this.#readRegister(register));
    return register === REG.ICR_LOW ? (BigInt(this.#registers[REG.ICR_HIGH]!) << 32n) | low : low;
  }

  /** WRMSR: true when taken, false for #GP, undefined when the MSR does not belong here. */
  writeMsr(index: number, value: bigint): boolean | undefined {
    if (index === MSR.IA32_APIC_BASE) return this.#writeBase(value);
    if (index === MSR.IA32_TSC_DEADLINE) {
      this.#timer.setDeadline(value);
      return true;
    }
    if (index < MSR.X2APIC_FIRST || index > MSR.X2APIC_LAST) return undefined;
    return this.#writeX2apic(index - MSR.X2APIC_FIRST, value);
  }

  /** CR8: the task-priority class, 0..15 (SDM 3A §11.8.6). */
  readCr8(): number {
    return this.#registers[REG.TPR]! >>> 4;
  }

  writeCr8(priority: number): void {
    this.#writeRegister(REG.TPR, (priority & 15) << 4);
  }

  // Registers.

  #exists(index: number, access: number): boolean {
    if (index < REGISTER_COUNT && (REGISTER_ACCESS[index]! & access) !== 0) return true;
    this.#error(ESR.ILLEGAL_REGISTER);
    return false;
  }

  #hasX2apicRegister(register: number, access: number): boolean {
    return this.state.mode === "x2apic" && register >= 0 && register < REGISTER_COUNT && (REGISTER_ACCESS[register]! & access) !== 0;
  }

  #writeX2apic(register: number, value: bigint): boolean {
    if (!this.#hasX2apicRegister(register, ACCESS.X2APIC_WRITE)) return false;
    const low = Number(value & 0xffff_ffffn);
    const high = Number(value >> 32n);
    if ((low & RESERVED[register]!) !== 0 || (high !== 0 && register !== REG.ICR_LOW)) return false;
    if (register === REG.ICR_LOW) this.#registers[REG.ICR_HIGH] = high;
    this.#writeRegister(register, low);
    return true;
  }

  #readRegister(index: number): number {
    switch (index) {
      case REG.ID:
        return this.state.mode === "x2apic" ? this.id : ((this.id & 0xff) << 24) >>> 0;
      case REG.VERSION:
        return VERSION_VALUE;
      case REG.APR:
        return arbitrationPriority(this.#registers);
      case REG.PPR:
        return processorPriority(this.#registers);
      case REG.LDR:
        return this.state.mode === "x2apic" ? logicalX2apicId(this.id) : this.#registers[REG.LDR]!;
      case REG.INITIAL_COUNT:
        return this.#timer.initialCount;
      case REG.CURRENT_COUNT:
        return this.#timer.currentCount;
      case REG.DIVIDE:
        return this.#timer.divideConfiguration;
      default:
        return this.#registers[index]!;
    }
  }

  #writeRegister(index: number, written: number): void {
    const value = written & WRITABLE[index]!;
    switch (index) {
      case REG.TPR:
        this.#registers[REG.TPR] = value;
        return this.#update();
      case REG.EOI:
        return this.#endOfInterrupt();
      case REG.DFR:
        this.#registers[REG.DFR] = value | 0x0fff_ffff;
        return;
      case REG.SVR:
        return this.#writeSpurious(value);
      case REG.ESR:
        return this.#latchErrors();
      case REG.ICR_LOW:
        this.#registers[REG.ICR_LOW] = value;
        return this.#sendInterrupt(value);
      case REG.INITIAL_COUNT:
        return this.#timer.setInitialCount(value >>> 0);
      case REG.DIVIDE:
        return this.#timer.setDivideConfiguration(value);
      case REG.SELF_IPI:
        return this.#sendInterrupt((SHORTHAND.SELF << ICR_SHORTHAND_SHIFT) | value);
      case REG.LDR:
      case REG.ICR_HIGH:
        this.#registers[index] = value;
        return;
      default:
        if (LVT_REGISTERS.includes(index)) this.#writeLocalVector(index, value);
    }
  }

  #writeBase(value: bigint): boolean {
    const next = decodeApicBase(value, this.state.mode, this.#config.physicalBits, this.#config.x2apic);
    if (next === undefined) return false;
    const before = this.state.mode;
    Object.assign(this.state, next);
    // Disabling loses the registers (SDM 3A §11.4.3); the ICR's high half does not survive the way to x2APIC mode (§11.12.5.1).
    if (next.mode === "disabled" && before !== "disabled") this.#clearRegisters();
    else if (next.mode !== before) this.#registers[REG.ICR_HIGH] = 0;
    this.#update();
    return true;
  }

  #writeSpurious(value: number): void {
    this.#registers[REG.SVR] = value;
    if ((value & SVR_ENABLE) !== 0) return;
    // Software-disabled: every entry is masked and stays so (SDM 3A §11.4.7.2).
    for (const index of LVT_REGISTERS) this.#writeLocalVector(index, this.#registers[index]!);
  }

  #writeLocalVector(index: number, value: number): void {
    const forced = this.#softwareEnabled ? 0 : LVT_MASKED;
    if (index === REG.LVT_TIMER) this.#timer.catchUp();
    const remote = (value & LVT_LEVEL) !== 0 ? this.#registers[index]! & LVT_REMOTE_IRR : 0;
    this.#registers[index] = (value & ~LVT_REMOTE_IRR) | remote | forced;
    if (index === REG.LVT_TIMER) this.#configureTimer();
    else if (index === REG.LVT_LINT0) this.#servicePin(index, this.state.lint0, false);
    this.#update();
  }

  #configureTimer(): void {
    const entry = this.#registers[REG.LVT_TIMER]!;
    this.#timer.configure((entry >>> LVT_TIMER_MODE_SHIFT) & 3, (entry & LVT_MASKED) !== 0);
  }

  #clearRegisters(): void {
    powerOnRegisters(this.#registers);
    Object.assign(this.state.timer, idleTimer());
    this.state.errors = 0;
    this.state.externalInterrupt = false;
    this.#configureTimer();
  }

  /** Makes the private views follow `state`. */
  #adoptState(): void {
    // Restored bytes may lie anywhere in a buffer; words need their own, aligned one.
    this.state.registers = new Uint8Array(this.state.registers);
    this.#registers = words(this.state.registers);
    const entry = this.#registers[REG.LVT_TIMER]!;
    this.#timer.adopt(this.state.timer, (entry >>> LVT_TIMER_MODE_SHIFT) & 3, (entry & LVT_MASKED) !== 0);
    this.#update();
  }

  // Inside.

  get #softwareEnabled(): boolean {
    return this.state.mode !== "disabled" && (this.#registers[REG.SVR]! & SVR_ENABLE) !== 0;
  }

  #externalPending(): boolean {
    if (this.state.externalInterrupt) return true;
    if (!this.state.lint0) return false;
    const entry = this.#registers[REG.LVT_LINT0]!;
    return this.state.mode === "disabled" || ((entry & LVT_MASKED) === 0 && lvtDelivery(entry) === DELIVERY.EXT_INT);
  }

  /** A request that the task priority has overtaken gives the spurious vector, which is not in service (SDM 3A §11.9). */
  #spurious(): number {
    const requested = this.state.mode !== "disabled" && highestVector(this.#registers, REG.IRR) >= 0;
    return requested ? this.#registers[REG.SVR]! & 0xff : -1;
  }

  #update(): void {
    const level = this.pending();
    if (level === this.#interruptLine) return;
    this.#interruptLine = level;
    this.#wiring.setInterruptLine(level);
  }

  #endOfInterrupt(): void {
    const vector = highestVector(this.#registers, REG.ISR);
    if (vector < 0) return;
    removeVector(this.#registers, REG.ISR, vector);
    if (hasVector(this.#registers, REG.TMR, vector)) this.#endLevel(vector);
    this.#update();
  }

  #endLevel(vector: number): void {
    const pin = this.#registers[REG.LVT_LINT0]!;
    if ((pin & LVT_REMOTE_IRR) !== 0 && (pin & 0xff) === vector) {
      this.#registers[REG.LVT_LINT0] = pin & ~LVT_REMOTE_IRR;
      this.#servicePin(REG.LVT_LINT0, this.state.lint0, false);
    }
    if ((this.#registers[REG.SVR]! & SVR_SUPPRESS_EOI_BROADCAST) === 0) this.#wiring.endOfInterrupt(vector);
  }

  #servicePin(register: number, level: boolean, rising: boolean): void {
    const entry = this.#registers[register]!;
    if ((entry & LVT_MASKED) !== 0 || lvtDelivery(entry) === DELIVERY.EXT_INT) return;
    // LINT1 is edge-triggered whatever its entry says, and so is everything but a fixed interrupt (SDM 3A §11.5.1).
    const byLevel = register === REG.LVT_LINT0 && (entry & LVT_LEVEL) !== 0 && lvtDelivery(entry) === DELIVERY.FIXED;
    if (!byLevel) {
      if (rising) this.#raise(register);
    } else if (level && (entry & LVT_REMOTE_IRR) === 0 && this.accept(entry & 0xff, true)) {
      this.#registers[register] = entry | LVT_REMOTE_IRR;
    }
  }

  /** Delivers what a local vector table entry says, unless it is masked. */
  #raise(register: number): boolean {
    const entry = this.#registers[register]!;
    return (entry & LVT_MASKED) === 0 && this.#perform(lvtDelivery(entry), entry & 0xff, false);
  }

  #perform(delivery: number, vector: number, level: boolean): boolean {
    switch (delivery) {
      case DELIVERY.FIXED:
      case DELIVERY.LOWEST_PRIORITY:
        return this.accept(vector, level);
      case DELIVERY.SMI:
        return true;
      case DELIVERY.NMI:
        this.#wiring.nmi();
        return true;
      case DELIVERY.INIT:
        this.init();
        this.#wiring.init();
        return true;
      case DELIVERY.START_UP:
        return this.#startUp(vector);
      case DELIVERY.EXT_INT:
        this.state.externalInterrupt = true;
        this.#update();
        return true;
      default:
        return false;
    }
  }

  /** Only a processor that waits for it heeds a start-up message (SDM 3A §9.4.3). */
  #startUp(vector: number): boolean {
    if (!this.state.waitingForStartUp) return false;
    this.state.waitingForStartUp = false;
    this.#wiring.startUp(vector);
    return true;
  }

  /** Notes an error; the first since ESR was last written raises the error interrupt (SDM 3A §11.5.3). */
  #error(bit: number): void {
    const armed = this.state.errors === 0;
    this.state.errors |= bit;
    if (armed) this.#raise(REG.LVT_ERROR);
  }

  #latchErrors(): void {
    this.#registers[REG.ESR] = this.state.errors;
    this.state.errors = 0;
  }

  #sendInterrupt(command: number): void {
    const ipi = decodeCommand(command, this.#registers[REG.ICR_HIGH]!, this.state.mode === "x2apic");
    if (ipi === undefined) return;
    if (ipi === "illegal-vector") this.#error(ESR.SEND_ILLEGAL_VECTOR);
    else if (ipi.to === "self") this.accept(ipi.message.vector, false);
    else if (ipi.to === "others") this.#wiring.deliverToOthers(ipi.message);
    else this.#wiring.deliver(ipi.message);
  }
}
