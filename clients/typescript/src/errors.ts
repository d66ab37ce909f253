/** Errors that the client throws. None of them carries the text of a key, a token or AWS credentials. */

/** Base of all errors of the client. Never thrown itself. */
export abstract class KeywrightError extends Error {}

/** The parts of an error that Keywright answered. */
export interface ApiErrorParts {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly docs?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/**
 * Keywright answered with an error, or the answer is not from Keywright.
 *
 * `code` is any string, such as `FORBIDDEN`; `UNEXPECTED_ANSWER` stands for an answer that is not in Keywright's
 * format.
 */
export class ApiError extends KeywrightError {
  /** The HTTP status of the answer. */
  readonly status: number;
  /** Identifies the error to programs. */
  readonly code: string;
  /** What you can do about it. */
  readonly hint: string | undefined;
  /** The link to the error in the reference. */
  readonly docs: string | undefined;
  /** The id of the request in the logs of the service. */
  readonly requestId: string | undefined;
  /** How many seconds to wait before the request is repeated. */
  readonly retryAfterSeconds: number | undefined;

  constructor(parts: ApiErrorParts) {
    super(describe(parts)); // for the stack, which loggers print
    void this.stack; // V8 writes it when it is first read
    this.message = parts.message;
    this.status = parts.status;
    this.code = parts.code;
    this.hint = parts.hint;
    this.docs = parts.docs;
    this.requestId = parts.requestId;
    this.retryAfterSeconds = parts.retryAfterSeconds;
  }

  /** Return `CODE (status): message. hint [x-request-id ID]`. */
  override toString(): string {
    return describe(this);
  }
}

/**
 * Keywright did not answer: its name, address, TLS, the connection, or the time limit of an attempt; or the AWS
 * credentials could not be refreshed, so that nothing was sent. Else the request may have taken effect all the same.
 */
export class ApiConnectionError extends KeywrightError {
  /** What failed, such as `the connection was refused`. */
  readonly reason: string;
  /** Host and port of the request. Empty if the AWS credentials could not be refreshed. */
  readonly host: string;

  constructor(reason: string, host: string) {
    super(host === "" ? `Nothing was sent: ${reason}` : `No answer from ${host}: ${reason}`);
    this.reason = reason;
    this.host = host;
  }
}

// Not a class or a field: callers have no use for it.
const UNSENT = new WeakSet<ApiConnectionError>();

/** Return the error of a request that was never sent, so that it has had no effect. */
export function notSent(reason: string, host = ""): ApiConnectionError {
  const error = new ApiConnectionError(reason, host);
  UNSENT.add(error);
  return error;
}

/** Return whether the request of an error may have reached the server. */
export function mayBeSent(error: ApiConnectionError): boolean {
  return !UNSENT.has(error);
}

/** The client cannot work as it is configured. The message names the argument and the remedy. */
export class ConfigurationError extends KeywrightError {}

// Names survive minifiers only as strings.
for (const [name, type] of Object.entries({ KeywrightError, ApiError, ApiConnectionError, ConfigurationError })) {
  Object.defineProperty(type.prototype, "name", { value: name, configurable: true, writable: true });
}

function describe({ status, code, message, hint, requestId }: ApiErrorParts): string {
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return [`${code} (${status}): ${sentence}`, hint, requestId && `[x-request-id ${requestId}]`]
    .filter(Boolean)
    .join(" ");
}
