// 256 bytes of configuration space with a rule for every bit: fixed, writable, cleared by writing one, or changed by the device.
import { assert } from "../../support/assert.ts";
import { VmError } from "../../support/errors.ts";
import type { Width } from "../region.ts";
import { CONFIG_SIZE } from "./spec.ts";

/** The rules and the power-on content; `bytes` is the state. */
export class ConfigSpace {
  /** The registers now. */
  bytes: Uint8Array = new Uint8Array(CONFIG_SIZE);
  readonly #initial = new Uint8Array(CONFIG_SIZE);
  readonly #writable = new Uint8Array(CONFIG_SIZE);
  readonly #clearable = new Uint8Array(CONFIG_SIZE);
  readonly #volatile = new Uint8Array(CONFIG_SIZE);

  /**
   * Declares a register.
   * @param rules masks of the bits that software may write, that it clears by writing ones, and that only the device changes
   */
  define(
    offset: number,
    width: Width,
    value: number,
    rules: { readonly writable?: number; readonly clearable?: number; readonly volatile?: number } = {},
  ): void {
    assert(offset + width <= CONFIG_SIZE, "register beyond configuration space");
    put(this.#initial, offset, width, value);
    put(this.#writable, offset, width, rules.writable ?? 0);
    put(this.#clearable, offset, width, rules.clearable ?? 0);
    put(this.#volatile, offset, width, rules.volatile ?? 0);
    put(this.bytes, offset, width, value);
  }

  /** A register's value, unsigned. */
  get(offset: number, width: Width): number {
    const { bytes } = this;
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 0x100 + bytes[offset + i]!;
    return value;
  }

  /** Sets a register as the device, past all rules. */
  set(offset: number, width: Width, value: number): void {
    put(this.bytes, offset, width, value);
  }

  /** A write by software: every bit by its rule. */
  write(offset: number, width: Width, value: number): void {
    for (let i = 0; i < width; i++) {
      const at = offset + i;
      const byte = (value >>> (8 * i)) & 0xff;
      const writable = this.#writable[at]!;
      this.bytes[at] = ((this.bytes[at]! & ~writable) | (byte & writable)) & ~(byte & this.#clearable[at]!);
    }
  }

  /** Power-on content. */
  reset(): void {
    this.bytes.set(this.#initial);
  }

  /** Takes over restored bytes. Throws STATE_INVALID when they differ in bits that nothing can change. */
  adopt(bytes: Uint8Array): void {
    const at = bytes.findIndex(
      (byte, i) => ((byte ^ this.#initial[i]!) & ~(this.#writable[i]! | this.#clearable[i]! | this.#volatile[i]!)) !== 0,
    );
    if (at >= 0)
      throw new VmError("STATE_INVALID", `PCI configuration register ${at.toString(16)}h has an impossible value`, {
        data: { register: at, value: bytes[at] },
      });
    this.bytes = bytes;
  }
}

function put(bytes: Uint8Array, offset: number, width: Width, value: number): void {
  for (let i = 0; i < width; i++) bytes[offset + i] = value >>> (8 * i);
}
