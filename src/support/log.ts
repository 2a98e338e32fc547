// Where the layers that must stay silent towards the guest say what they saw.

/** A sink for remarks about the guest's or the host's oddities. */
export interface Log {
  /** One line a key, however often it happens. */
  warnOnce(key: string, message: string): void;
}
