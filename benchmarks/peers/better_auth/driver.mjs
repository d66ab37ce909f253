// The driver of better-auth with its API key plugin (Node), verified with auth.api.verifyApiKey as documented for servers.
//
// SQLite: better-sqlite3 in WAL mode, with the schema of its migrations. Secondary storage: a Map, the fastest possible
// store, alone or with SQLite behind it (fallbackToDatabase). Updates that can wait are deferred (deferUpdates), for the
// sake of time, as the documentation says.
// A verification writes its time to the key. The default limit of ten requests a day is off, except in the check of limits.
//
// The protocol is that of ../protocol.py.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { randomBytes, webcrypto } from "node:crypto";

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getMigrations } from "better-auth/db/migration";
import Database from "better-sqlite3";

const CHECK_KEYS = 250;
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

const counts = { reads: 0, writes: 0, hashes: 0 };
const texts = {};
const turns = {};
let verify;
let store;
let limitedIn = [];
let isChecking = false;

// Each verification hashes the text with SHA-256 of Web Crypto.
const digest = webcrypto.subtle.digest.bind(webcrypto.subtle);
Object.getPrototypeOf(webcrypto.subtle).digest = (...values) => {
  counts.hashes += 1;
  return digest(...values);
};

function randomText(length) {
  return Array.from(randomBytes(length), (byte) => LETTERS[byte % LETTERS.length]).join("");
}

function countedDatabase() {
  const database = new Database(join(mkdtempSync(join(tmpdir(), "better-auth-")), "db.sqlite3"));
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = NORMAL");
  const prepare = database.prepare.bind(database);
  database.prepare = (sql) => {
    const word = sql.trimStart().slice(0, 6).toLowerCase();
    if (word === "select") counts.reads += 1;
    else if (["insert", "update", "delete"].includes(word)) counts.writes += 1;
    return prepare(sql);
  };
  return database;
}

/** Users and their sessions: with a secondary storage alone, keys are not in the database. */
function emptyTables() {
  return { user: [], session: [], account: [], verification: [], apikey: [] };
}

function countedMap() {
  const map = new Map();
  return {
    get: async (key) => {
      counts.reads += 1;
      await storageAnswers();
      return map.get(key) ?? null;
    },
    set: async (key, value) => {
      counts.writes += 1;
      await storageAnswers();
      map.set(key, value);
    },
    delete: async (key) => {
      counts.writes += 1;
      await storageAnswers();
      map.delete(key);
    },
  };
}

/** Answer at once while time is measured; in checks, answer in a later turn, like a store over a network. */
function storageAnswers() {
  return isChecking ? new Promise((resolve) => setImmediate(resolve)) : undefined;
}

/** A process of an application, over a shared store. */
function application(shared, rateLimit = { enabled: false }) {
  const options = {
    secret: "benchmark-benchmark-benchmark-benchmark",
    baseURL: "http://127.0.0.1",
    database: shared.database,
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: false },
    logger: { disabled: true },
    telemetry: { enabled: false },
    advanced: { backgroundTasks: { handler: (promise) => void promise.catch(() => {}) } },
    plugins: [apiKey({ rateLimit, ...shared.plugin })],
  };
  if (shared.secondaryStorage) options.secondaryStorage = shared.secondaryStorage;
  return { auth: betterAuth(options), options };
}

async function open({ variant, keys, pool, fresh }) {
  const shared = { plugin: { deferUpdates: true }, database: variant.includes("SQLite") ? countedDatabase() : memoryAdapter(emptyTables()) };
  if (variant.includes("secondary")) {
    shared.secondaryStorage = countedMap();
    Object.assign(shared.plugin, { storage: "secondary-storage", fallbackToDatabase: variant.includes("SQLite") });
  }
  const { auth, options } = application(shared);
  if (variant.includes("SQLite")) await (await getMigrations(options)).runMigrations();
  store = { shared, auth, ...(await signUp(auth, "owner")) };
  verify = (text) => verifyWith(auth, text);

  const issued = [];
  for (let index = 0; index < pool + fresh + 8; index += 1) issued.push(await issue(auth));
  const revoked = issued.slice(-8);
  for (const key of revoked) await disable(auth, key.id);
  await fill(auth, Math.max(0, keys - issued.length));
  const valid = issued.slice(0, pool).map((key) => key.key);
  Object.assign(texts, {
    first: issued.slice(pool, -8).map((key) => key.key),
    valid,
    unknown: Array.from({ length: 64 }, () => randomText(64)),
    wrong_secret: Array.from({ length: 64 }, () => randomText(64)), // a key has no public part, but for a prefix
    mistyped: valid.map((text) => text.slice(0, -1) + (text.endsWith("a") ? "b" : "a")),
    revoked: revoked.map((key) => key.key),
  });
  return {};
}

/** Create a user, and return the headers of their session. */
async function signUp(auth, name) {
  const signedUp = await auth.api.signUpEmail({
    body: { email: `${name}@example.com`, password: "benchmark-password", name },
    returnHeaders: true,
  });
  const cookie = signedUp.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
  return { userId: signedUp.response.user.id, headers: new Headers({ cookie }) };
}

async function verifyWith(auth, key) {
  const answer = await auth.api.verifyApiKey({ body: { key } });
  return answer.valid;
}

function issue(auth, attributes = {}) {
  return auth.api.createApiKey({ body: { userId: store.userId, name: "benchmark", ...attributes } });
}

function disable(auth, keyId) {
  return auth.api.updateApiKey({ body: { keyId, userId: store.userId, enabled: false } });
}

/** Issue keys to many users, so that no user has all of them. */
async function fill(auth, number) {
  for (let index = 0; index < number; index += 1) {
    await auth.api.createApiKey({ body: { userId: `user-${index % 100}`, name: "benchmark" } });
  }
}

function next(kind) {
  if (kind === "first") return texts.first.pop();
  turns[kind] = ((turns[kind] ?? -1) + 1) % texts[kind].length;
  return texts[kind][turns[kind]];
}

async function measure({ kind, at_once, calls, seconds }) {
  const queue = [];
  for (let index = 0; index < calls && !(kind === "first" && texts.first.length === 0); index += 1) queue.push(next(kind));
  const before = { ...counts };
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const deadline = started + seconds * 1000;
  const done = [];
  const work = async () => {
    while (queue.length > 0) {
      const text = queue.pop();
      const begun = performance.now();
      if (begun > deadline) return;
      const accepted = await verify(text).catch(() => null);
      done.push([performance.now() - begun, accepted]);
    }
  };
  await Promise.all(Array.from({ length: at_once }, work));
  const elapsed = (performance.now() - started) / 1000;
  await new Promise((resolve) => setImmediate(resolve)); // wait for deferred updates of these calls
  const cpu = process.cpuUsage(cpuBefore);
  return {
    calls: done.length,
    accepted: done.filter(([, accepted]) => accepted).length,
    failures: done.filter(([, accepted]) => accepted === null).length,
    seconds: elapsed,
    cpu_seconds: (cpu.user + cpu.system) / 1e6,
    microseconds: done.map(([milliseconds]) => Math.round(milliseconds * 10000) / 10),
    counts: Object.fromEntries(Object.keys(counts).map((name) => [name, counts[name] - before[name]])),
  };
}

/** Issue a key with a rate limit, and have it verified in two application objects over the shared store. */
async function limited({ limit, window_seconds }) {
  const rateLimit = { enabled: true, maxRequests: limit, timeWindow: window_seconds * 1000 };
  limitedIn = [application(store.shared, rateLimit).auth, application(store.shared, rateLimit).auth];
  return { key: (await issue(limitedIn[0])).key };
}

/** Verify a key in groups, each at its time whether earlier ones have ended or not, in both applications in turn. */
async function load({ key, start, every, group, groups }) {
  const calls = [];
  let failures = 0;
  for (let number = 0; number < groups; number += 1) {
    const milliseconds = (start + number * every) * 1000 - Date.now();
    if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
    const began = Date.now() / 1000 - start;
    if (began > groups * every) break;
    for (let index = 0; index < group; index += 1) {
      const verified = verifyWith(limitedIn[index % limitedIn.length], key).catch(() => void (failures += 1));
      calls.push(verified.then((accepted) => [began, accepted === true]));
    }
  }
  return { calls: await Promise.all(calls), failures };
}

const checks = {
  /** Verify a key 200 times, 50 at once, that may be used 40 times: with a quota, and with a rate limit. */
  async limit_under_concurrency() {
    const { auth } = application(store.shared, { enabled: true, maxRequests: 40, timeWindow: 3_600_000 });
    const accepted = {};
    const subjects = {
      quota: await issue(auth, { remaining: 40, rateLimitEnabled: false }),
      "rate limit": await issue(auth),
    };
    for (const [name, key] of Object.entries(subjects)) {
      let passed = 0;
      for (let round = 0; round < 4; round += 1) {
        const answers = await Promise.all(Array.from({ length: 50 }, () => verifyWith(auth, key.key)));
        passed += answers.filter(Boolean).length;
      }
      accepted[name] = passed;
    }
    const held = Object.values(accepted).every((number) => number === 40);
    const detail = Object.entries(accepted).map(([name, number]) => `${name}: ${number} accepted of 40 allowed`);
    return { outcome: held ? "yes" : "no", detail: detail.join("; ") };
  },

  async revoked_after_cached_verify() {
    const elsewhere = application(store.shared).auth;
    const key = await issue(store.auth);
    if (!(await verify(key.key))) throw new Error("a valid key was refused");
    await disable(elsewhere, key.id);
    const refused = !(await verify(key.key));
    return { outcome: refused ? "yes" : "no", detail: "revoked in another application object, verified in this one" };
  },

  /** Verify in one application while another revokes, then verify again. */
  async verify_never_unrevokes() {
    const elsewhere = application(store.shared).auth;
    const rounds = 50;
    let undone = 0;
    for (let round = 0; round < rounds; round += 1) {
      const key = await issue(store.auth);
      await verify(key.key);
      const verifying = Array.from({ length: 8 }, () => verify(key.key));
      await Promise.all([...verifying, disable(elsewhere, key.id)]);
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (await verify(key.key)) undone += 1;
    }
    return {
      outcome: undone === 0 ? "yes" : "no",
      detail: `${undone} of ${rounds} keys that were revoked while 8 verifications were under way were valid afterwards`,
    };
  },

  async lists_250_keys() {
    const { auth } = store;
    const { userId, headers } = await signUp(auth, "owner-of-250-keys");
    const ids = async (query) => {
      const { apiKeys, total } = await auth.api.listApiKeys({ headers, query });
      return { ids: apiKeys.map((key) => key.id), total };
    };
    const mine = [];
    for (let index = 0; index < CHECK_KEYS; index += 1) {
      const key = await auth.api.createApiKey({ body: { userId, name: "listed" } });
      mine.push(key.id);
    }
    const plain = new Set((await ids({})).ids);
    const paged = new Set();
    for (let offset = 0; ; offset += 100) {
      const page = (await ids({ limit: 100, offset })).ids;
      page.forEach((id) => paged.add(id));
      if (page.length < 100) break;
    }
    const count = (seen) => mine.filter((id) => seen.has(id)).length;
    const complete = count(plain) === CHECK_KEYS || count(paged) === CHECK_KEYS;
    return {
      outcome: complete ? "yes" : "no",
      detail: `${count(plain)} of ${CHECK_KEYS} without a limit, ${count(paged)} in pages of 100`,
    };
  },

  async expiry_independent_of_deletion() {
    const short = { keyExpiration: { minExpiresIn: 0 } };
    const { auth } = application({ ...store.shared, plugin: { ...store.shared.plugin, ...short } });
    const key = await issue(auth, { expiresIn: 1 });
    await verifyWith(auth, key.key);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const refused = !(await verifyWith(auth, key.key));
    await new Promise((resolve) => setTimeout(resolve, 10));
    const { headers } = store;
    const kept = await auth.api.getApiKey({ headers, query: { id: key.id } }).then(() => true, () => false);
    const outcome = !refused ? "no" : kept ? "yes" : "partly";
    const record = kept ? "its record is still there" : "its record was deleted by the verification";
    return { outcome, detail: `${refused ? "refused" : "accepted"} after its time; ${record}` };
  },

  async forged_keys_cost_no_read() {
    const before = { ...counts };
    for (let index = 0; index < 10; index += 1) await verify(next("unknown"));
    const reads = counts.reads - before.reads;
    const hashes = counts.hashes - before.hashes;
    return { outcome: reads === 0 ? "yes" : "no", detail: `${reads / 10} reads and ${hashes / 10} hashes each` };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    if (request.do === "open") answer = await open(request);
    else if (request.do === "verify") answer = await measure(request);
    else {
      isChecking = true;
      if (request.do === "limited") answer = await limited(request);
      else if (request.do === "load") answer = await load(request);
      else answer = await checks[request.name]();
    }
  } catch (error) {
    answer = { failed: `${error.name}: ${error.message}` };
  }
  isChecking = false;
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
