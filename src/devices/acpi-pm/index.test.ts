import { describe, expect, it } from "vitest";
import { inPort, outPort } from "../../testing/access.ts";
import { deviceContract } from "../../testing/device.contract.ts";
import { fakeWiring, type FakeWiring } from "../../testing/fake-wiring.ts";
import { acpiPm, type AcpiPm, type AcpiPmConfig } from "./index.ts";
import { nextToggleNs, nsOfTick } from "./pm-timer.ts";
import {
  ACPI_DISABLE,
  ACPI_ENABLE,
  GPE0,
  PM1_CONTROL,
  PM1_EVENT,
  PM_TIMER,
  PWRBTN_STS,
  RESET_CONTROL,
  SCI_EN,
  SLPBTN_STS,
  SLP_EN,
  SLP_TYP_SHIFT,
  SMI_CMD,
  TMR_STS,
} from "./spec.ts";

const STATUS = 0x600 + PM1_EVENT;
const ENABLE = STATUS + 2;
const CONTROL = 0x600 + PM1_CONTROL;
const TIMER = 0x600 + PM_TIMER;
const GPE_STATUS = 0x600 + GPE0;
const SMI = { port: SMI_CMD, acpiEnable: ACPI_ENABLE, acpiDisable: ACPI_DISABLE };

interface Rig {
  readonly device: AcpiPm;
  readonly wiring: FakeWiring;
  readonly events: string[];
}

function rig(config: Partial<AcpiPmConfig> = {}): Rig {
  const wiring = fakeWiring();
  const events: string[] = [];
  const device = acpiPm.create({ powerOff: () => void events.push("off"), reset: () => void events.push("reset"), ...config }, wiring);
  return { device, wiring, events };
}

deviceContract(acpiPm, { powerOff: () => {}, reset: () => {}, smi: SMI }, (device, wiring) => {
  outPort(device, SMI_CMD, ACPI_ENABLE);
  outPort(device, ENABLE, PWRBTN_STS, 2);
  outPort(device, CONTROL, 3 << SLP_TYP_SHIFT, 2);
  outPort(device, RESET_CONTROL, 2);
  wiring.clock.advance(nextToggleNs(0, 24));
  device.pressPowerButton();
});

describe("SCI (ACPI 6.5 §4.8.3.1)", () => {
  it("follows status and enable, and falls when the status is cleared by a one", () => {
    const { device, wiring } = rig();
    const sci = wiring.line("sci");
    device.pressPowerButton();
    expect(inPort(device, STATUS, 2)).toBe(PWRBTN_STS);
    expect(sci.level).toBe(false);
    outPort(device, ENABLE, PWRBTN_STS, 2);
    expect(sci.level).toBe(true);
    outPort(device, STATUS, SLPBTN_STS, 2);
    expect(sci.level).toBe(true);
    outPort(device, STATUS, PWRBTN_STS, 2);
    expect(sci.level).toBe(false);
    expect(inPort(device, STATUS, 4)).toBe(PWRBTN_STS * 0x1_0000);
    device.pressSleepButton();
    expect(inPort(device, STATUS + 1)).toBe(SLPBTN_STS >> 8);
  });

  it("is not raised in legacy mode; the SMI command port changes the mode (§4.8.3.2.1)", () => {
    const { device, wiring } = rig({ smi: SMI });
    outPort(device, ENABLE, PWRBTN_STS, 2);
    device.pressPowerButton();
    expect(wiring.line("sci").level).toBe(false);
    expect(inPort(device, CONTROL, 2) & SCI_EN).toBe(0);
    outPort(device, CONTROL, SCI_EN, 2);
    expect(inPort(device, CONTROL, 2) & SCI_EN).toBe(0);
    outPort(device, SMI_CMD, ACPI_ENABLE);
    expect(inPort(device, CONTROL, 2) & SCI_EN).toBe(SCI_EN);
    expect(wiring.line("sci").level).toBe(true);
    outPort(device, SMI_CMD, ACPI_DISABLE);
    expect(wiring.line("sci").level).toBe(false);
    expect(inPort(device, SMI_CMD)).toBe(ACPI_DISABLE);
  });

  it("carries general-purpose events", () => {
    const { device, wiring } = rig();
    outPort(device, GPE_STATUS + 2, 1 << 4, 2);
    device.signalEvent(3);
    expect(wiring.line("sci").level).toBe(false);
    device.signalEvent(4);
    expect(wiring.line("sci").level).toBe(true);
    expect(inPort(device, GPE_STATUS, 2)).toBe(0x18);
    outPort(device, GPE_STATUS, 0x18);
    expect(wiring.line("sci").level).toBe(false);
  });
});

describe("PM timer (ACPI 6.5 §4.8.2.1)", () => {
  it("counts 3.579545 MHz exactly, however long the machine runs", () => {
    const { device, wiring } = rig({ timerBits: 32 });
    for (const seconds of [1, 60, 1e6]) {
      wiring.clock.advanceTo(seconds * 1e9);
      expect(inPort(device, TIMER, 4)).toBe((seconds * 3_579_545) % 2 ** 32);
    }
  });

  it("wraps at 24 bits", () => {
    const { device, wiring } = rig();
    wiring.clock.advanceTo(nsOfTick(2 ** 24 + 5));
    expect(inPort(device, TIMER, 4)).toBe(5);
    outPort(device, TIMER, 0, 4);
    expect(inPort(device, TIMER, 4)).toBe(5);
    expect(inPort(device, TIMER, 1)).toBe(5);
  });

  it.each([24, 32] as const)("sets its status when bit %i - 1 changes", (timerBits) => {
    const { device, wiring } = rig({ timerBits });
    outPort(device, ENABLE, TMR_STS, 2);
    const first = nsOfTick(2 ** (timerBits - 1));
    wiring.clock.advanceTo(first - 1);
    expect(inPort(device, STATUS, 2)).toBe(0);
    wiring.clock.advanceTo(first);
    expect(wiring.line("sci").level).toBe(true);
    outPort(device, STATUS, TMR_STS, 2);
    expect(wiring.line("sci").level).toBe(false);
    wiring.clock.advanceTo(nsOfTick(2 ** timerBits));
    expect(wiring.line("sci").rises).toBe(2);
    expect(wiring.clock.armed).toBe(0);
  });
});

describe("sleep and reset", () => {
  it("turns the machine off for S5 (ACPI 6.5 §4.8.3.2.1), in one write or two", () => {
    const { device, events } = rig({ s5SleepType: 5 });
    outPort(device, CONTROL, 5 << SLP_TYP_SHIFT, 2);
    expect(events).toEqual([]);
    outPort(device, CONTROL, (5 << SLP_TYP_SHIFT) | SLP_EN, 2);
    expect(events).toEqual(["off"]);
    expect(inPort(device, CONTROL, 2) & SLP_EN).toBe(0);
    outPort(device, CONTROL + 1, ((5 << SLP_TYP_SHIFT) | SLP_EN) >> 8);
    expect(events).toEqual(["off", "off"]);
  });

  it("does not sleep as no other type says", () => {
    const { device, wiring, events } = rig();
    outPort(device, CONTROL, (1 << SLP_TYP_SHIFT) | SLP_EN, 2);
    expect(events).toEqual([]);
    expect(wiring.log.messages.size).toBe(1);
  });

  it("resets on a rise of RCPU at CF9h", () => {
    const { device, events } = rig();
    outPort(device, RESET_CONTROL, 2);
    expect(events).toEqual([]);
    outPort(device, RESET_CONTROL, 6);
    expect(events).toEqual(["reset"]);
    outPort(device, RESET_CONTROL, 6);
    expect(events).toEqual(["reset"]);
    expect(inPort(device, RESET_CONTROL)).toBe(6);
    expect(rig({ resetPort: null }).device.ports.map(({ name }) => name)).toEqual(["acpi-pm"]);
  });
});
