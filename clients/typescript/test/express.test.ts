import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import express, { type ErrorRequestHandler } from "express";
import { ConfigurationError } from "../src/errors.js";
import { apiKey, type ExpressApiKeyOptions } from "../src/express.js";
import type { Verifier } from "../src/refusals.js";
import { Answering, get, listening, testMiddleware, VALID, type Application } from "./middleware.js";

const failure = new ConfigurationError("no region");

const silent: ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(500).end();
};

function serve(keywright: Verifier, options?: ExpressApiKeyOptions, trustProxy = false): Promise<Application> {
  const app = express();
  app.set("trust proxy", trustProxy);
  app.get("/reports", apiKey(keywright, options), (request, response) => {
    response.json({ organization: request.apiKey?.organizationId });
  });
  app.use(silent);
  return listening(createServer(app));
}

testMiddleware(serve);

for (const [trustProxy, clientIp] of [
  [false, "127.0.0.1"],
  [true, "192.0.2.7"],
] as const) {
  test(`the address is that of the connection unless the application trusts its proxy (${trustProxy})`, async () => {
    const keywright = new Answering(VALID);
    const application = await serve(keywright, {}, trustProxy);
    await get(`${application.url}/reports`, { "x-api-key": "kk_text", "x-forwarded-for": "192.0.2.7" });
    await application.close();

    assert.equal(keywright.asked[0]?.options?.clientIp, clientIp);
  });
}

test("a function tells the address", async () => {
  const keywright = new Answering(VALID);
  const application = await serve(keywright, { clientIp: (request) => request.get("fly-client-ip") });
  await get(`${application.url}/reports`, { "x-api-key": "kk_text", "fly-client-ip": "192.0.2.8" });
  await application.close();

  assert.equal(keywright.asked[0]?.options?.clientIp, "192.0.2.8");
});

test("an error of the route is not an error of the middleware", async () => {
  const keywright = new Answering(VALID);
  const app = express();
  let passed = 0;
  app.get("/reports", apiKey(keywright), () => {
    passed += 1;
    throw new Error("of the route");
  });
  app.use(silent);
  const application = await listening(createServer(app));
  const { status } = await get(`${application.url}/reports`, { "x-api-key": "kk_text" });
  await application.close();

  assert.deepEqual([status, passed], [500, 1]);
});

for (const [result, passed] of [
  [VALID, [[]]],
  [{ valid: false, code: "NOT_FOUND" }, []],
  [failure, [[failure]]],
] as const) {
  const name = result instanceof Error ? result.name : result.code;
  test(`as Express 4 needs it, the middleware goes on by a call after ${name}`, async () => {
    const calls: unknown[][] = [];
    const next = (...error: unknown[]) => calls.push(error);
    const response = { status: () => response, set: () => response, json: () => response };
    const request = { get: () => "kk_text", ip: "127.0.0.1" };
    await apiKey(new Answering(result))(request as never, response as never, next);

    assert.deepEqual(calls, passed);
  });
}

test("a route behind the middleware has the types and values of its own parameters", async () => {
  const app = express();
  app.get("/reports/:id", apiKey(new Answering(VALID)), (request, response) => {
    const id: string = request.params.id;
    response.json({ id });
  });
  const application = await listening(createServer(app));
  const { body } = await get(`${application.url}/reports/7`, { "x-api-key": "kk_text" });
  await application.close();

  assert.deepEqual(body, { id: "7" });
});
