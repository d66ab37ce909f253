/** Addresses and regions of a deployment and of AWS Lambda. */

import { ConfigurationError } from "./errors.js";
import { system } from "./system.js";

const ARN = /^arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:[\w-]+(:[\w$-]+)?$/;
const API_GATEWAY = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/**
 * Return an address without slashes at its end. `form` is what such an address looks like, for messages.
 *
 * Raise ConfigurationError unless it is an https URL, or an http URL of this machine, and has only a host and a path.
 */
export function baseAddress(name: string, value: unknown, form: string): string {
  let url: URL;
  try {
    url = new URL(String(value));
  } catch {
    throw new ConfigurationError(`${name} must be a URL such as ${form}`);
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ConfigurationError(`${name} must begin with https://`);
  }
  if (url.username || url.password || /[?#]/.test(url.href)) {
    throw new ConfigurationError(`${name} must not have a user, a query or a fragment`);
  }
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname)) {
    throw new ConfigurationError(`${name} must begin with https://: keys must not travel in clear text`);
  }
  return url.href.replace(/\/+$/, "");
}

/** Return the region to sign requests to the API for. Raise ConfigurationError if there is none. */
export function apiRegion(address: string, region: string | undefined): string {
  const found =
    region ||
    API_GATEWAY.exec(new URL(address).hostname)?.[1] ||
    system.environment("AWS_REGION") ||
    system.environment("AWS_DEFAULT_REGION");
  if (!found) throw new ConfigurationError("no region: pass region, or set AWS_REGION");
  if (!/^[a-z0-9-]+$/.test(found)) {
    throw new ConfigurationError("region must be the name of an AWS region, such as us-east-1");
  }
  return found;
}

/** Return the region of a function's ARN. Raise ConfigurationError if it is not an ARN, or `region` is another one. */
export function functionRegion(arn: unknown, region: string | undefined): string {
  const found = typeof arn === "string" ? ARN.exec(arn)?.[1] : undefined;
  if (found === undefined) {
    throw new ConfigurationError(
      "function is not the ARN of a function: pass the stack's output VerifyApiKeyFunctionArn",
    );
  }
  if (region && region !== found) {
    throw new ConfigurationError("region differs from that of function: omit it");
  }
  return found;
}

/** Return the address to invoke a function at. Raise ConfigurationError if the environment has an unsuitable one. */
export function invocationAddress(arn: string, region: string): string {
  const name = ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"].find((each) => system.environment(each)) ?? "";
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const endpoint = name
    ? baseAddress(name, system.environment(name), "https://HOST")
    : `https://lambda.${region}.${domain}`;
  return `${endpoint}/2015-03-31/functions/${encodeURIComponent(arn)}/invocations`;
}
