import assert from "node:assert/strict";
import { test } from "node:test";
import fastify from "fastify";
import { apiKey, type FastifyApiKeyOptions } from "../src/fastify.js";
import type { Verifier } from "../src/refusals.js";
import { Answering, get, testMiddleware, VALID, type Application } from "./middleware.js";

type Hook = "onRequest" | "preHandler";

async function serve(
  keywright: Verifier,
  options?: FastifyApiKeyOptions,
  { hook = "onRequest" as Hook, trustProxy = false } = {},
): Promise<Application> {
  const app = fastify({ trustProxy, forceCloseConnections: true });
  app.get("/reports", { [hook]: apiKey(keywright, options) }, async (request) => ({
    organization: request.apiKey?.organizationId,
  }));
  return { url: await app.listen({ host: "127.0.0.1", port: 0 }), close: () => app.close() };
}

testMiddleware(serve);

for (const hook of ["onRequest", "preHandler"] as const) {
  test(`the hook is one for ${hook}`, async () => {
    const keywright = new Answering({ valid: false, code: "NOT_FOUND" });
    const application = await serve(keywright, {}, { hook });
    const { status } = await get(`${application.url}/reports`, { "x-api-key": "kk_text" });
    await application.close();

    assert.equal(status, 401);
  });
}

test("the hook can be one of all routes", async () => {
  const app = fastify({ forceCloseConnections: true });
  app.addHook("onRequest", apiKey(new Answering(VALID)));
  app.get("/reports", async (request) => ({ organization: request.apiKey?.organizationId }));
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const answers = [await get(`${url}/reports`, {}), await get(`${url}/reports`, { "x-api-key": "kk_text" })];
  await app.close();

  assert.deepEqual(
    answers.map(({ status }) => status),
    [401, 200],
  );
});

for (const [trustProxy, clientIp] of [
  [false, "127.0.0.1"],
  [true, "192.0.2.7"],
] as const) {
  test(`the address is that of the connection unless the application trusts its proxy (${trustProxy})`, async () => {
    const keywright = new Answering(VALID);
    const application = await serve(keywright, {}, { trustProxy });
    await get(`${application.url}/reports`, { "x-api-key": "kk_text", "x-forwarded-for": "192.0.2.7" });
    await application.close();

    assert.equal(keywright.asked[0]?.options?.clientIp, clientIp);
  });
}

test("a function tells the address", async () => {
  const keywright = new Answering(VALID);
  const application = await serve(keywright, { clientIp: () => "192.0.2.8" });
  await get(`${application.url}/reports`, { "x-api-key": "kk_text" });
  await application.close();

  assert.equal(keywright.asked[0]?.options?.clientIp, "192.0.2.8");
});

test("a route behind the hook has the types and values of its own parameters", async () => {
  const app = fastify({ forceCloseConnections: true });
  const onRequest = apiKey(new Answering(VALID));
  app.get<{ Params: { id: string } }>("/reports/:id", { onRequest }, async ({ params }) => ({ id: params.id }));
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const { body } = await get(`${url}/reports/7`, { "x-api-key": "kk_text" });
  await app.close();

  assert.deepEqual(body, { id: "7" });
});
