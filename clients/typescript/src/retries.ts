/** Repeating requests that failed for reasons that pass. */

import { errorCodeOf, errorOf, type Answer } from "./answers.js";
import { ApiConnectionError, mayBeSent } from "./errors.js";
import { system } from "./system.js";

/** The longest `retry-after` that is waited for. */
const PATIENCE_SECONDS = 10;

const LONGEST_PAUSE_SECONDS = 2;

/** The last answer, and whether an earlier attempt may have had an effect that is not known. */
export interface Outcome {
  readonly answer: Answer;
  readonly uncertain: boolean;
}

/**
 * Call `attempt` until its answer is final, at most `retries` times more.
 *
 * Raise ApiError or ApiConnectionError of the last attempt if none was final; what else it raises passes through.
 */
export async function repeat(retries: number, attempt: () => Promise<Answer>): Promise<Outcome> {
  let uncertain = false;
  for (let failures = 0; ; failures += 1) {
    const answer = await attempt().catch(connectionErrors);
    if (!(answer instanceof ApiConnectionError) && !isPassing(answer)) return { answer, uncertain };
    const error = answer instanceof ApiConnectionError ? answer : errorOf(answer);
    const retryAfterSeconds = answer instanceof ApiConnectionError ? 0 : (answer.retryAfterSeconds ?? 0);
    if (failures >= retries || retryAfterSeconds > PATIENCE_SECONDS) throw error;
    uncertain ||= answer instanceof ApiConnectionError ? mayBeSent(answer) : answer.status >= 500;
    await system.sleep((retryAfterSeconds + jitterSeconds(failures)) * 1000);
  }
}

function connectionErrors(error: unknown): ApiConnectionError {
  if (error instanceof ApiConnectionError) return error;
  throw error;
}

function isPassing(answer: Answer): boolean {
  if (answer.status === 429) return [undefined, "TOO_MANY_REQUESTS"].includes(errorCodeOf(answer));
  return [500, 502, 503, 504].includes(answer.status);
}

/** Return a random pause, so that clients do not come back together. */
function jitterSeconds(failures: number): number {
  return system.random() * Math.min(LONGEST_PAUSE_SECONDS, 0.1 * 2 ** failures);
}
