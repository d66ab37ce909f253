/** A hook for Fastify. */

import type { FastifyReply, FastifyRequest } from "fastify";
import { admitting, type ApiKeyOptions, type Verifier } from "./refusals.js";
import type { Valid } from "./types.js";

declare module "fastify" {
  interface FastifyRequest {
    /** The valid key of the request, behind the hook `apiKey` of Keywright. */
    apiKey?: Valid;
  }
}

/** Options of {@link apiKey}. */
export interface FastifyApiKeyOptions extends ApiKeyOptions {
  /** Returns the caller's address, by default `request.ip`: that of the connection unless `trustProxy` is set. */
  readonly clientIp?: ((request: FastifyRequest) => string | undefined) | undefined;
}

/**
 * Return a hook that admits requests with a valid API key, which is in `request.apiKey` then, and answers all others.
 *
 * Use it as `onRequest`, so that bodies of refused requests are not read, or as `preHandler`; of a route, or with
 * `addHook` of all routes. The key is read from `x-api-key`, else from `Authorization: Bearer`. If Keywright does not
 * answer, the request is answered with 503. A ConfigurationError goes to the error handler of the application.
 */
export function apiKey(
  keywright: Verifier,
  options: FastifyApiKeyOptions = {},
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  const admit = admitting(keywright, options);
  const { clientIp = (request) => request.ip } = options;
  return async (request, reply) => {
    const presented = {
      xApiKey: request.headers["x-api-key"]?.toString(), // of Node.js, which joins repeated fields
      authorization: request.headers.authorization,
      clientIp: clientIp(request),
    };
    const result = await admit(presented);
    if ("refusal" in result) {
      const { status, headers, body } = result.refusal;
      return reply.code(status).headers(headers).send(body);
    }
    reply.headers(result.admission.headers);
    request.apiKey = result.admission.apiKey;
    return undefined;
  };
}
