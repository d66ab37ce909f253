/** Client of Keywright: verifies API keys with AWS credentials, and manages them with a session token. */

export { Keywright } from "./client.js";
export { ApiConnectionError, ApiError, ConfigurationError, KeywrightError } from "./errors.js";
export type { ApiErrorParts } from "./errors.js";
export type { Verifier } from "./refusals.js";
export type * from "./types.js";
