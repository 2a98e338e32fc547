// Every disk-image format, by the name that configuration uses.
import { VmError } from "../support/errors.ts";
import type { DiskFormat } from "./format.ts";
import { raw } from "./raw/index.ts";

/** All formats. */
export const ALL_FORMATS: readonly DiskFormat[] = [raw];

/** The format of that name. Throws CONFIG_INVALID for any other name, and lists those there are. */
export function diskFormat(name: string): DiskFormat {
  const format = ALL_FORMATS.find((each) => each.name === name);
  if (format !== undefined) return format;
  const known = ALL_FORMATS.map((each) => each.name).join(", ");
  throw new VmError("CONFIG_INVALID", `Unknown disk format ${JSON.stringify(name)}; there are: ${known}`, {
    data: { option: "format", value: name },
  });
}
