import { describe, expect, it } from "vitest";
import { PanicWatch } from "./panic-watch.ts";

function watching(): { readonly confirmed: string[]; readonly watch: PanicWatch; readonly print: (text: string) => void } {
  const confirmed: string[] = [];
  const watch = new PanicWatch((message) => confirmed.push(message));
  return { confirmed, watch, print: (text) => Array.from(text, (character) => watch.output(character.charCodeAt(0))) };
}

const PANIC = "[    1.5] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n";
const END = "[    1.6] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---\r\n";

describe("PanicWatch", () => {
  it("is sure once the kernel has said its last word", () => {
    const { confirmed, watch, print } = watching();
    print(`[    1.4] something else\r\n${PANIC}[    1.5] CPU: 0 PID: 1 Comm: swapper/0\r\n`);
    expect([confirmed, watch.suspicion]).toEqual([[], "VFS: Unable to mount root fs on unknown-block(0,0)"]);
    print(END);
    expect(confirmed).toEqual(["VFS: Unable to mount root fs on unknown-block(0,0)"]);
  });

  it("is not fooled by one line, nor by somebody at work", () => {
    const { confirmed, watch, print } = watching();
    print(END);
    print(PANIC);
    watch.input();
    expect(watch.suspicion).toBeUndefined();
    print(END);
    expect(confirmed).toEqual([]);
  });

  it("keeps no more of a line than it needs", () => {
    const { watch, print } = watching();
    print(`${"x".repeat(1000)}Kernel panic - not syncing: far out\n`);
    expect(watch.suspicion).toBeUndefined();
    print(`Kernel panic - not syncing: ${"y".repeat(1000)}\n`);
    expect(watch.suspicion).toMatch(/^y{400}$/);
  });
});
