import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DEVICE_TYPES } from "./index.ts";

describe("the registry of device types", () => {
  it("gives each kind once, with a codec of the same name", () => {
    expect(new Set(DEVICE_TYPES.map(({ kind }) => kind)).size).toBe(DEVICE_TYPES.length);
    expect(DEVICE_TYPES.map(({ state }) => state.kind)).toEqual(DEVICE_TYPES.map(({ kind }) => kind));
  });

  it("has every device that has a folder", () => {
    const folders = readdirSync(new URL(".", import.meta.url), { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && entry.name !== "virtio",
    );
    expect(DEVICE_TYPES.map(({ kind }) => kind)).toEqual(expect.arrayContaining(folders.map(({ name }) => name)));
  });
});
