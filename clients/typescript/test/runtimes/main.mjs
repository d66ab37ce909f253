// Runs the check in Node.js, Deno and Bun.

import process from "node:process";

import { check } from "./check.mjs";

await check(JSON.parse(process.env.SETTINGS));
