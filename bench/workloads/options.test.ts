import { describe, expect, it } from "vitest";
import { readOptions } from "./options.ts";

describe("readOptions", () => {
  it("measures everything unless told otherwise", () => {
    expect(readOptions([])).toEqual({
      rounds: 3,
      sections: ["boot", "parts", "micro", "programs", "v86"],
      rows: [],
      nodes: [],
      engine: undefined,
      checkout: undefined,
      append: "",
      nidoOnly: false,
      warmUp: 0,
      limitMs: 900_000,
      record: undefined,
    });
  });

  it("takes lists with commas and repeated", () => {
    const options = readOptions(["--only", "micro,parts", "--only", "v86", "--rows", "alu,dd", "--node", "20", "--node", "/n/node"]);
    expect(options).toMatchObject({ sections: ["parts", "micro", "v86"], rows: ["alu", "dd"], nodes: ["20", "/n/node"] });
  });

  it.each([
    [["--rounds", "0"], "--rounds"],
    [["--limit", "soon"], "--limit"],
    [["--only", "macro"], "--only takes boot"],
    [["--rows", "a b"], "--rows"],
    [["--record", "../x"], "--record"],
    [["--fast"], "--fast"],
    [["3"], "3"],
  ])("refuses %j", (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });

  it("knows when help is asked for", () => {
    expect(readOptions(["--help"])).toBeUndefined();
  });
});
