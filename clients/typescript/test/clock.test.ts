import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";

import { ApiError, Keywright } from "../src/index.js";
import { ID, KEY, OPTIONS, VALID } from "./support/samples.js";
import { data, failure, serve, type Reply } from "./support/server.js";
import { clocks } from "./support/time.js";

/** Refuse as AWS does, at this time. */
function refused(date: string, status = 403): Reply {
  return { status, body: { message: "Signature expired" }, headers: { date: new Date(date).toUTCString() } };
}

test("a request that is refused by a clock which differs is signed again by that clock", async (t) => {
  clocks(t);
  const { url, requests } = await serve(t, refused("2026-01-01T00:04:01Z"), data(VALID));

  assert.deepEqual(await new Keywright(url, { ...OPTIONS, retries: 0 }).verify(KEY), VALID);
  assert.deepEqual(
    requests.map(({ headers }) => headers["x-amz-date"]),
    ["20260101T000000Z", "20260101T000401Z"],
  );
});

test("later requests keep the time of the server", async (t) => {
  const clock = clocks(t);
  const { url, requests } = await serve(t, refused("2025-12-31T23:00:00Z", 401), data(VALID));
  const client = new Keywright(url, OPTIONS);

  await client.verify(KEY);
  clock.forward(60_000);
  await client.verify(KEY);

  assert.deepEqual(
    requests.slice(2).map(({ headers }) => headers["x-amz-date"]),
    ["20251231T230100Z"],
  );
});

test("calls that are refused at the same time are all signed again", async (t) => {
  clocks(t);
  const waiting: ServerResponse[] = [];
  const together: Reply = (response) => {
    if (waiting.push(response) < 4) return;
    for (const each of waiting) each.writeHead(403, { date: "Thu, 01 Jan 2026 01:00:00 GMT" }).end();
  };
  const { url, requests } = await serve(t, together, together, together, together, data(VALID));
  const client = new Keywright(url, { ...OPTIONS, retries: 0 });

  const results = await Promise.all(Array.from({ length: 4 }, () => client.verify(KEY)));

  assert.deepEqual(
    results.map(({ code }) => code),
    ["VALID", "VALID", "VALID", "VALID"],
  );
  assert.deepEqual([...new Set(requests.slice(4).map(({ headers }) => headers["x-amz-date"]))], ["20260101T010000Z"]);
});

test("a clock that is corrected afterwards is followed again", async (t) => {
  const clock = clocks(t);
  const { url, requests } = await serve(
    t,
    refused("2025-12-31T23:00:00Z"),
    data(VALID),
    refused("2025-12-31T23:00:00Z"),
    data(VALID),
  );
  const client = new Keywright(url, OPTIONS);

  await client.verify(KEY);
  clock.setBack(3_600_000);
  await client.verify(KEY);

  assert.equal(requests.at(-1)?.headers["x-amz-date"], "20251231T230000Z");
});

test("a request is signed again only once", async (t) => {
  clocks(t);
  const { url, requests } = await serve(t, refused("2026-01-01T01:00:00Z"), refused("2026-01-01T02:00:00Z"));

  await assert.rejects(new Keywright(url, OPTIONS).verify(KEY), ApiError);
  assert.equal(requests.length, 2);
});

for (const [name, reply] of Object.entries({
  "of a clock that differs by four minutes": refused("2026-01-01T00:04:00Z"),
  "whose date no signature can have": { status: 403, headers: { date: "Sat, 13 Sep 275760 00:00:00 GMT" } },
  "without a readable date": { status: 403, headers: { date: "today" } },
})) {
  test(`a refusal ${name} is final`, async (t) => {
    clocks(t);
    const { url, requests } = await serve(t, reply);

    await assert.rejects(new Keywright(url, OPTIONS).verify(KEY), ApiError);
    assert.equal(requests.length, 1);
  });
}

test("a refused session token is not a matter of the clock", async (t) => {
  clocks(t);
  const date = { date: new Date("2026-01-01T01:00:00Z").toUTCString() };
  const { url, requests } = await serve(t, failure(401, "UNAUTHORIZED", date));

  await assert.rejects(new Keywright(url, OPTIONS).get(ID), { code: "UNAUTHORIZED" });
  assert.equal(requests.length, 1);
});
