/** The packages that pins.json names. */
export interface Pins {
  readonly suite: string;
  readonly packages: Readonly<Record<string, object>>;
}

export declare function provenance(pins: Pins, release: string): string;
