import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VmError } from "../../support/errors.ts";
import { inPort, outPort } from "../../testing/access.ts";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, type FakeWiring } from "../../testing/fake-wiring.ts";
import { fwCfg, type FwCfg, type FwCfgConfig } from "./index.ts";
import {
  DATA_PORT,
  DMA_ERROR,
  DMA_PORT,
  DMA_READ,
  DMA_SELECT,
  DMA_SKIP,
  DMA_WRITE,
  FW_CFG_FILE_DIR,
  FW_CFG_ID,
  MAX_FILES,
  SELECTOR_PORT,
} from "./spec.ts";

const text = (characters: string): Uint8Array => new TextEncoder().encode(characters);
const FILES = [
  { name: "etc/system-states", data: text("ABCDEF") },
  { name: "etc/e820", data: Uint8Array.from({ length: 40 }, (_, index) => index) },
];
const CONFIG: FwCfgConfig = { files: FILES, items: [{ selector: 5, data: Uint8Array.of(2, 0) }] };

function rig(config: FwCfgConfig = CONFIG): { device: FwCfg; wiring: FakeWiring } {
  const wiring = fakeWiring();
  return { device: fwCfg.create(config, wiring), wiring };
}

function readItem(device: FwCfg, selector: number, length: number): number[] {
  outPort(device, SELECTOR_PORT, selector, 2);
  return Array.from({ length }, () => inPort(device, DATA_PORT));
}

/** Performs a DMA request at 8000h with its data at `target`; returns the control word afterwards. */
function dma({ device, wiring }: { device: FwCfg; wiring: FakeWiring }, control: number, length: number, target: bigint = 0x9000n): number {
  const request = new DataView(new ArrayBuffer(16));
  request.setUint32(0, control);
  request.setUint32(4, length);
  request.setBigUint64(8, target);
  wiring.memory.write(0x8000, new Uint8Array(request.buffer));
  outPort(device, DMA_PORT, 0, 4);
  outPort(device, DMA_PORT + 4, 0x0080_0000, 4);
  return new DataView(wiring.memory.bytes(0x8000, 4).slice().buffer).getUint32(0);
}

deviceContract(fwCfg, CONFIG, (device) => {
  readItem(device, 0x20, 3);
  outPort(device, DMA_PORT, 0x0100_0000, 4);
});

describe("the ports (QEMU fw_cfg)", () => {
  it("identify the device, with DMA", () => {
    const { device } = rig();
    expect(readItem(device, 0, 4)).toEqual([...text("QEMU")]);
    expect(readItem(device, FW_CFG_ID, 4)).toEqual([3, 0, 0, 0]);
    expect(inPort(device, DMA_PORT, 4)).toBe(0x554d_4551);
    expect(inPort(device, DMA_PORT + 4, 4)).toBe(0x4746_4320);
  });

  it("give items, zeros after them, and nothing for selectors without one", () => {
    const { device } = rig();
    expect(readItem(device, 5, 4)).toEqual([2, 0, 0, 0]);
    expect(readItem(device, 0x1234, 2)).toEqual([0, 0]);
    expect(readItem(device, 5 | 0x4000, 1)).toEqual([2]);
    expect(inPort(device, SELECTOR_PORT, 2)).toBe(0xffff);
  });

  it("list the files in the order of their names", () => {
    const { device } = rig();
    const bytes = Uint8Array.from(readItem(device, FW_CFG_FILE_DIR, 4 + 2 * 64));
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(0)).toBe(2);
    const entries = [4, 68].map((at) => [
      view.getUint32(at),
      view.getUint16(at + 4),
      String.fromCharCode(...bytes.subarray(at + 8, at + 64)).replace(/\0+$/, ""),
    ]);
    expect(entries).toEqual([
      [40, 0x20, "etc/e820"],
      [6, 0x21, "etc/system-states"],
    ]);
    expect(readItem(device, 0x21, 6)).toEqual([...text("ABCDEF")]);
  });
});

describe("DMA (QEMU fw_cfg)", () => {
  it("selects and reads in one request, with zeros after the item", () => {
    const it = rig();
    it.wiring.memory.write(0x9000, new Uint8Array(16).fill(0xee));
    expect(dma(it, (0x21 << 16) | DMA_SELECT | DMA_READ, 8)).toBe(0);
    expect([...it.wiring.memory.bytes(0x9000, 9)]).toEqual([...text("ABCDEF"), 0, 0, 0xee]);
  });

  it("goes on where the last request stopped, and skips", () => {
    const it = rig();
    dma(it, (0x20 << 16) | DMA_SELECT | DMA_SKIP, 10);
    expect(dma(it, DMA_READ, 2)).toBe(0);
    expect(dma(it, DMA_READ, 1, 0x9002n)).toBe(0);
    expect([...it.wiring.memory.bytes(0x9000, 3)]).toEqual([10, 11, 12]);
  });

  it("answers writes and addresses outside of memory with an error", () => {
    const it = rig();
    expect(dma(it, (0x21 << 16) | DMA_SELECT | DMA_WRITE, 4)).toBe(DMA_ERROR);
    expect(dma(it, DMA_READ, 4, 0xf_fffen)).toBe(DMA_ERROR);
    expect(dma(it, DMA_READ, 4, 0xffff_ffff_ffff_ffffn)).toBe(DMA_ERROR);
    expect(dma(it, DMA_READ, 0xffff_ffff)).toBe(DMA_ERROR);
  });

  it("ignores a request that is not in memory", () => {
    const { device, wiring } = rig();
    outPort(device, DMA_PORT, 0xffff_ffff, 4);
    outPort(device, DMA_PORT + 4, 0xffff_ffff, 4);
    expect(wiring.log.messages.size).toBe(1);
  });

  it("reads the same bytes as the ports do", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ skip: fc.nat(12), length: fc.integer({ min: 1, max: 30 }) }), { maxLength: 8 }), (steps) => {
        const byDma = rig();
        const byPort = rig();
        readItem(byPort.device, 0x20, 0);
        dma(byDma, (0x20 << 16) | DMA_SELECT, 0);
        for (const { skip, length } of steps) {
          for (let count = 0; count < skip; count++) inPort(byPort.device, DATA_PORT);
          dma(byDma, DMA_SKIP, skip);
          dma(byDma, DMA_READ, length);
          expect([...byDma.wiring.memory.bytes(0x9000, length)]).toEqual(Array.from({ length }, () => inPort(byPort.device, DATA_PORT)));
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("configuration", () => {
  const file = (name: string): { name: string; data: Uint8Array } => ({ name, data: new Uint8Array(1) });

  it.each([
    ["a name given twice", { files: [file("a"), file("a")] }],
    ["a name that is too long", { files: [file("x".repeat(56))] }],
    ["a name that is no name", { files: [file("a b")] }],
    ["too many files", { files: Array.from({ length: MAX_FILES + 1 }, (_, index) => file(`f${index}`)) }],
    ["an item in the place of a file", { files: [file("a")], items: [{ selector: 0x20, data: new Uint8Array(1) }] }],
    ["a selector out of range", { files: [], items: [{ selector: 0x1_0000, data: new Uint8Array(1) }] }],
  ])("refuses %s", (_, config) => {
    expect(() => fwCfg.create(config, fakeWiring())).toThrow(VmError);
  });

  it("takes the longest name", () => {
    expect(() => rig({ files: [file("x".repeat(55))] })).not.toThrow();
  });
});
