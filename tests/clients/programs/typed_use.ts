// A program as users write it, which a strict compiler must accept; needless expectations of errors are errors to it.

import { ApiError, Keywright, type Refused, type Use, type Valid } from "@keywright/client";

const keywright = new Keywright("https://abc123.execute-api.us-east-1.amazonaws.com/v1", { token: async () => "token" });
const direct = new Keywright({ function: "arn:aws:lambda:us-east-1:123456789012:function:verify", retries: 0 });

export async function organizationOf(text: string): Promise<string | undefined> {
  const verification = await direct.verify(text, { permissions: ["sessions:read"], clientIp: "192.0.2.7", cost: 2 });
  if (verification.valid) {
    const { organizationId }: Valid = verification;
    return organizationId;
  }
  switch (verification.code) {
    case "RATE_LIMITED":
      throw new Error(`wait ${verification.retryAfterSeconds ?? 1} seconds`);
    case "INSUFFICIENT_PERMISSIONS":
      throw new Error(verification.missingPermissions.join(", "));
    default: {
      const refused: Refused = verification;
      // @ts-expect-error - an unknown key has none
      refused.organizationId;
      return undefined;
    }
  }
}

export async function statuses(texts: readonly string[]): Promise<number[]> {
  const uses: Use[] = texts.map((key) => ({ key, permissions: ["sessions:read"] }));
  const results = await keywright.verifyBatch([...uses, "kk_"]);
  // @ts-expect-error - an undecided key has none
  results[0]?.organizationId;
  return results.map((result) => (result.valid ? 200 : result.code === "SERVICE_UNAVAILABLE" ? 503 : 401));
}

export async function soonExpired(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of keywright.list({ expiresBefore: new Date(Date.now() + 604_800_000) })) {
    names.push(name);
  }
  return names;
}

export async function replaced(id: string): Promise<string> {
  try {
    const rotated = await keywright.rotate(id, { gracePeriodSeconds: 3600, reason: "compromised" });
    return `${rotated.key} ${rotated.previousKeyExpiresAt ?? "at once"}`;
  } catch (error) {
    throw error instanceof ApiError ? new Error(`${error.code} ${error.status} ${error.requestId}`) : error;
  }
}

// @ts-expect-error - not a reason
void keywright.rotate("id", { reason: "bored" });
