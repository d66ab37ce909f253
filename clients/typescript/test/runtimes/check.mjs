// What the package does in every runtime. `settings` has addresses and credentials: workers have no environment.

import { ApiConnectionError, ApiError, ConfigurationError, Keywright } from "@keywright/client";

/** Throw an error if the package does not work in this runtime. */
export async function check(settings) {
  const { url, functionArn, token, region, accessKeyId, secretAccessKey } = settings;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new Keywright(url, { region, credentials, token });

  const { id, key } = await client.create({ name: "Runtime", permissions: ["sessions:read"] });
  equal("VALID", (await client.verify(key, { permissions: ["sessions:read"], clientIp: "192.0.2.7" })).code);
  equal("INSUFFICIENT_PERMISSIONS", (await client.verify(key, { permissions: ["webhooks:write"] })).code);
  equal("VALID", (await new Keywright({ function: functionArn, credentials }).verify(key)).code);
  const batch = await client.verifyBatch([{ key, permissions: ["sessions:read"] }, "unknown"]);
  equal("VALID,NOT_FOUND", batch.map(({ code }) => code).join());

  let listed = 0;
  for await (const apiKey of client.list({ pageSize: 2 })) listed += apiKey.id === id ? 1 : 0;
  equal(1, listed);

  const reusing = new Keywright(url, { region, credentials, reuseSeconds: 60 });
  await reusing.verify(key);
  await client.delete(id);
  equal("VALID", (await reusing.verify(key)).code);
  equal("NOT_FOUND", (await client.verify(key)).code);

  await throws(ApiError, () => client.get(id));
  await throws(ConfigurationError, () => new Keywright(url).get(id));
  const silent = () => new Promise((_, reject) => setTimeout(reject, 1, new TypeError(key)));
  await throws(ApiConnectionError, () =>
    new Keywright(url, { region, credentials, fetch: silent, retries: 0 }).verify(key),
  );
  await throws(ApiConnectionError, () => new Keywright("http://127.0.0.1:1", { token, retries: 1 }).get(id));
  const slow = new Keywright(url, { region, credentials, timeoutSeconds: 0.001, retries: 0 });
  await throws(ApiConnectionError, () => slow.verify(key), /timed out after 0.001 s$/);
}

function equal(expected, actual) {
  if (expected !== actual) throw new Error(`expected ${expected}, got ${actual}`);
}

async function throws(type, call, message = /./) {
  const error = await call().then(
    () => undefined,
    (reason) => reason,
  );
  if (!(error instanceof type)) throw new Error(`expected ${type.name}, got ${error}`);
  if (!message.test(error.message)) throw new Error(`unexpected message: ${error.message}`);
}
