// One port of a console device, as the host sees it: a stream in each direction, both with back-pressure.

/** The host's end of a port. */
export interface PortListener {
  /**
   * Bytes from the guest; a view of guest memory, valid only during the call. Returning false holds back what follows until
   * `port.resume()`; the bytes given have been taken all the same.
   */
  data(bytes: Uint8Array): boolean | void;
  /** The guest opened the port (or its driver started, for a port that is always open). */
  open?(): void;
  /** The guest closed the port, reset the device or went away. */
  close?(): void;
  /** `write` may be called again after it returned false. */
  drain?(): void;
}

/** What a port needs from its device. */
export interface PortOwner {
  /** The host's end came or went. */
  hostChanged(): void;
  /** There are bytes for the guest. */
  inputWaiting(): void;
  /** The host takes output again. */
  outputWanted(): void;
}

// More than any terminal types ahead; a pipe of a host holds as much.
const HIGH_WATER = 0x1_0000;

/** A port. Input waits here until the guest takes it, also through a reset of the device: the bytes belong to the host. */
export class ConsolePort {
  /** "" when it has no name. */
  readonly name: string;
  readonly #owner: PortOwner;
  #listener: PortListener | undefined;
  #input: Uint8Array = new Uint8Array();
  #full = false;
  #held = false;
  #guestOpen = false;
  #ending = false;

  constructor(name: string, owner: PortOwner) {
    this.name = name;
    this.#owner = owner;
  }

  /** The guest has the port open. */
  get guestOpen(): boolean {
    return this.#guestOpen;
  }

  /** The host has its end connected. */
  get hostOpen(): boolean {
    return this.#listener !== undefined;
  }

  /** Connects the host's end, in place of an earlier one. Output that nobody listens to is lost. */
  connect(listener: PortListener): void {
    this.#listener = listener;
    this.#held = false;
    this.#ending = false;
    this.#owner.hostChanged();
    if (this.#guestOpen) listener.open?.();
    this.#owner.outputWanted();
  }

  /** Takes the host's end away; a guest that can tell sees the port closed. */
  disconnect(): void {
    this.#listener = undefined;
    this.#held = false;
    this.#owner.hostChanged();
    this.#owner.outputWanted();
  }

  /** Takes the host's end away as soon as the guest has had all that was written: it then sees the end of its input. */
  end(): void {
    this.#ending = true;
    this.#endIfDrained();
  }

  /** Sends bytes to the guest; they are copied. False asks the caller to wait for `drain` before the next write. */
  write(bytes: Uint8Array): boolean {
    const joined = new Uint8Array(this.#input.length + bytes.length);
    joined.set(this.#input);
    joined.set(bytes, this.#input.length);
    this.#input = joined;
    this.#owner.inputWaiting();
    this.#full = this.#input.length >= HIGH_WATER;
    return !this.#full;
  }

  /** Lets output flow again after `data` returned false. */
  resume(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#owner.outputWanted();
  }

  /** Bytes that wait for the guest. */
  get input(): Uint8Array {
    return this.#input;
  }

  /** Output is held back. */
  get held(): boolean {
    return this.#held;
  }

  /** The guest took the first `count` bytes of the input. */
  taken(count: number): void {
    this.#input = this.#input.subarray(count);
    this.#endIfDrained();
    if (!this.#full || this.#input.length > HIGH_WATER / 2) return;
    this.#full = false;
    this.#listener?.drain?.();
  }

  #endIfDrained(): void {
    if (!this.#ending || this.#input.length > 0) return;
    this.#ending = false;
    this.disconnect();
  }

  /** Bytes from the guest. */
  output(bytes: Uint8Array): void {
    if (this.#listener?.data(bytes) === false) this.#held = true;
  }

  /** The guest opened or closed its end. What an earlier opener did not read is not for the next one. */
  setGuestOpen(open: boolean, keepInput: boolean): void {
    if (open === this.#guestOpen) return;
    this.#guestOpen = open;
    if (!open && !keepInput) this.taken(this.#input.length);
    if (open) this.#listener?.open?.();
    else this.#listener?.close?.();
  }
}
