// The testing kit: what a device's unit tests are made of. Published as `nido/testing`; no test runner is needed.
export { inPort, outPort } from "./access.ts";
export { BareGuest } from "./bare-guest.ts";
export { FakeClock } from "./fake-clock.ts";
export { FakeMachineHost, type FakeMachineFiles } from "./fake-machine-host.ts";
export { FakeWiring, fakeWiring, RecordedLine, RecordedLog, type LevelChange } from "./fake-wiring.ts";
export { NO_DEVICES } from "./no-devices.ts";
export { restore, save } from "./restore.ts";
export { ScriptedPlatform, type GuestScript, type ScriptedGuest } from "./scripted-platform.ts";
export { MmioDriverTransport, PciDriverTransport, TestPciBus, VirtioDriver, type DriverTransport } from "./virtio-driver.ts";
export { MemoryAllocator, VirtqueueDriver, type Descriptor, type Part, type UsedBuffer } from "./virtqueue-driver.ts";
