import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VmError } from "../support/errors.ts";
import { parseArguments, type Flag } from "./arguments.ts";

const FLAGS: readonly Flag[] = [
  { name: "--memory", placeholder: "SIZE", describe: "" },
  { name: "--disk", placeholder: "FILE", repeated: true, describe: "" },
  { name: "--verbose", describe: "" },
  { name: "--help", short: "-h", describe: "" },
];

function refusal(...argv: string[]): string {
  try {
    parseArguments(argv, FLAGS);
  } catch (error) {
    if (VmError.is(error, "CONFIG_INVALID")) return error.message;
  }
  return "accepted";
}

describe("command lines", () => {
  it("have values behind a space or an equals sign", () => {
    const args = parseArguments(["--memory", "1G", "image", "--disk=a,format=raw", "--disk", "b=c", "--verbose", "-h"], FLAGS);
    expect([args.value("--memory"), args.values("--disk"), args.has("--verbose"), args.has("--help")]).toEqual([
      "1G",
      ["a,format=raw", "b=c"],
      true,
      true,
    ]);
    expect([args.positionals, args.rest]).toEqual([["image"], undefined]);
  });

  it("end with what belongs to the guest, flags and all", () => {
    const args = parseArguments(["--verbose", "--", "ls", "--memory", "--", "-x"], FLAGS);
    expect([args.has("--memory"), args.rest]).toEqual([false, ["ls", "--memory", "--", "-x"]]);
    expect(parseArguments(["--"], FLAGS).rest).toEqual([]);
  });

  it("are refused with the reason, and the nearest flag", () => {
    expect(refusal("--memroy", "1G")).toBe("Unknown option --memroy. Did you mean --memory?");
    expect(refusal("--memroy=1G")).toBe("Unknown option --memroy. Did you mean --memory?");
    expect(refusal("-x")).toBe("Unknown option -x.");
    expect(refusal("--memory")).toBe("Option --memory needs a value: --memory SIZE");
    expect(refusal("--memory", "--verbose")).toBe("Option --memory needs a value: --memory SIZE");
    expect(refusal("--memory", "--", "ls")).toBe("Option --memory needs a value: --memory SIZE");
    expect(refusal("--memory=1G", "--memory=2G")).toBe("Option --memory is given twice");
    expect(refusal("--verbose=yes")).toBe('Option --verbose takes no value, and has "yes"');
  });

  it("never lose or invent a word of the guest's", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (rest) => {
        expect(parseArguments(["--verbose", "--", ...rest], FLAGS).rest).toEqual(rest);
      }),
    );
  });

  it("are taken apart or refused, whatever they are", () => {
    const word = fc.oneof(fc.string(), fc.constantFrom("--memory", "--disk", "--verbose", "--", "-h", "--memory=", "-"));
    fc.assert(
      fc.property(fc.array(word), (argv) => {
        try {
          parseArguments(argv, FLAGS);
        } catch (error) {
          expect(VmError.is(error, "CONFIG_INVALID")).toBe(true);
        }
      }),
    );
  });
});
