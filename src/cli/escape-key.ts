// The way out of a machine that has the whole keyboard: Ctrl-] and then a letter, as telnet and `virsh console` have taught.

const CTRL_BRACKET = 0x1d;

/** What to say before the keyboard is the guest's. */
export const ESCAPE_HINT = "Escape: Ctrl-] then q stops the machine, Ctrl-] twice sends Ctrl-].";

/** What a piece of input means: bytes for the guest, and whether to leave after them. */
export interface Keys {
  readonly forward: Uint8Array;
  readonly leave: boolean;
}

/** Finds the escape key in a stream of bytes. 1Dh is a whole character in UTF-8, so bytes are enough. */
export class EscapeKey {
  #armed = false;

  /** Any key but q and Ctrl-] after the escape key goes to the guest together with it. */
  read(input: Uint8Array): Keys {
    const forward: number[] = [];
    for (const byte of input) {
      if (!this.#armed) {
        if (byte === CTRL_BRACKET) this.#armed = true;
        else forward.push(byte);
        continue;
      }
      this.#armed = false;
      if (byte === 0x71 || byte === 0x51) return { forward: Uint8Array.from(forward), leave: true };
      forward.push(CTRL_BRACKET);
      if (byte !== CTRL_BRACKET) forward.push(byte);
    }
    return { forward: Uint8Array.from(forward), leave: false };
  }
}
