/** AWS Signature Version 4 by its description, to compare the signatures of the client with. */

import { createHash, createHmac } from "node:crypto";

import { CREDENTIALS } from "./samples.js";
import type { Request } from "./server.js";

/** Return the signature that a request without a query must have, of the names that it says it signs. */
export function expectedSignature({ method, path, headers, body }: Request): string {
  const [, scope = "", names = ""] =
    /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+)/.exec(headers.authorization ?? "") ?? [];
  // Every service but S3 signs the path as it is sent, encoded once more.
  const encodedPath = path.split("/").map(encodeURIComponent).join("/");
  const signedHeaders = names.split(";").map((name) => `${name}:${String(headers[name])}\n`);
  const request = [method, encodedPath, "", signedHeaders.join(""), names, sha256(body)].join("\n");
  const text = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(request)].join("\n");
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${CREDENTIALS.secretAccessKey}`);
  return hmac(key, text).toString("hex");
}

/** Return the signature of a request. */
export function signatureOf({ headers }: Request): string | undefined {
  return /Signature=(\w+)$/.exec(headers.authorization ?? "")?.[1];
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
