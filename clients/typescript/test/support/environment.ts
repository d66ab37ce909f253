/** The environment that tests control. */

import type { TestContext } from "node:test";

import { system } from "../../src/system.js";

/** Let the client see these variables and no others. */
export function environment(context: TestContext, variables: Readonly<Record<string, string>> = {}): void {
  context.mock.method(system, "environment", (name: string) => variables[name]);
}
