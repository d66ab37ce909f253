import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { Hono } from "hono";
import { apiKey, type HonoApiKeyOptions } from "../src/hono.js";
import type { Verifier } from "../src/refusals.js";
import { Answering, listening, testMiddleware, VALID, type Application } from "./middleware.js";

const LIMITED = { ...VALID, rateLimit: { limit: 60, remaining: 8, resetSeconds: 2 } };

function application(keywright: Verifier, options?: HonoApiKeyOptions) {
  const app = new Hono();
  app.onError((_error, c) => c.text("failed", 500));
  app.get("/reports", apiKey(keywright, options), (c) => c.json({ organization: c.get("apiKey").organizationId }));
  app.get("/own", apiKey(keywright, options), () => new Response("own"));
  app.get("/failing", apiKey(keywright, options), () => {
    throw new Error("of the route");
  });
  return app;
}

/** Serve an application by Node.js, as an adapter does. */
function serve(keywright: Verifier, options?: HonoApiKeyOptions): Promise<Application> {
  const app = application(keywright, options);
  const server = createServer(async (incoming, outgoing) => {
    const headers = new Headers();
    for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
      headers.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
    }
    const response = await app.fetch(new Request(`http://127.0.0.1${incoming.url}`, { headers }));
    outgoing.writeHead(response.status, [...response.headers].flat());
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  });
  return listening(server);
}

testMiddleware(serve);

test("the address is not known unless a function tells it", async () => {
  const keywright = new Answering(VALID);
  const headers = { "x-api-key": "kk_text", "x-forwarded-for": "192.0.2.7" };
  await application(keywright).request("/reports", { headers });
  await application(keywright, { clientIp: () => "192.0.2.8" }).request("/reports", { headers });

  assert.deepEqual(
    keywright.asked.map((call) => call.options?.clientIp),
    [undefined, "192.0.2.8"],
  );
});

test("a string that is not an address is not passed on", async () => {
  const keywright = new Answering(VALID);
  const app = application(keywright, { clientIp: () => "/run/app.sock" });
  await app.request("/reports", { headers: { "x-api-key": "kk_text" } });

  assert.equal(keywright.asked[0]?.options?.clientIp, undefined);
});

test("a response that the route makes itself has the limits, too", async () => {
  const response = await application(new Answering(LIMITED)).request("/own", { headers: { "x-api-key": "kk_text" } });

  assert.deepEqual([await response.text(), response.headers.get("ratelimit")], ["own", '"rate";r=8;t=2']);
});

test("the response that upgrades to a WebSocket stays as it is", async () => {
  const upgrading = Object.defineProperty(new Response(), "status", { value: 101 });
  const app = new Hono();
  app.get("/socket", apiKey(new Answering(LIMITED)), () => upgrading);

  assert.equal(await app.request("/socket", { headers: { "x-api-key": "kk_text" } }), upgrading);
});

test("an error of the route goes to the application, and the limits are shown", async () => {
  const app = application(new Answering(LIMITED));
  const response = await app.request("/failing", { headers: { "x-api-key": "kk_text" } });

  assert.deepEqual([response.status, response.headers.get("ratelimit")], [500, '"rate";r=8;t=2']);
});

test("a request that is refused does not reach the route", async () => {
  const app = new Hono();
  let passed = 0;
  app.use(apiKey(new Answering({ valid: false, code: "NOT_FOUND" })));
  app.get("/reports", (c) => {
    passed += 1;
    return c.text("reports");
  });
  const { status } = await app.request("/reports", { headers: { "x-api-key": "kk_text" } });

  assert.deepEqual([status, passed], [401, 0]);
});

test("a route behind the middleware has the types and values of its own parameters", async () => {
  const app = new Hono<{ Variables: { user: string } }>();
  app.use(async (c, next) => {
    c.set("user", "ada");
    await next();
  });
  app.get("/reports/:id", apiKey(new Answering(VALID)), (c) => {
    const [id, user, key]: string[] = [c.req.param("id"), c.get("user"), c.get("apiKey").name];
    return c.json({ id, user, key });
  });
  const response = await app.request("/reports/7", { headers: { "x-api-key": "kk_text" } });

  assert.deepEqual(await response.json(), { id: "7", user: "ada", key: "CI" });
});
