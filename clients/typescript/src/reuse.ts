/** Answers of earlier verifications, kept in memory for a short time. */

import { isReusable } from "./answers.js";
import { system } from "./system.js";
import type { Valid, Verification } from "./types.js";

interface Entry {
  readonly answer: Valid;
  readonly sentAt: Moment;
}

/** A copy of what a caller asks. */
export interface Question {
  readonly key: string;
  readonly permissions?: readonly string[] | undefined;
  readonly clientIp?: string | undefined;
  readonly cost?: number | undefined;
}

/** A moment by both clocks: one can be set back, the other can stand still while the machine sleeps. */
export interface Moment {
  readonly now: number;
  readonly elapsed: number;
}

/**
 * Keeps `VALID` answers for keys without limits, by a keyed digest of what was asked. Texts of keys are not kept.
 */
export class AnswerReuse {
  readonly #milliseconds: number;
  readonly #maximum: number;
  readonly #entries = new Map<string, Entry>();
  readonly #digest = keyedDigest();

  /** Keep at most `maximum` answers, each for at most `seconds` after the request for it was sent. */
  constructor(seconds: number, maximum: number) {
    this.#milliseconds = seconds * 1000;
    this.#maximum = maximum;
  }

  /** Return the name under which the answer to this question is kept. */
  nameOf({ key, permissions, clientIp, cost }: Question): string | Promise<string> {
    const required = [...new Set(permissions)].sort();
    return this.#digest(JSON.stringify([key, required, clientIp ?? null, cost ?? 1]));
  }

  /** Return the answer kept under a name. Undefined if there is none, or it is too old, or the key has expired. */
  find(name: string): Valid | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    if (this.#isCurrent(entry)) return entry.answer;
    this.#entries.delete(name);
    return undefined;
  }

  /** Keep an answer to a request that was sent at `sentAt`, unless it must not be reused. */
  keep(name: string, answer: Verification, sentAt: Moment): void {
    if (!isReusable(answer)) return;
    this.#entries.set(name, { answer, sentAt });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maximum) break;
      this.#entries.delete(oldest);
    }
  }

  #isCurrent({ answer, sentAt }: Entry): boolean {
    const { now, elapsed } = moment();
    return (
      elapsed - sentAt.elapsed < this.#milliseconds &&
      now - sentAt.now < this.#milliseconds &&
      (answer.expiresAt === null || now < Date.parse(answer.expiresAt))
    );
  }
}

/** Return the current moment. */
export function moment(): Moment {
  return { now: system.now(), elapsed: system.elapsed() };
}

/**
 * Return a function that digests a string with HMAC-SHA-256 and a key of its own.
 *
 * Web Crypto alone takes longer than the rest of a reuse: it answers from another thread.
 */
function keyedDigest(): (text: string) => string | Promise<string> {
  // Not at once: Cloudflare Workers have no randomness outside of a request.
  let secret: Uint8Array<ArrayBuffer> | undefined;
  const random = (): Uint8Array<ArrayBuffer> => (secret ??= crypto.getRandomValues(new Uint8Array(32)));
  const node = system.nodeCrypto();
  if (node !== undefined) return (text) => node.createHmac("sha256", random()).update(text).digest("base64");
  let key: Promise<CryptoKey> | undefined;
  return async (text) => {
    key ??= crypto.subtle.importKey("raw", random(), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const digest = await crypto.subtle.sign("HMAC", await key, new TextEncoder().encode(text));
    return String.fromCharCode(...new Uint8Array(digest));
  };
}
