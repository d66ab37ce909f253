import assert from "node:assert/strict";
import { test } from "node:test";

import { Keywright, type AwsCredentials } from "../src/index.js";
import { environment } from "./support/environment.js";
import { CREDENTIALS, KEY, VALID } from "./support/samples.js";
import { data, serve } from "./support/server.js";
import { clocks } from "./support/time.js";

const HOUR = 3_600_000;

/** Return credentials that are numbered, and expire an hour after `now`. */
function numbered(number: number, now = Date.parse("2026-01-01T00:00:00Z")): AwsCredentials {
  return { ...CREDENTIALS, accessKeyId: `AKID${number}`, expiration: new Date(now + HOUR) };
}

/** Return a client whose credentials count how often they were asked for, and the access keys that the server saw. */
async function counted(
  t: Parameters<typeof serve>[0],
  source: (asked: number) => AwsCredentials | Promise<AwsCredentials>,
) {
  const { url, requests } = await serve(t, data(VALID));
  let asked = 0;
  const client = new Keywright(url, { region: "us-east-1", credentials: () => source(++asked) });
  return {
    client,
    used: () => requests.map(({ headers }) => /Credential=(\w+)/.exec(headers.authorization ?? "")?.[1]),
    asked: () => asked,
  };
}

test("credentials of the environment are read at each call", async (t) => {
  const { url, requests } = await serve(t, data(VALID));
  const client = new Keywright(url, { region: "us-east-1" });
  const variables = { AWS_ACCESS_KEY_ID: "AKID1", AWS_SECRET_ACCESS_KEY: "secret", AWS_SESSION_TOKEN: "session" };

  environment(t, variables);
  await client.verify(KEY);
  t.mock.restoreAll();
  environment(t, { ...variables, AWS_ACCESS_KEY_ID: "AKID2" });
  await client.verify(KEY);

  assert.match(requests[0]?.headers.authorization ?? "", /Credential=AKID1\//);
  assert.match(requests[1]?.headers.authorization ?? "", /Credential=AKID2\//);
  assert.equal(requests[1]?.headers["x-amz-security-token"], "session");
});

test("without credentials no request is sent, and the remedy is named", async (t) => {
  environment(t, { AWS_ACCESS_KEY_ID: "AKID1" });
  const { url, requests } = await serve(t, data(VALID));

  await assert.rejects(new Keywright(url, { region: "us-east-1" }).verify(KEY), {
    name: "ConfigurationError",
    message: "no AWS credentials: pass credentials, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
  });
  assert.deepEqual(requests, []);
});

test("credentials are asked for again five minutes before they expire", async (t) => {
  const clock = clocks(t);
  const { client, used } = await counted(t, (asked) =>
    numbered(asked, Date.parse("2026-01-01T00:00:00Z") + (asked - 1) * HOUR),
  );

  await client.verify(KEY);
  clock.forward(HOUR - 300_001);
  await client.verify(KEY);
  clock.forward(1);
  await client.verify(KEY);

  assert.deepEqual(used(), ["AKID1", "AKID1", "AKID2"]);
});

test("credentials without an expiration are asked for each time", async (t) => {
  const { client, used } = await counted(t, (asked) => ({ ...CREDENTIALS, accessKeyId: `AKID${asked}` }));

  await client.verify(KEY);
  await client.verify(KEY);

  assert.deepEqual(used(), ["AKID1", "AKID2"]);
});

test("calls at the same time ask for credentials once", async (t) => {
  clocks(t);
  const { client, asked } = await counted(t, async (count) => numbered(count));

  await Promise.all([client.verify(KEY), client.verify(KEY), client.verify(KEY)]);

  assert.equal(asked(), 1);
});

test("credentials that cannot be renewed are used until they expire", async (t) => {
  const clock = clocks(t);
  const failure = new Error("the instance does not answer");
  const { client, used } = await counted(t, (asked) => (asked === 1 ? numbered(1) : Promise.reject(failure)));

  await client.verify(KEY);
  clock.forward(HOUR - 1);
  await client.verify(KEY);
  clock.forward(1);

  await assert.rejects(client.verify(KEY), failure);
  assert.deepEqual(used(), ["AKID1", "AKID1"]);
});

test("after an error of the function it is asked again", async (t) => {
  clocks(t);
  const { client } = await counted(t, (asked) => (asked === 1 ? Promise.reject(new Error("later")) : numbered(2)));

  await assert.rejects(client.verify(KEY), { message: "later" });
  assert.equal((await client.verify(KEY)).valid, true);
});

for (const credentials of [() => undefined as never, () => null as never]) {
  test(`a function that returns ${String(credentials())} names itself`, async (t) => {
    const { url } = await serve(t, data(VALID));

    await assert.rejects(new Keywright(url, { region: "us-east-1", credentials }).verify(KEY), {
      name: "ConfigurationError",
      message: "credentials returned no AWS credentials",
    });
  });
}
