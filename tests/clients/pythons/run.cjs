// Runs a Python program in CPython compiled to WebAssembly: node run.cjs VERSION PACKAGES PROGRAM
const { readFileSync } = require("node:fs");
const path = require("node:path");

async function main(version, packages, program) {
  const name = `python-${version}`;
  const { loadPyodide } = require(name);
  const python = await loadPyodide({ indexURL: path.dirname(require.resolve(name)) + path.sep });
  python.FS.mkdir("/packages");
  python.FS.mount(python.FS.filesystems.NODEFS, { root: path.resolve(packages) }, "/packages");
  try {
    await python.runPythonAsync(readFileSync(program, "utf8"));
  } catch (error) {
    // The end of the traceback: an error of Pyodide carries the source of its loader.
    console.error(String(error.message).slice(-2000));
    process.exit(1);
  }
}

main(...process.argv.slice(2));
