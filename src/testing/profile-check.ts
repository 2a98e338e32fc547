// What viewers of .cpuprofile files rely on, and sums for tests.
import type { CpuProfile, ProfileNode } from "../machine/profile/cpu-profile.ts";

/** What is wrong with a profile; nothing when viewers can open it. */
export function profileFaults(profile: CpuProfile): string[] {
  const { nodes, samples, timeDeltas, startTime, endTime } = profile;
  const faults: string[] = [];
  const ids = new Set(nodes.map(({ id }) => id));
  const parents = new Map<number, number>();
  for (const { children = [] } of nodes) for (const child of children) parents.set(child, (parents.get(child) ?? 0) + 1);
  if (ids.size !== nodes.length) faults.push("ids are not unique");
  if (nodes[0]?.callFrame.functionName !== "(root)") faults.push("the first node is not the root");
  for (const [i, { id }] of nodes.entries())
    if ((parents.get(id) ?? 0) !== (i === 0 ? 0 : 1)) faults.push(`node ${id} has no single parent`);
  if ([...parents.keys()].some((id) => !ids.has(id))) faults.push("a child is no node");
  if (samples.some((id) => !ids.has(id))) faults.push("a sample is no node");
  if (samples.length !== timeDeltas.length) faults.push("samples and times differ in number");
  if (timeDeltas.some((delta) => !(delta >= 0))) faults.push("time goes back");
  if (nodes.reduce((sum, { hitCount = 0 }) => sum + hitCount, 0) !== samples.length) faults.push("hits are not the samples");
  if (timeDeltas.reduce((sum, delta) => sum + delta, 0) > endTime - startTime) faults.push("samples lie behind the end");
  return faults;
}

/** Microseconds in the subtree at the end of a way of function names below the root; a name may be given by its beginning and `*`. */
export function timeBelow(profile: CpuProfile, ...way: readonly string[]): number {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const own = new Map<number, number>();
  profile.samples.forEach((id, i) => own.set(id, (own.get(id) ?? 0) + profile.timeDeltas[i]!));
  const callees = ({ children = [] }: ProfileNode): ProfileNode[] =>
    children.map((id) => byId.get(id)).filter((node) => node !== undefined);
  const sum = (node: ProfileNode): number => callees(node).reduce((time, child) => time + sum(child), own.get(node.id) ?? 0);
  const fits = ({ callFrame: { functionName } }: ProfileNode, name: string): boolean =>
    name.endsWith("*") ? functionName.startsWith(name.slice(0, -1)) : functionName === name;
  let level = profile.nodes.slice(0, 1);
  for (const name of way) level = level.flatMap((node) => callees(node).filter((child) => fits(child, name)));
  return level.reduce((time, node) => time + sum(node), 0);
}
