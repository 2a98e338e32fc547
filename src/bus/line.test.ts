import { describe, expect, it } from "vitest";
import { fanOut, lineTo, pulse, SharedLine, type Line } from "./line.ts";

function recorder(): { line: Line; levels: boolean[] } {
  const levels: boolean[] = [];
  return { line: lineTo((level) => levels.push(level)), levels };
}

describe("SharedLine", () => {
  it("is high while any source is, and tells its sink of changes only", () => {
    const { line, levels } = recorder();
    const wire = new SharedLine(line);
    const [a, b] = [wire.source(), wire.source()];
    a.set(true);
    b.set(true);
    b.set(true);
    a.set(false);
    expect(wire.level).toBe(true);
    b.set(false);
    b.set(false);
    expect(levels).toEqual([true, false]);
  });
});

describe("fanOut and pulse", () => {
  it("drive every sink through both edges", () => {
    const [a, b] = [recorder(), recorder()];
    pulse(fanOut(a.line, b.line));
    expect([a.levels, b.levels]).toEqual([
      [true, false],
      [true, false],
    ]);
  });
});
