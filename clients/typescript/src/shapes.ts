/** Readers of JSON values: each returns a value of its type, frozen and without unknown fields, or throws Malformed. */

/** A value does not have the expected type. The message is the path of the field, never its value. */
export class Malformed extends Error {}

/** Reader of a JSON value. `path` is where the value is. */
export type Read<T> = (value: unknown, path: string) => T;

/** Read a string. */
export const text: Read<string> = (value, path) => {
  if (typeof value !== "string") throw new Malformed(path);
  return value;
};

/** Read a string that `Date.parse` understands. */
export const time: Read<string> = (value, path) => {
  const read = text(value, path);
  if (Number.isNaN(Date.parse(read))) throw new Malformed(path);
  return read;
};

/** Read a boolean. */
export const truth: Read<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw new Malformed(path);
  return value;
};

/** Read a whole number. */
export const integer: Read<number> = (value, path) => {
  if (!Number.isInteger(value)) throw new Malformed(path);
  return value as number;
};

/** Return a reader of null and of what `read` reads. */
export function nullable<T>(read: Read<T>): Read<T | null> {
  return (value, path) => (value === null ? null : read(value, path));
}

/** Return a reader of an array of what `read` reads. */
export function list<T>(read: Read<T>): Read<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Malformed(path);
    return Object.freeze(value.map((item) => read(item, path)));
  };
}

/** Read an object with any fields, as it is. */
export const record: Read<{ readonly [name: string]: unknown }> = (value, path) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed(path);
  return value as { readonly [name: string]: unknown };
};

/** Return a reader of an object that has all of these fields. Other fields are left out. */
export function object<T extends object>(fields: { readonly [Name in keyof T]-?: Read<T[Name]> }): Read<T> {
  const readers = Object.entries(fields) as [string, Read<unknown>][];
  return (value, path) => {
    const source = record(value, path);
    const result: Record<string, unknown> = {};
    for (const [name, read] of readers) result[name] = read(source[name], `${path}.${name}`);
    return Object.freeze(result) as T;
  };
}
