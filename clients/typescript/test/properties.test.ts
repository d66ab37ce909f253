/** Every answer that the description of the API allows is understood, and nothing else admits a key. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import fc from "fast-check";

import {
  apiKeyDetails,
  apiKeySummary,
  auditLog,
  batchOf,
  createdApiKey,
  errorOf,
  pageOf,
  resultOf,
  rotatedApiKey,
  updatedApiKey,
  verification,
  type Answer,
} from "../src/answers.js";
import { ApiError } from "../src/errors.js";
import type { Read } from "../src/shapes.js";

interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

const DESCRIPTION = new URL("../../../../docs/openapi.json", import.meta.url);
const SCHEMAS = (JSON.parse(readFileSync(DESCRIPTION, "utf8")) as { components: { schemas: Record<string, Schema> } })
  .components.schemas;

/** Return values of a schema of the description. */
function values(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref) return values(named(schema.$ref.split("/").at(-1) ?? ""));
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(values));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map((type: string) => values({ ...schema, type })));
  switch (schema.type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.maxSafeInteger();
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case "string":
      return schema.format === "date-time" ? times : fc.string({ unit: "binary" });
    case "array":
      return fc.array(values(schema.items ?? {}), { maxLength: 3 });
    case "object":
      return objects(schema);
    default:
      return fc.jsonValue();
  }
}

const times = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map((date) => date.toISOString());

function objects({ properties = {}, required = [], additionalProperties }: Schema): fc.Arbitrary<unknown> {
  const known = fc.record(Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, values(each)])), {
    requiredKeys: [...required],
  });
  if (additionalProperties === undefined || additionalProperties === false) return known;
  const extra = values(additionalProperties === true ? {} : additionalProperties);
  return fc.dictionary(fc.string({ unit: "binary" }), extra, { maxKeys: 3 });
}

function named(name: string): Schema {
  const schema = SCHEMAS[name];
  assert.ok(schema, name);
  return schema;
}

function answer(body: unknown, status = 200): Answer {
  return { status, body, requestId: undefined, retryAfterSeconds: undefined, way: "signed" };
}

/** Return a value as it arrives. */
function received(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

for (const [schema, read] of [
  ["ApiKeyDetails", apiKeyDetails],
  ["ApiKeySummary", apiKeySummary],
  ["AuditLog", auditLog],
  ["CreatedApiKey", createdApiKey],
] as [string, Read<unknown>][]) {
  test(`every ${schema} of the description is read as it is`, () => {
    fc.assert(
      fc.property(values(named(schema)), (value) => {
        const expected = received(value);

        assert.deepEqual({ ...(resultOf(answer({ data: received(value), error: null }), read) as object) }, expected);
      }),
    );
  });
}

test("every RotatedApiKey of the description is read without its texts for people", () => {
  fc.assert(
    fc.property(values(named("RotatedApiKey")), (value) => {
      const { status, message, ...expected } = received(value) as Record<string, unknown>;

      assert.deepEqual({ ...resultOf(answer({ data: received(value), error: null }), rotatedApiKey) }, expected);
      assert.deepEqual([status, typeof message], ["success", "string"]);
    }),
  );
});

test("every UpdatedApiKey of the description is read as its key", () => {
  fc.assert(
    fc.property(values(named("UpdatedApiKey")), (value) => {
      const { apiKey } = received(value) as Record<string, unknown>;

      assert.deepEqual(resultOf(answer({ data: received(value), error: null }), updatedApiKey), apiKey);
    }),
  );
});

test("every page of the description is read, unless it contradicts itself", () => {
  const pages = fc.record({
    items: fc.array(values(named("ApiKeySummary")), { maxLength: 3 }),
    next: fc.option(fc.uuid()),
  });
  fc.assert(
    fc.property(pages, ({ items, next }) => {
      const pagination = { limit: 100, has_more: next !== null, next_cursor: next };

      assert.deepEqual(pageOf(answer({ data: received(items), error: null, pagination }), apiKeySummary, null), {
        items: received(items),
        next,
      });
    }),
  );
});

test("every verification of the description is read as it is, unless it contradicts itself", () => {
  const results = fc.oneof(values(named("VerifiedApiKey")), values(named("UnknownApiKey")));
  fc.assert(
    fc.property(results, (value) => {
      const expected = received(value) as { valid: boolean; code: string };
      const read = () => resultOf(answer({ data: received(value), error: null }), verification);

      if (expected.valid === (expected.code === "VALID")) assert.deepEqual(read(), expected);
      else assert.throws(read, { code: "UNEXPECTED_ANSWER" });
    }),
    { numRuns: 500 },
  );
});

test("every batch of the description is read as it is, unless it contradicts itself", () => {
  fc.assert(
    fc.property(values(named("VerifiedApiKeys")), (value) => {
      const { results } = received(value) as { results: { valid: boolean; code: string }[] };
      const read = () => resultOf(answer({ data: received(value), error: null }), batchOf(results.length));

      if (results.every(({ valid, code }) => valid === (code === "VALID"))) assert.deepEqual(read(), results);
      else assert.throws(read, { code: "UNEXPECTED_ANSWER" });
    }),
    { numRuns: 300 },
  );
});

test("every failure of the description is an error with its code, unless it has no error", () => {
  fc.assert(
    fc.property(values(named("Failure")), fc.integer({ min: 400, max: 599 }), (value, status) => {
      const { error } = received(value) as { error: { code: string } | null };

      const { code, status: read } = errorOf(answer(received(value), status));

      assert.deepEqual([code, read], [error?.code || "UNEXPECTED_ANSWER", status]);
    }),
  );
});

test("whatever is answered, either a key is VALID by word and by value, or it is not admitted", () => {
  const data = fc.oneof(
    fc.jsonValue(),
    fc.record({ valid: fc.oneof(fc.boolean(), fc.jsonValue()), code: fc.oneof(fc.constant("VALID"), fc.string()) }),
    values(named("VerifiedApiKey")).chain((value) =>
      fc
        .dictionary(fc.constantFrom(...Object.keys(value as object)), fc.jsonValue(), { maxKeys: 2 })
        .map((changed) => ({
          ...(value as object),
          ...changed,
        })),
    ),
  );
  fc.assert(
    fc.property(data, (value) => {
      const { valid, code } = Object(value) as { valid?: unknown; code?: unknown };
      try {
        const result = resultOf(answer({ data: value, error: null }), verification);
        assert.equal(result.valid, valid === true && code === "VALID");
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
