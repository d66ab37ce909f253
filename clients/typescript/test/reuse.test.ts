import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { Keywright, type KeywrightOptions } from "../src/index.js";
import { AnswerReuse, moment } from "../src/reuse.js";
import { system } from "../src/system.js";
import { KEY, OPTIONS, VALID } from "./support/samples.js";
import { data, failure, serve, type Reply } from "./support/server.js";
import { clocks } from "./support/time.js";

const NOT_FOUND = data({ valid: false, code: "NOT_FOUND" });

async function reusing(t: TestContext, options: KeywrightOptions, ...replies: [Reply, ...Reply[]]) {
  const { url, requests } = await serve(t, ...replies);
  return { client: new Keywright(url, { ...OPTIONS, ...options }), requests };
}

test("by default every key is verified anew", async (t) => {
  const { client, requests } = await reusing(t, {}, data(VALID));

  await client.verify(KEY);
  await client.verify(KEY);

  assert.equal(requests.length, 2);
});

test("an answer is reused until its time is over, and not longer", async (t) => {
  const clock = clocks(t);
  const { client, requests } = await reusing(t, { reuseSeconds: 10 }, data(VALID), NOT_FOUND);

  await client.verify(KEY);
  clock.forward(9_999);
  assert.deepEqual([await client.verify(KEY), requests.length], [VALID, 1]);
  clock.forward(1);
  assert.deepEqual([(await client.verify(KEY)).valid, requests.length], [false, 2]);
});

test("the time begins when the request is sent: a slow answer is not reused longer", async (t) => {
  const clock = clocks(t);
  const slow: Reply = (response) => {
    clock.forward(6_000);
    response.end(JSON.stringify({ data: VALID, error: null }));
  };
  const { client } = await reusing(t, { reuseSeconds: 10 }, slow, NOT_FOUND);

  await client.verify(KEY);
  clock.forward(4_000);

  assert.equal((await client.verify(KEY)).valid, false);
});

test("a clock that is set back does not lengthen the time", async (t) => {
  const clock = clocks(t);
  const { client } = await reusing(t, { reuseSeconds: 10 }, data(VALID), NOT_FOUND);

  await client.verify(KEY);
  clock.forward(10_000);
  clock.setBack(10_000);

  assert.equal((await client.verify(KEY)).valid, false);
});

test("a machine that sleeps, during which one clock stands still, does not lengthen the time", async (t) => {
  const clock = clocks(t);
  const { client } = await reusing(t, { reuseSeconds: 10 }, data(VALID), NOT_FOUND);

  await client.verify(KEY);
  clock.setBack(-10_000);

  assert.equal((await client.verify(KEY)).valid, false);
});

test("an answer is not reused after the key has expired", async (t) => {
  const clock = clocks(t);
  const expiring = { ...VALID, expiresAt: "2026-01-01T00:00:05.000Z" };
  const { client } = await reusing(t, { reuseSeconds: 10 }, data(expiring), NOT_FOUND);

  await client.verify(KEY);
  clock.forward(4_999);
  assert.equal((await client.verify(KEY)).valid, true);
  clock.forward(1);
  assert.equal((await client.verify(KEY)).valid, false);
});

for (const [name, reply] of Object.entries<Reply>({
  "a refusal": data({ ...VALID, valid: false, code: "DISABLED" }),
  "an unknown key": NOT_FOUND,
  "a key with a rate limit": data({ ...VALID, rateLimit: { limit: 60, remaining: 59, resetSeconds: 1 } }),
  "a key with a quota": data({ ...VALID, quota: { limit: 60, used: 1, remaining: 59, resetsAt: null } }),
})) {
  test(`the answer for ${name} is never reused`, async (t) => {
    const { client, requests } = await reusing(t, { reuseSeconds: 10 }, reply);

    await client.verify(KEY);
    await client.verify(KEY);

    assert.equal(requests.length, 2);
  });
}

test("an error is never reused", async (t) => {
  const { client } = await reusing(t, { reuseSeconds: 10 }, failure(400, "BAD_REQUEST"), data(VALID));

  await assert.rejects(client.verify(KEY));
  assert.equal((await client.verify(KEY)).valid, true);
});

for (const [name, first, second] of [
  ["other permissions", {}, { permissions: ["sessions:read"] }],
  ["another address", { clientIp: "192.0.2.7" }, { clientIp: "192.0.2.8" }],
  ["no address", { clientIp: "192.0.2.7" }, {}],
  ["another cost", { cost: 1 }, { cost: 0 }],
] as const) {
  test(`an answer is not reused for ${name}`, async (t) => {
    const { client, requests } = await reusing(t, { reuseSeconds: 10 }, data(VALID));

    await client.verify(KEY, first);
    await client.verify(KEY, second);

    assert.equal(requests.length, 2);
  });
}

test("an answer is not reused for another key", async (t) => {
  const { client, requests } = await reusing(t, { reuseSeconds: 10 }, data(VALID));

  await client.verify(KEY);
  await client.verify(`${KEY}0`);

  assert.equal(requests.length, 2);
});

for (const [runtime, nodeCrypto] of [
  ["with", system.nodeCrypto],
  ["without", () => undefined],
] as const) {
  test(`${runtime} the hash functions of Node.js, options that change after the call do not matter`, async (t) => {
    t.mock.method(system, "nodeCrypto", nodeCrypto);
    const { client, requests } = await reusing(t, { reuseSeconds: 10 }, data(VALID));
    const permissions = ["sessions:read"];

    const answered = client.verify(KEY, { permissions });
    permissions.length = 0;
    await answered;
    await client.verify(KEY, { permissions: ["sessions:read"] });

    assert.deepEqual(
      requests.map(({ body }) => (JSON.parse(body) as { permissions?: string[] }).permissions),
      [["sessions:read"]],
    );
  });
}

test("options are read once: they cannot differ between the question and what is remembered of it", async (t) => {
  const { client, requests } = await reusing(t, { reuseSeconds: 10 }, data(VALID));
  let read = 0;
  const changing = {
    get permissions() {
      read += 1;
      return read > 1 ? [] : ["sessions:read"];
    },
  };

  await client.verify(KEY, changing);

  assert.deepEqual([read, JSON.parse(requests[0]?.body ?? "")], [1, { key: KEY, permissions: ["sessions:read"] }]);
});

test("the order and repetition of permissions do not matter, nor does spelling out the defaults", async (t) => {
  const { client, requests } = await reusing(t, { reuseSeconds: 10 }, data(VALID));

  await client.verify(KEY, { permissions: ["a:read", "b:read"] });
  await client.verify(KEY, { permissions: ["b:read", "a:read", "b:read"], cost: 1, clientIp: null });

  assert.equal(requests.length, 1);
});

test("the oldest answer makes room for the newest", async (t) => {
  const { client, requests } = await reusing(t, { reuseSeconds: 10, reuseEntries: 2 }, data(VALID));

  for (const key of ["a", "b", "c", "c", "b", "a"]) await client.verify(key);

  assert.deepEqual(
    requests.map(({ body }) => (JSON.parse(body) as { key: string }).key),
    ["a", "b", "c", "a"],
  );
});

test("memory is bounded by the number of answers", async () => {
  const reuse = new AnswerReuse(10, 100);
  const names: string[] = [];

  for (let index = 0; index < 1000; index += 1) {
    const name = await reuse.nameOf({ key: `key ${index}` });
    reuse.keep(name, { ...VALID, metadata: {} }, moment());
    names.push(name);
  }

  assert.deepEqual(names.map((name) => reuse.find(name) !== undefined).lastIndexOf(false), 899);
});

test("answers are kept under digests that differ between clients and do not show the key", async () => {
  const clients = [new AnswerReuse(10, 1), new AnswerReuse(10, 1)];
  const names = await Promise.all(clients.map((each) => each.nameOf({ key: KEY })));

  assert.notEqual(names[0], names[1]);
  assert.ok(names.every((name) => !name.includes(KEY.slice(0, 20))));
});

test("a runtime without the hash functions of Node.js reuses answers, too", async (t) => {
  t.mock.method(system, "nodeCrypto", () => undefined);
  const { client, requests } = await reusing(t, { reuseSeconds: 10 }, data(VALID));

  await client.verify(KEY);
  await client.verify(KEY);
  await client.verify(KEY, { cost: 2 });

  assert.equal(requests.length, 2);
});
