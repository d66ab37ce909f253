/** AWS Signature Version 4 with credentials that can expire, by a clock that can be wrong. */

import { AwsV4Signer } from "aws4fetch";

import { headerSafe } from "./checks.js";
import { ConfigurationError, notSent } from "./errors.js";
import { system } from "./system.js";
import type { AwsCredentials, KeywrightOptions } from "./types.js";

/** How long before their expiration credentials are asked for again, as the AWS SDKs do. */
const RENEWAL_MILLISECONDS = 5 * 60_000;

/** AWS refuses signatures that are more than five minutes off. */
const SKEW_MILLISECONDS = 4 * 60_000;

/** Years of signatures have four digits. */
const LATEST = Date.parse("9999-01-01T00:00:00Z");

const ISO_TIME = /^\d{4}-\d\d-\d\dT/;

/** Where a request is signed for. */
export interface Scope {
  readonly service: "execute-api" | "lambda";
  readonly region: string;
}

/** A request to sign. The body is JSON. */
export interface Unsigned {
  readonly url: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A signature, and the moment in it by the clock of the server, in milliseconds. */
export interface Signed {
  readonly headers: Headers;
  readonly signedAt: number;
}

/** Signs requests of one client. */
export class Signer {
  readonly #source: KeywrightOptions["credentials"];
  readonly #timeoutMilliseconds: number;
  #credentials: AwsCredentials | undefined;
  #renewal: Promise<AwsCredentials> | undefined;
  #keys = new Map<string, ArrayBuffer>();
  #offset = 0;

  /** Sign with these credentials, those of this function if it returns in time, or those of the environment. */
  constructor(source: KeywrightOptions["credentials"], timeoutMilliseconds: number) {
    this.#source = source;
    this.#timeoutMilliseconds = timeoutMilliseconds;
  }

  /**
   * Sign a request.
   *
   * Raise ConfigurationError if there are no credentials, ApiConnectionError if the function that returns them fails.
   */
  async sign({ url, body, headers }: Unsigned, { service, region }: Scope): Promise<Signed> {
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#current();
    if (this.#keys.size > 1) this.#keys.clear(); // keys of days and credentials that are over
    const signedAt = this.#now();
    const signer = new AwsV4Signer({
      method: "POST",
      url,
      body,
      headers: { "content-type": "application/json", ...headers },
      service,
      region,
      accessKeyId: headerSafe("accessKeyId", accessKeyId),
      secretAccessKey: headerSafe("secretAccessKey", secretAccessKey),
      ...(sessionToken ? { sessionToken: headerSafe("sessionToken", sessionToken) } : {}),
      datetime: new Date(signedAt).toISOString().replace(/[:-]|\.\d{3}/g, ""),
      cache: this.#keys,
    });
    return { headers: (await signer.sign()).headers, signedAt };
  }

  /**
   * Take over the time of a server that refused a signature of `signedAt`, if its `date` differs from that moment.
   *
   * Return whether it does: the request can be signed again. The moment counts, and not the clock as it is now: an
   * answer to another request may have corrected it since.
   */
  correctClock(date: string | null, signedAt: number): boolean {
    const time = Date.parse(date ?? "");
    if (!(time < LATEST && Math.abs(time - signedAt) > SKEW_MILLISECONDS)) return false; // also without a date
    this.#offset = time - system.now();
    return true;
  }

  async #current(): Promise<AwsCredentials> {
    if (this.#source === undefined) return environmentCredentials();
    if (typeof this.#source !== "function") return checked(this.#source);
    const held = this.#credentials;
    const lifetime = held === undefined ? 0 : this.#lifetime(held);
    if (held !== undefined && lifetime > RENEWAL_MILLISECONDS) return held;
    const renewal = (this.#renewal ??= this.#renew(this.#source).finally(() => {
      this.#renewal = undefined;
    }));
    if (held === undefined || lifetime <= 0) return this.#inTime(renewal);
    renewal.catch(() => undefined); // those that have not expired yet are used on, and the next call renews them
    return held;
  }

  /** Return what a renewal returns. One that takes too long is given up: the next call begins another one. */
  async #inTime(renewal: Promise<AwsCredentials>): Promise<AwsCredentials> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#renewal = undefined;
        reject(notSent("the AWS credentials did not arrive in time"));
      }, this.#timeoutMilliseconds);
    });
    try {
      return await Promise.race([renewal, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #renew(source: () => AwsCredentials | Promise<AwsCredentials>): Promise<AwsCredentials> {
    let credentials: AwsCredentials;
    try {
      credentials = await source();
    } catch (error) {
      throw notSent(`the AWS credentials cannot be refreshed${plainName(error)}`);
    }
    this.#credentials = checked(credentials);
    return this.#credentials;
  }

  /** Return the milliseconds until the expiration; 0 without one, since such credentials can change at any time. */
  #lifetime({ expiration }: AwsCredentials): number {
    return expiration === undefined ? 0 : new Date(expiration).getTime() - this.#now();
  }

  #now(): number {
    return system.now() + this.#offset;
  }
}

/** Return credentials. Raise ConfigurationError if they are not an object, or their expiration is not a time. */
function checked(credentials: AwsCredentials): AwsCredentials {
  if (typeof credentials !== "object" || credentials === null) {
    throw new ConfigurationError("credentials must be {accessKeyId, secretAccessKey} or a function that returns them");
  }
  const { expiration } = credentials as { readonly expiration?: unknown };
  const isTime = expiration instanceof Date || (typeof expiration === "string" && ISO_TIME.test(expiration));
  if (expiration !== undefined && !(isTime && !Number.isNaN(new Date(expiration).getTime()))) {
    throw new ConfigurationError("the expiration of credentials must be a Date or an ISO 8601 string");
  }
  return credentials;
}

/** Return the name of an error. Its message can quote what a program or a server has answered. */
function plainName(error: unknown): string {
  const name = (error as { readonly name?: unknown } | null | undefined)?.name;
  return typeof name === "string" && /^[A-Za-z]{1,64}$/.test(name) ? ` (${name})` : "";
}

function environmentCredentials(): AwsCredentials {
  const accessKeyId = system.environment("AWS_ACCESS_KEY_ID");
  const secretAccessKey = system.environment("AWS_SECRET_ACCESS_KEY");
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new ConfigurationError(
      "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass credentials, " +
        "such as fromNodeProviderChain() of @aws-sdk/credential-providers",
    );
  }
  return { accessKeyId, secretAccessKey, sessionToken: system.environment("AWS_SESSION_TOKEN") };
}
