/** Middleware for Hono. */

import type { Context, MiddlewareHandler } from "hono";
import { admitting, type ApiKeyOptions, type Verifier } from "./refusals.js";
import type { Valid } from "./types.js";

/** Options of {@link apiKey}. */
export interface HonoApiKeyOptions extends ApiKeyOptions {
  /**
   * Returns the caller's address. Hono leaves that to the runtime: `(c) => getConnInfo(c).remote.address`, with
   * `getConnInfo` of the runtime's adapter. Without it, keys with allowed addresses are refused.
   */
  readonly clientIp?: ((context: Context) => string | undefined) | undefined;
}

/**
 * Return middleware that admits requests with a valid API key, which is `c.get("apiKey")` then, and answers all others.
 *
 * The key is read from `x-api-key`, else from `Authorization: Bearer`. If Keywright does not answer, the request is
 * answered with 503. A ConfigurationError goes to the `onError` of the application.
 */
export function apiKey(
  keywright: Verifier,
  options: HonoApiKeyOptions = {},
): MiddlewareHandler<{ Variables: { apiKey: Valid } }> {
  const admit = admitting(keywright, options);
  return async (context, next) => {
    const presented = {
      xApiKey: context.req.header("x-api-key"),
      authorization: context.req.header("authorization"),
      clientIp: options.clientIp?.(context),
    };
    const result = await admit(presented);
    if ("refusal" in result) {
      const { status, headers, body } = result.refusal;
      return context.json(body, status, { ...headers });
    }
    context.set("apiKey", result.admission.apiKey);
    await next();
    if (context.res.status === 101) {
      return undefined; // a WebSocket: header fields would make a new Response, without it
    }
    // Not before: a handler may answer with a Response of its own, without the header fields that were set until then.
    for (const [name, value] of Object.entries(result.admission.headers)) {
      context.header(name, value);
    }
    return undefined;
  };
}
