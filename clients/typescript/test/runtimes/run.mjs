// Packs the package, installs it here, and checks it in Node.js, Deno, Bun and workerd, with a running service.
// KEYWRIGHT_STACK is the stack file of the service.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HERE = import.meta.dirname;
const MODULES = join(HERE, "node_modules");
const INSTALLED = join(MODULES, "@keywright", "client");

const { base_url, function_arn, lambda_url, tokens, iam } = JSON.parse(
  readFileSync(process.env.KEYWRIGHT_STACK, "utf8"),
);
const settings = {
  url: base_url,
  functionArn: function_arn,
  token: tokens.admin,
  region: iam.region,
  accessKeyId: iam.access_key_id,
  secretAccessKey: iam.secret_access_key,
  variables: lambda_url ? { AWS_ENDPOINT_URL_LAMBDA: lambda_url } : {},
};
const environment = { ...process.env, ...settings.variables, SETTINGS: JSON.stringify(settings) };

function install() {
  rmSync(INSTALLED, { recursive: true, force: true });
  mkdirSync(INSTALLED, { recursive: true });
  const pack = ["pack", join(HERE, "..", ".."), "--pack-destination", INSTALLED, "--loglevel=error"];
  execFileSync("npm", pack, { stdio: ["ignore", "ignore", "inherit"] });
  const [archive] = readdirSync(INSTALLED);
  execFileSync("tar", ["-xzf", join(INSTALLED, archive), "-C", INSTALLED, "--strip-components=1"]);
}

/** Return the binary of Bun, which its package copies only when it may run scripts. */
function bun() {
  const [platform] = readdirSync(join(MODULES, "@oven"));
  return join(MODULES, "@oven", platform, "bin", "bun");
}

/** Write the configuration of a worker with the package, and return its path. Modules have no folders there. */
function workerConfiguration(directory) {
  const dist = readdirSync(join(INSTALLED, "dist")).filter((name) => name.endsWith(".js"));
  const modules = [
    ["worker.mjs", join(HERE, "worker.mjs")],
    ["check.mjs", join(HERE, "check.mjs")],
    ["aws4fetch", join(MODULES, "aws4fetch", "dist", "aws4fetch.esm.js")],
    ...dist.map((name) => [
      name === "index.js" ? "@keywright/client" : `@keywright/${name}`,
      join(INSTALLED, "dist", name),
    ]),
    ["@keywright/aws4fetch", join(MODULES, "aws4fetch", "dist", "aws4fetch.esm.js")],
  ];
  const embedded = modules.map(([name, path]) => {
    const file = name.replaceAll("/", "_");
    writeFileSync(join(directory, file), readFileSync(path));
    return `(name = ${JSON.stringify(name)}, esModule = embed ${JSON.stringify(file)})`;
  });
  const path = join(directory, "worker.capnp");
  writeFileSync(
    path,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [
  (name = "check", worker = (
    compatibilityDate = "2025-01-01",
    modules = [${embedded.join(", ")}],
    bindings = [(name = "settings", json = ${JSON.stringify(JSON.stringify(settings))})],
  )),
  (name = "internet", network = (allow = ["public", "private"])),
]);
`,
  );
  return path;
}

function run(name, command, ...options) {
  const started = performance.now();
  execFileSync(command, options, { cwd: HERE, env: environment, stdio: "inherit" });
  console.log(`${name}: ${Math.round(performance.now() - started)} ms`);
}

install();
const directory = mkdtempSync(join(tmpdir(), "keywright-worker-"));
try {
  const bin = join(MODULES, ".bin");
  run("Node.js", process.execPath, "main.mjs");
  run(
    "Deno",
    join(bin, "deno"),
    "run",
    "--node-modules-dir=manual",
    "--allow-env",
    "--allow-net=127.0.0.1",
    "--allow-read",
    "main.mjs",
  );
  run("Bun", bun(), "main.mjs");
  run("workerd", join(bin, "workerd"), "test", workerConfiguration(directory));
} finally {
  rmSync(directory, { recursive: true });
}
