// V8's sampling profiler for the thread that asks: how the host sees a machine at work.
import type { CpuProfile } from "../../machine/profile/cpu-profile.ts";
import type { RunningProfiler } from "../../machine/thread.ts";
import { nodeClock } from "./clock.ts";

/** Profiles this thread, with a sample each `intervalUs`. The profile's times are microseconds of `nodeClock`. */
export async function startProfiler(intervalUs: number): Promise<RunningProfiler> {
  // Not there in every build of Node, and seldom needed.
  const { Session } = await import("node:inspector/promises");
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: intervalUs });
  await session.post("Profiler.start");
  // V8 counts from where process.hrtime does.
  const offsetUs = Number(process.hrtime.bigint()) / 1000 - nodeClock.nowNs() / 1000;
  return {
    stop: async () => {
      const { profile } = await session.post("Profiler.stop");
      session.disconnect();
      const { nodes, startTime, endTime, samples = [], timeDeltas = [] } = profile;
      return { nodes, samples, timeDeltas, startTime: startTime - offsetUs, endTime: endTime - offsetUs } satisfies CpuProfile;
    },
  };
}
