// The common configuration structure of the PCI transport (VIRTIO 1.3 §4.1.4.3).
import { FLOAT, type Width } from "../device.ts";
import type { VirtioDevice } from "./device.ts";
import { half, withHalf } from "./halves.ts";
import type { QueueState } from "./queue.ts";
import type { VirtioRegisters } from "./registers.ts";
import { NO_VECTOR } from "./spec.ts";

/** MSI-X vectors that the driver chose; FFFFh for none. */
export interface VectorState {
  configVector: number;
  queueVectors: number[];
}

/** A field: where it is, how wide, and what it does. */
interface Field {
  readonly offset: number;
  readonly width: Width;
  read(): number;
  write?(value: number): void;
}

/** The structure's registers. */
export class CommonConfig<S extends object, D extends VirtioDevice<S>> {
  /** Bytes. */
  static readonly LENGTH: number = 64;
  readonly #registers: VirtioRegisters<S, D>;
  readonly #vectors: () => VectorState;
  readonly #vectorCount: number;
  readonly #fields: readonly (Field | undefined)[];

  constructor(registers: VirtioRegisters<S, D>, vectors: () => VectorState, vectorCount: number) {
    this.#registers = registers;
    this.#vectors = vectors;
    this.#vectorCount = vectorCount;
    const byOffset: (Field | undefined)[] = Array.from({ length: CommonConfig.LENGTH }, () => undefined);
    for (const field of [...this.#deviceFields(), ...this.#queueFields()]) byOffset.fill(field, field.offset, field.offset + field.width);
    this.#fields = byOffset;
  }

  /** Reads a field, or a part of one. */
  read(offset: number, width: Width): number {
    const field = this.#fields[offset];
    if (field === undefined) return 0;
    return ((field.read() >>> (8 * (offset - field.offset))) & FLOAT[width]) >>> 0;
  }

  /** Writes a field. §4.1.3.1: drivers access each one by its own width; other writes have no effect. */
  write(offset: number, width: Width, value: number): void {
    const field = this.#fields[offset];
    if (field?.offset === offset && field.width === width) field.write?.(value);
  }

  /** No vectors are chosen any more. */
  forgetVectors(): void {
    const vectors = this.#vectors();
    vectors.configVector = NO_VECTOR;
    vectors.queueVectors.fill(NO_VECTOR);
  }

  #writeStatus(value: number): void {
    this.#registers.writeStatus(value);
    if (value === 0) this.forgetVectors();
  }

  #deviceFields(): Field[] {
    const registers = this.#registers;
    return [
      {
        offset: 0x00,
        width: 4,
        read: () => registers.state.deviceFeaturesSelect,
        write: (value) => void (registers.state.deviceFeaturesSelect = value),
      },
      { offset: 0x04, width: 4, read: () => registers.deviceFeatures },
      {
        offset: 0x08,
        width: 4,
        read: () => registers.state.driverFeaturesSelect,
        write: (value) => void (registers.state.driverFeaturesSelect = value),
      },
      { offset: 0x0c, width: 4, read: () => registers.driverFeatures, write: (value) => registers.writeDriverFeatures(value) },
      {
        offset: 0x10,
        width: 2,
        read: () => this.#vectors().configVector,
        write: (value) => void (this.#vectors().configVector = this.#vector(value)),
      },
      { offset: 0x12, width: 2, read: () => registers.queues.length },
      { offset: 0x14, width: 1, read: () => registers.status, write: (value) => this.#writeStatus(value) },
      { offset: 0x15, width: 1, read: () => registers.state.configGeneration },
      { offset: 0x16, width: 2, read: () => registers.state.queueSelect, write: (value) => void (registers.state.queueSelect = value) },
    ];
  }

  // §4.1.4.3.1: a queue that does not exist has size 0.
  #queueFields(): Field[] {
    const registers = this.#registers;
    return [
      {
        offset: 0x18,
        width: 2,
        read: () => registers.selected?.state.size ?? 0,
        write: (value) => registers.setQueue((queue) => void (queue.size = value)),
      },
      { offset: 0x1a, width: 2, read: () => this.#queueVector, write: (value) => this.#setQueueVector(value) },
      {
        offset: 0x1c,
        width: 2,
        read: () => (registers.selected?.state.enabled === true ? 1 : 0),
        write: (value) => {
          if (value === 1) registers.enableQueue();
        },
      },
      { offset: 0x1e, width: 2, read: () => registers.selected?.index ?? 0 },
      ...this.#address(0x20, "desc"),
      ...this.#address(0x28, "driver"),
      ...this.#address(0x30, "device"),
    ];
  }

  #address(offset: number, name: "desc" | "driver" | "device"): Field[] {
    const registers = this.#registers;
    const part = (high: boolean): Field => ({
      offset: high ? offset + 4 : offset,
      width: 4,
      read: () => half(registers.selected?.state[name] ?? 0n, high),
      write: (value) => registers.setQueue((queue: QueueState) => void (queue[name] = withHalf(queue[name], high, value))),
    });
    return [part(false), part(true)];
  }

  get #queueVector(): number {
    return this.#vectors().queueVectors[this.#registers.state.queueSelect] ?? NO_VECTOR;
  }

  #setQueueVector(value: number): void {
    if (this.#registers.selected !== undefined) this.#vectors().queueVectors[this.#registers.state.queueSelect] = this.#vector(value);
  }

  // §4.1.5.1.2.1: a vector that cannot be used reads back as none.
  #vector(value: number): number {
    return value < this.#vectorCount ? value : NO_VECTOR;
  }
}
