// Where tests and the bench keep what they fetch, and who may fetch at a time.
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The folder of everything that is fetched. */
export const CACHE: string = fileURLToPath(new URL("../../node_modules/.cache/nido", import.meta.url));

const LOCK_LIMIT_MS = 300_000;

/** Runs `action` in one process at a time: the others then find its result in the cache. */
export async function locked<T>(action: () => Promise<T>): Promise<T> {
  const lock = join(CACHE, "lock");
  await mkdir(CACHE, { recursive: true });
  while (!(await claim(lock))) await sleep(200);
  try {
    return await action();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

/** Takes the lock if it is free, or if whoever held it has died: nothing done under it takes longer than the limit. */
async function claim(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch {
    const since = await stat(lock).catch(() => undefined);
    if (since !== undefined && Date.now() - since.mtimeMs > LOCK_LIMIT_MS) await rm(lock, { recursive: true, force: true });
    return false;
  }
}
