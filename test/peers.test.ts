import { describe, expect, it } from "vitest";
import { describeWithPeers, missingPeers, peer } from "./peers.ts";

describe("peers", () => {
  it("finds a program on the path, and no other", () => {
    expect(peer("node")).toMatch(/node$/);
    expect(peer("nido-no-such-program")).toBeUndefined();
    expect(peer("/dev/null")).toBe("/dev/null");
    expect(peer("/dev/nido-no-such-device")).toBeUndefined();
  });

  it("names what is missing", () => {
    expect(missingPeers(["node"])).toBeUndefined();
    expect(missingPeers(["node", "nido-no-such-program"])).toBe("needs nido-no-such-program");
  });

  it("names the package that brings it", () => {
    const path = process.env["PATH"];
    process.env["PATH"] = "";
    try {
      expect(missingPeers(["nasm"])).toBe("needs nasm (Debian package nasm)");
    } finally {
      process.env["PATH"] = path;
    }
  });

  let ran = false;
  describeWithPeers(["node"], "with a peer that is here", () => {
    it("runs", () => {
      expect(ran).toBe(false);
      ran = true;
    });
  });
  it("ran the tests whose peer is here", () => {
    expect(ran).toBe(true);
  });
});
