/** Checks of arguments, which a compiler cannot make for callers in JavaScript. */

import { ConfigurationError } from "./errors.js";

/** Segments of a path in the place of an id. */
const OTHER_RESOURCES: ReadonlySet<string> = new Set(["current", "verify", "verify-batch"]);

/** Return a number of the range; whole unless `fraction`. Raise TypeError or RangeError. */
export function numberIn(
  name: string,
  value: number,
  { from, to, fraction = false }: { from: number; to: number; fraction?: boolean },
): number {
  if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
  if (!(value >= from && value <= to) || !(fraction || Number.isInteger(value))) {
    throw new RangeError(`${name} must be a ${fraction ? "number" : "whole number"} from ${from} to ${to}`);
  }
  return value;
}

/** Raise TypeError unless the value is a string. */
export function requireString(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw new TypeError(`${name} must be a string`);
}

/** Return a copy of an array of strings, or undefined for undefined. Raise TypeError for other values. */
export function stringsOf(name: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const copy: unknown[] | undefined = Array.isArray(value) ? [...value] : undefined;
  if (!copy?.every((item) => typeof item === "string")) throw new TypeError(`${name} must be an array of strings`);
  return copy;
}

/** Return the path segment of a key's id. Raise TypeError or RangeError, also if it would address another resource. */
export function idSegment(id: string): string {
  requireString("id", id);
  if (!/^[\w-]+$/.test(id) || OTHER_RESOURCES.has(id)) throw new RangeError("id must be the id of an API key");
  return id;
}

/** Return the ISO 8601 form of a time. Raise TypeError or RangeError. */
export function isoTime<T extends null | undefined>(name: string, value: string | Date | T): string | T {
  if (value === null || value === undefined || typeof value === "string") return value;
  if (!(value instanceof Date)) throw new TypeError(`${name} must be a string or a Date`);
  if (Number.isNaN(value.getTime())) throw new RangeError(`${name} is an invalid Date`);
  return value.toISOString();
}

/**
 * Return a secret that is to be part of a header.
 *
 * Raise ConfigurationError if it cannot be: runtimes show refused headers in their errors.
 */
export function headerSafe(name: string, value: unknown): string {
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw new ConfigurationError(`${name} must be visible ASCII characters without white space: check its source`);
  }
  return value;
}
