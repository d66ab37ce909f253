/** Time that tests control. */

import type { TestContext } from "node:test";

import { system } from "../../src/system.js";

/** Replace waiting by nothing; return the list of pauses, in milliseconds, which grows. Randomness is its maximum. */
export function pauses(context: TestContext, random = 1): number[] {
  const taken: number[] = [];
  context.mock.method(system, "random", () => random);
  context.mock.method(system, "sleep", async (milliseconds: number) => void taken.push(milliseconds));
  return taken;
}

/** Replace both clocks; return a function that moves them on. */
export function clocks(context: TestContext): {
  forward(milliseconds: number): void;
  setBack(milliseconds: number): void;
} {
  let now = Date.parse("2026-01-01T00:00:00Z");
  let elapsed = 1000;
  context.mock.method(system, "now", () => now);
  context.mock.method(system, "elapsed", () => elapsed);
  return {
    forward: (milliseconds) => {
      now += milliseconds;
      elapsed += milliseconds;
    },
    setBack: (milliseconds) => void (now -= milliseconds),
  };
}
