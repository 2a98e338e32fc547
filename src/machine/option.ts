// The vocabulary in which config.ts describes a machine's options: how a value is read (typed, or as text from a command line),
// and the words that help, documentation and error messages say about it.
import { formatDuration, formatSize, parseDuration, parseSize } from "../support/quantity.ts";

/** How one option is read and described. */
export interface Option<T> {
  /** What it sets, as one sentence. */
  readonly describe: string;
  /** The word that stands for its value: SIZE. */
  readonly placeholder: string;
  /** The values it takes, in words. */
  readonly accepts: string;
  /** What holds when it is not given, in words. */
  readonly otherwise: string;
  /** Whether it is a list, which a command line gives by repeating the flag. */
  readonly repeated: boolean;
  /** The value, or undefined when it is not one of those accepted. */
  read(value: unknown): T | undefined;
}

/** What every option says of itself. */
interface Words {
  readonly describe: string;
  readonly otherwise: string;
}

/** A number of bytes or a text such as 512M, within a range and a multiple of `step`. */
export function size(words: Words, range: { readonly min: number; readonly max: number; readonly step: number }): Option<number> {
  const { min, max, step } = range;
  return {
    ...words,
    placeholder: "SIZE",
    accepts: `${formatSize(min)} to ${formatSize(max)}, in steps of ${formatSize(step)}`,
    repeated: false,
    read: (value) => {
      const bytes = typeof value === "string" ? parseSize(value) : value;
      return typeof bytes === "number" && bytes >= min && bytes <= max && bytes % step === 0 ? bytes : undefined;
    },
  };
}

/** A number of milliseconds or a text such as 60s, within a range. */
export function duration(words: Words, range: { readonly min: number; readonly max: number }): Option<number> {
  return {
    ...words,
    placeholder: "TIME",
    accepts: `${formatDuration(range.min)} to ${formatDuration(range.max)}`,
    repeated: false,
    read: (value) => {
      const ms = typeof value === "string" ? parseDuration(value) : value;
      return typeof ms === "number" && ms >= range.min && ms <= range.max ? ms : undefined;
    },
  };
}

/** One of a few words. */
export function choice<const T extends string>(words: Words, placeholder: string, values: readonly T[]): Option<T> {
  return {
    ...words,
    placeholder,
    accepts: values.join(" or "),
    repeated: false,
    read: (value) => values.find((each) => each === value),
  };
}

/** Text without NUL, of at most `maxBytes` bytes as UTF-8. */
export function text(words: Words, maxBytes: number): Option<string> {
  return {
    ...words,
    placeholder: "TEXT",
    accepts: `at most ${maxBytes} bytes of text`,
    repeated: false,
    read: (value) => (isText(value) && new TextEncoder().encode(value).length <= maxBytes ? value : undefined),
  };
}

/** The path of a file. */
export function path(words: Words): Option<string> {
  return {
    ...words,
    placeholder: "FILE",
    accepts: "the path of a file",
    repeated: false,
    read: (value) => (isText(value) && value !== "" ? value : undefined),
  };
}

/** The path of a file, or its content. */
export function file(words: Words): Option<string | Uint8Array> {
  return {
    ...words,
    placeholder: "FILE",
    accepts: "the path of a file, or its bytes",
    repeated: false,
    read: (value) => ((isText(value) && value !== "") || value instanceof Uint8Array ? value : undefined),
  };
}

/** Up to `max` values, each as `item` takes it. */
export function list<T>(item: Option<T>, max: number): Option<readonly T[]> {
  return {
    ...item,
    accepts: `up to ${max} of: ${item.accepts}`,
    repeated: true,
    read: (value) => {
      if (!Array.isArray(value) || value.length > max) return undefined;
      const read = value.map((each: unknown) => item.read(each));
      return read.some((each) => each === undefined) ? undefined : (read as T[]);
    },
  };
}

/** Whether the value is a string that a C program could be given. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}
