// Verifies keys over HTTP and by direct invocation; reads the cases from standard input, prints both results of each.

import { readFileSync } from "node:fs";
import { Keywright } from "@keywright/client";

const task = JSON.parse(readFileSync(0, "utf8"));
const clients = [new Keywright(task.url, { region: task.region }), new Keywright({ function: task.function })];
const results = [];
for (const { key, ...use } of task.cases) {
  const both = [];
  for (const client of clients) {
    both.push(await client.verify(key, use));
  }
  results.push(both);
}
process.stdout.write(JSON.stringify(results));
