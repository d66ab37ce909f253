/** Middleware for Express 4 and 5. */

import type { NextFunction, Request, Response } from "express";
import { admitting, type ApiKeyOptions, type Verifier } from "./refusals.js";
import type { Valid } from "./types.js";

declare global {
  // Express merges this interface into its Request.
  namespace Express {
    interface Request {
      /** The valid key of the request, behind the middleware `apiKey` of Keywright. */
      apiKey?: Valid;
    }
  }
}

/** The parts of a request that the middleware needs. No more: the route keeps the types of its own parameters. */
export type ExpressRequest = Pick<Request, "get" | "ip" | "apiKey">;

/** Middleware for any route. */
export type ExpressMiddleware = (
  request: ExpressRequest,
  response: Pick<Response, "status" | "set">,
  next: NextFunction,
) => Promise<void>;

/** Options of {@link apiKey}. */
export interface ExpressApiKeyOptions extends ApiKeyOptions {
  /** Returns the caller's address, by default `req.ip`: that of the connection unless `trust proxy` is set. */
  readonly clientIp?: ((request: Request) => string | undefined) | undefined;
}

/**
 * Return middleware that admits requests with a valid API key, which is in `req.apiKey` then, and answers all others.
 *
 * The key is read from `x-api-key`, else from `Authorization: Bearer`. If Keywright does not answer, the request is
 * answered with 503. A ConfigurationError goes to the error handlers of the application.
 */
export function apiKey(keywright: Verifier, options: ExpressApiKeyOptions = {}): ExpressMiddleware {
  const admit = admitting(keywright, options);
  const { clientIp = (request) => request.ip } = options;
  return async (request, response, next) => {
    try {
      const presented = {
        xApiKey: request.get("x-api-key"),
        authorization: request.get("authorization"),
        clientIp: clientIp(request as Request), // Express passes it whole
      };
      const result = await admit(presented);
      if ("refusal" in result) {
        const { status, headers, body } = result.refusal;
        response.status(status).set(headers).json(body);
        return;
      }
      response.set(result.admission.headers);
      request.apiKey = result.admission.apiKey;
    } catch (error) {
      next(error); // Express 4 does not see a rejected promise
      return;
    }
    next();
  };
}
