import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { cacheFolder } from "./region-place.ts";

describe("the folder for translated code", () => {
  it("is in the user's cache folder, wherever that is", () => {
    expect(cacheFolder(undefined, {})).toBe(join(homedir(), ".cache", "nido", "regions"));
    expect(cacheFolder(undefined, { XDG_CACHE_HOME: "/var/me" })).toBe(join("/var/me", "nido", "regions"));
    expect(cacheFolder(undefined, { XDG_CACHE_HOME: "me", NIDO_CACHE: "" })).toBe(join(homedir(), ".cache", "nido", "regions"));
  });

  it("is what NIDO_CACHE says, unless the machine has one of its own", () => {
    expect(cacheFolder(undefined, { NIDO_CACHE: "here", XDG_CACHE_HOME: "/var/me" })).toBe(resolve("here"));
    expect(cacheFolder("there", { NIDO_CACHE: "here" })).toBe(resolve("there"));
  });

  it("is none when either says off", () => {
    expect(cacheFolder("off", { NIDO_CACHE: "here" })).toBeUndefined();
    expect(cacheFolder(undefined, { NIDO_CACHE: "off" })).toBeUndefined();
    expect(cacheFolder("there", { NIDO_CACHE: "off" })).toBe(resolve("there"));
  });
});
