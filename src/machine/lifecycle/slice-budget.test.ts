import { describe, expect, it } from "vitest";
import { SliceBudget } from "./slice-budget.ts";

describe("SliceBudget", () => {
  it("approaches a faster processor by doubling, and follows a slower one at once", () => {
    const budget = new SliceBudget();
    const first = budget.instructions(1e6);
    budget.measured(500_000, 1e6);
    expect(budget.instructions(1e6)).toBe(first * 2);
    for (let slice = 0; slice < 20; slice++) budget.measured(500_000, 1e6);
    expect(budget.instructions(1e6)).toBe(500_000);
    budget.measured(10_000, 1e6);
    expect(budget.instructions(1e6)).toBe(10_000);
  });

  it("learns nothing from slices too short to measure, and always lets the guest get on", () => {
    const budget = new SliceBudget();
    const before = budget.instructions(1e6);
    budget.measured(1, 5_000);
    budget.measured(0, 1e6);
    expect(budget.instructions(1e6)).toBe(before);
    budget.measured(1, 1e9);
    expect(budget.instructions(1e6)).toBeGreaterThanOrEqual(500);
  });
});
