// The plug between the controller and what hangs on it: a keyboard or a mouse.

/** A device on a PS/2 wire. Its state belongs to the controller's, so that one snapshot unit holds both. */
export interface Ps2Device {
  /** Takes a byte from the controller and returns the bytes that it answers, at most 4. */
  receive(byte: number): readonly number[];
  /** Power-on state. */
  reset(): void;
}
