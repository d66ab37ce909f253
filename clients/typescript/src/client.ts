import { baseAddress, functionRegion } from "./addresses.js";
import {
  apiKeyDetails,
  apiKeySummary,
  auditLog,
  batchOf,
  createdApiKey,
  deletedApiKey,
  errorCodeOf,
  pageOf,
  resultOf,
  rotatedApiKey,
  updatedApiKey,
  verification,
  type Page,
} from "./answers.js";
import { headerSafe, idSegment, isoTime, numberIn, requireString, stringsOf } from "./checks.js";
import { ConfigurationError } from "./errors.js";
import { sender, type Send } from "./http.js";
import { repeat, type Outcome } from "./retries.js";
import { AnswerReuse, moment, type Question } from "./reuse.js";
import type { Read } from "./shapes.js";
import { Signer } from "./signing.js";
import {
  directVerify,
  httpVerify,
  httpVerifyBatch,
  manage,
  type ManagementRequest,
  type Verify,
} from "./transports.js";
import type {
  ApiKeyDetails,
  ApiKeySummary,
  AuditLog,
  AuditLogOptions,
  BatchResult,
  CreateApiKey,
  CreatedApiKey,
  DeleteOptions,
  DirectTarget,
  KeywrightOptions,
  ListOptions,
  RotateOptions,
  RotatedApiKey,
  UpdateApiKey,
  Use,
  Verification,
  VerifyOptions,
} from "./types.js";

const API_KEYS = "/auth/api-keys";
const AUDIT_LOGS = "/auth/orgs/audit-logs";
const LARGEST_COST = 1_000_000;
const LARGEST_PAGE = 100;
const LARGEST_BATCH = 100;

/** Keywright refuses larger bodies. */
const LARGEST_BODY_BYTES = 64 * 1024;

/** No key is longer, by far. Bodies that are too large would look like a failure. */
const LONGEST_KEY_CHARACTERS = 4096;

/** Texts that keys can have: those of imported keys are the longest. */
const POSSIBLE_KEY = /^[ -~]{0,512}$/;

const NOT_FOUND = Object.freeze({ valid: false, code: "NOT_FOUND" } as const);

/**
 * Client of one deployment of Keywright. It can be shared, and needs no closing.
 *
 * Every call can throw ApiError (Keywright answered with an error), ApiConnectionError (no answer) and
 * ConfigurationError (the client cannot work so); and TypeError or RangeError for wrong arguments. Errors of your own
 * `token` function pass through; those of your `credentials` function become ApiConnectionErrors.
 */
export class Keywright {
  readonly #address: string | undefined;
  readonly #token: KeywrightOptions["token"];
  readonly #retries: number;
  readonly #send: Send;
  readonly #verify: Verify;
  readonly #verifyBatch: Verify | undefined;
  readonly #reuse: AnswerReuse | undefined;

  /**
   * Configure a client.
   *
   * @param target - the address of the API (the stack's output `ApiUrl`), or the ARN of the function that verifies
   *   keys: `{ function: "arn:..." }`. Options can be among it, or follow. Keys are managed with an address only.
   * @throws ConfigurationError for an unsuitable address, ARN or region, and for unknown options.
   * @throws TypeError, RangeError for other options.
   */
  constructor(target: string | URL | (DirectTarget & KeywrightOptions), options: KeywrightOptions = {}) {
    const direct = typeof target === "object" && target !== null && !(target instanceof URL) ? target : undefined;
    const { function: arn, ...among } = direct ?? { function: undefined };
    const { timeoutSeconds = 5, retries = 2, reuseSeconds = 0, reuseEntries = 10_000, ...rest } = known({
      ...among,
      ...options,
    });
    numberIn("timeoutSeconds", timeoutSeconds, { from: 0.001, to: 900, fraction: true });
    numberIn("reuseSeconds", reuseSeconds, { from: 0, to: 3600, fraction: true });
    numberIn("reuseEntries", reuseEntries, { from: 1, to: 10_000_000 });
    if (rest.fetch !== undefined && typeof rest.fetch !== "function") throw new TypeError("fetch must be a function");
    this.#token = rest.token;
    this.#retries = numberIn("retries", retries, { from: 0, to: 10 });
    this.#send = sender(rest.fetch, timeoutSeconds);
    this.#reuse = reuseSeconds > 0 ? new AnswerReuse(reuseSeconds, reuseEntries) : undefined;
    const signer = new Signer(rest.credentials, timeoutSeconds * 1000);
    if (direct !== undefined) {
      if (arn === undefined) throw new ConfigurationError(`${EXACTLY_ONE}; both are missing`);
      this.#verify = directVerify(this.#send, signer, arn, functionRegion(arn, rest.region));
    } else {
      this.#address = baseAddress("the address", target, "https://HOST/v1, the stack's output ApiUrl");
      this.#verify = httpVerify(this.#send, signer, this.#address, rest.region);
      this.#verifyBatch = httpVerifyBatch(this.#send, signer, this.#address, rest.region);
    }
  }

  /**
   * Verify a key. A refused key is a result, not an error.
   *
   * A verification that is repeated after a lost answer can count twice for the limits of the key.
   *
   * @param text - the key, as your caller presented it. A string of more than 4,096 characters is NOT_FOUND without a
   *   request.
   */
  async verify(text: string, options: VerifyOptions = {}): Promise<Verification> {
    const question = questionOf(text, options);
    if (text.length > LONGEST_KEY_CHARACTERS) return NOT_FOUND;
    const body = JSON.stringify(question);
    const name = await this.#reuse?.nameOf(question);
    const known = name === undefined ? undefined : this.#reuse?.find(name);
    if (known !== undefined) return known;
    const sentAt = moment();
    const { answer } = await repeat(this.#retries, () => this.#verify(body));
    const result = resultOf(answer, verification);
    if (name !== undefined) this.#reuse?.keep(name, result, sentAt);
    return result;
  }

  /**
   * Verify up to 100 keys with one request to the API, or with several if it would be larger than 64 KiB.
   *
   * Each key gets the result that `verify` returns, or one with the code SERVICE_UNAVAILABLE: neither an admission nor
   * a refusal. A batch that is repeated after a lost answer can count twice for the limits of all its keys. Answers are
   * neither reused nor kept for reuse.
   *
   * @param uses - the keys, each with what it is used for, or alone as a string if it needs no permission. The same key
   *   twice is used twice. A string that is not printable ASCII of at most 512 characters is NOT_FOUND, and is not
   *   sent: no key is such a string. No uses have no results, without a request.
   * @returns the results in the order of the uses.
   * @throws ConfigurationError if the client has no address.
   * @throws RangeError for more than 100 uses.
   */
  async verifyBatch(uses: readonly (Use | string)[]): Promise<readonly BatchResult[]> {
    const verify = this.#verifyBatch;
    if (verify === undefined) throw new ConfigurationError("batches need the address of the API, instead of function");
    return Object.freeze(await this.#results(verify, questionsOf(uses)));
  }

  /** Create a key. Its text is only in this result. A repeated attempt creates no second key. */
  async create(apiKey: CreateApiKey): Promise<CreatedApiKey> {
    const { name, permissions, metadata, expiresAt, rateLimit, quota, allowedIps, idempotencyKey } = apiKey;
    const body = {
      name,
      permissions,
      metadata,
      expiresAt: isoTime("expiresAt", expiresAt),
      rateLimit,
      quota,
      allowedIps,
    };
    return this.#change({ method: "POST", path: API_KEYS, ...idempotent(idempotencyKey) }, body, createdApiKey);
  }

  /** List keys, newest first. Pages are requested as they are needed, anew by each loop. */
  list(options: ListOptions = {}): AsyncIterable<ApiKeySummary> {
    const { enabled, permission, expiresBefore, pageSize } = options;
    const query = { enabled, permission, expires_before: isoTime("expiresBefore", expiresBefore) };
    return this.#pages(API_KEYS, query, pageSize, apiKeySummary);
  }

  /** Return a key. ApiError with the code API_KEY_NOT_FOUND if the organization has none of this id. */
  async get(id: string): Promise<ApiKeyDetails> {
    const { answer } = await this.#manage({ method: "GET", path: `${API_KEYS}/${idSegment(id)}` });
    return resultOf(answer, apiKeyDetails);
  }

  /** Change fields of a key, and return it. */
  async update(id: string, changes: UpdateApiKey): Promise<ApiKeyDetails> {
    const { name, enabled, permissions, metadata, expiresAt, rateLimit, quota, allowedIps, leak, reason } = changes;
    const body = {
      name,
      enabled,
      permissions,
      metadata,
      expiresAt: isoTime("expiresAt", expiresAt),
      rateLimit,
      quota,
      allowedIps,
      leak,
      reason,
    };
    return this.#change({ method: "PATCH", path: `${API_KEYS}/${idSegment(id)}` }, body, updatedApiKey);
  }

  /** Replace the text of a key. The new text is only in this result. A repeated attempt does not rotate again. */
  async rotate(id: string, options: RotateOptions = {}): Promise<RotatedApiKey> {
    const { gracePeriodSeconds, reason, idempotencyKey } = options;
    const path = `${API_KEYS}/${idSegment(id)}/rotate`;
    const body = { gracePeriodSeconds, reason };
    return this.#change({ method: "POST", path, ...idempotent(idempotencyKey) }, body, rotatedApiKey);
  }

  /** Delete a key. It stops working at once. */
  async delete(id: string, options: DeleteOptions = {}): Promise<void> {
    const query = parameters({ reason: options.reason });
    const { answer, uncertain } = await this.#manage({
      method: "DELETE",
      path: `${API_KEYS}/${idSegment(id)}`,
      query,
    });
    // An earlier attempt has deleted it; its answer was lost.
    if (uncertain && answer.status === 404 && errorCodeOf(answer) === "API_KEY_NOT_FOUND") return;
    resultOf(answer, deletedApiKey);
  }

  /** List records of the audit log, newest first. Pages are requested as they are needed, anew by each loop. */
  auditLogs(options: AuditLogOptions = {}): AsyncIterable<AuditLog> {
    const query = {
      event: stringsOf("event", options.event)?.join(","),
      actor_type: stringsOf("actorType", options.actorType)?.join(","),
      actor_user_id: options.actorUserId,
      actor_api_key_id: options.actorApiKeyId,
      target_id: options.targetId,
      created_from: isoTime("createdFrom", options.createdFrom),
      created_to: isoTime("createdTo", options.createdTo),
    };
    return this.#pages(AUDIT_LOGS, query, options.pageSize, auditLog);
  }

  async #results(verify: Verify, verifications: readonly Question[]): Promise<readonly BatchResult[]> {
    const count = verifications.length;
    if (count === 0) return [];
    const body = JSON.stringify({ verifications });
    if (count > 1 && new TextEncoder().encode(body).length > LARGEST_BODY_BYTES) {
      const first = await this.#results(verify, verifications.slice(0, count / 2));
      return [...first, ...(await this.#results(verify, verifications.slice(count / 2)))];
    }
    const { answer } = await repeat(this.#retries, () => verify(body));
    return resultOf(answer, batchOf(count));
  }

  async #change<T>(request: ManagementRequest, body: object, read: Read<T>): Promise<T> {
    const { answer } = await this.#manage({ ...request, body: JSON.stringify(body) });
    return resultOf(answer, read);
  }

  #pages<T>(path: string, filters: Filters, pageSize: number | undefined, read: Read<T>): AsyncIterable<T> {
    const limit = numberIn("pageSize", pageSize ?? LARGEST_PAGE, { from: 1, to: LARGEST_PAGE });
    const page = async (cursor: string | null) => {
      const query = parameters({ limit, ...filters, starting_after: cursor ?? undefined });
      return pageOf((await this.#manage({ method: "GET", path, query })).answer, read, cursor);
    };
    return {
      async *[Symbol.asyncIterator]() {
        let cursor: string | null = null;
        do {
          const { items, next }: Page<T> = await page(cursor);
          yield* items;
          cursor = next;
        } while (cursor !== null);
      },
    };
  }

  async #manage(request: ManagementRequest): Promise<Outcome> {
    const address = this.#address;
    if (address === undefined)
      throw new ConfigurationError("keys are managed with the address of the API, not function");
    return repeat(this.#retries, async () => manage(this.#send, address, await this.#currentToken(), request));
  }

  async #currentToken(): Promise<string> {
    const token = typeof this.#token === "function" ? await this.#token() : this.#token;
    if (token === undefined) throw new ConfigurationError("no token: pass token to manage keys");
    return headerSafe("token", token);
  }
}

/** Return the body of a verification, which the caller cannot change any more. Raise TypeError or RangeError. */
function questionOf(text: string, { permissions, clientIp, cost }: VerifyOptions): Question {
  requireString("text", text);
  if (clientIp !== undefined && clientIp !== null) requireString("clientIp", clientIp);
  if (cost !== undefined) numberIn("cost", cost, { from: 0, to: LARGEST_COST });
  return { key: text, permissions: stringsOf("permissions", permissions), clientIp: clientIp ?? undefined, cost };
}

/**
 * Return the questions of a batch, which the caller cannot change any more. Raise TypeError or RangeError.
 *
 * An empty string stands for each string that is no key: those of strangers would otherwise fill many requests.
 */
function questionsOf(uses: readonly (Use | string)[]): readonly Question[] {
  if (!Array.isArray(uses)) throw new TypeError("uses must be an array");
  const count = uses.length;
  if (count > LARGEST_BATCH) throw new RangeError(`uses must have at most ${LARGEST_BATCH} items, not ${count}`);
  return Array.from(uses, (use: Use | string) => {
    const item = (typeof use === "string" ? { key: use } : Object(use)) as Use;
    const { key } = item;
    requireString("key of each use", key);
    return questionOf(POSSIBLE_KEY.test(key) ? key : "", item);
  });
}

/** Return options. Raise ConfigurationError for unknown ones: a typo in `token` or `retries` must not pass silently. */
function known(options: KeywrightOptions): KeywrightOptions {
  const present = Object.entries(options).filter(([, value]) => value !== undefined);
  const unknown = present.map(([name]) => name).filter((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown.length === 0) return options;
  if (unknown.includes("function")) throw new ConfigurationError(`${EXACTLY_ONE}, once`);
  const remedy = unknown.includes("url") ? ": pass the address as the first argument" : "";
  throw new ConfigurationError(`unknown option${unknown.length > 1 ? "s" : ""} ${unknown.join(", ")}${remedy}`);
}

const EXACTLY_ONE = "pass exactly one of an address and function, as the first argument";

const OPTIONS: { readonly [Name in keyof Required<KeywrightOptions>]: true } = {
  token: true,
  region: true,
  credentials: true,
  timeoutSeconds: true,
  retries: true,
  reuseSeconds: true,
  reuseEntries: true,
  fetch: true,
};

type Filters = { readonly [name: string]: string | number | boolean | undefined };

function parameters(values: Filters): URLSearchParams {
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  return new URLSearchParams(present.map(([name, value]) => [name, String(value)]));
}

function idempotent(key: string | undefined): { headers: Record<string, string> } {
  if (key !== undefined && !/^[ -~]{1,255}$/.test(key)) {
    throw new RangeError("idempotencyKey must be 1 to 255 printable ASCII characters");
  }
  return { headers: { "idempotency-key": key ?? crypto.randomUUID() } };
}
