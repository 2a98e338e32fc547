// The testing kit: what a device's unit tests are made of. Published as `nido/testing`; no test runner is needed.
export { inPort, outPort } from "./access.ts";
export { FakeClock } from "./fake-clock.ts";
export { FakeWiring, fakeWiring, RecordedLine, RecordedLog, type LevelChange } from "./fake-wiring.ts";
export { restore, save } from "./restore.ts";
export { ScriptedPlatform, type GuestScript, type ScriptedGuest } from "./scripted-platform.ts";
