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
  const offsetUs = Math.round(Number(process.hrtime.bigint()) / 1000 - nodeClock.nowNs() / 1000);
  const sampled = async (): Promise<CpuProfile> => {
    const { profile } = await session.post("Profiler.stop");
    const { nodes, startTime, endTime, samples = [], timeDeltas = [] } = profile;
    return { nodes, samples, timeDeltas, startTime: startTime - offsetUs, endTime: endTime - offsetUs };
  };
  return {
    next: async () => {
      const profile = await sampled();
      await session.post("Profiler.start");
      return profile;
    },
    stop: async () => {
      const profile = await sampled();
      session.disconnect();
      return profile;
    },
  };
}
