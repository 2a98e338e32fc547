/** One entry of an archive: a directory (its mode), a file, a symbolic link (its target) or a character device (major, minor). */
export type CpioEntry =
  | { readonly directory: number }
  | { readonly file: Uint8Array | string; readonly mode: number }
  | { readonly link: string }
  | { readonly device: readonly [number, number] };

export declare function packCpio(entries: Readonly<Record<string, CpioEntry>>): Buffer;
