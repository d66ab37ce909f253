import assert from "node:assert/strict";
import { test } from "node:test";

import { system } from "../src/system.js";

/** Call `body` in a runtime whose `process` is this. */
function within<T>(process: unknown, body: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, "process") as PropertyDescriptor;
  Object.defineProperty(globalThis, "process", { value: process, configurable: true });
  try {
    return body();
  } finally {
    Object.defineProperty(globalThis, "process", before);
  }
}

test("a variable of the environment is read", () => {
  assert.equal(
    within({ env: { AWS_REGION: "eu-west-1" } }, () => system.environment("AWS_REGION")),
    "eu-west-1",
  );
});

for (const [name, process] of Object.entries({
  "a runtime without an environment": undefined,
  "a runtime whose environment lacks it": { env: {} },
  "an environment in which it is empty": { env: { AWS_REGION: "" } },
  "a runtime that denies access": {
    get env() {
      throw new Error("access denied");
    },
  },
})) {
  test(`a variable is not set in ${name}`, () => {
    assert.equal(
      within(process, () => system.environment("AWS_REGION")),
      undefined,
    );
  });
}

for (const [name, process] of Object.entries({
  "no process": undefined,
  "no modules of Node.js": {},
  "other modules only": { getBuiltinModule: () => undefined },
})) {
  test(`a runtime with ${name} has no hash functions of Node.js`, () => {
    assert.equal(
      within(process, () => system.nodeCrypto()),
      undefined,
    );
  });
}
