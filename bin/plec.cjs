#!/usr/bin/env node
const { existsSync, fstatSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const vm = require("node:vm");

// What every command loads of Node is loaded before flags change: after that V8 rejects the compiled code that Node has of its own modules.
// Streams are for terminals (cli/process.ts).
const isDevice = (descriptor) => fstatSync(descriptor).isCharacterDevice();
void [require("node:process"), require("node:url"), isDevice(1) && process.stdout, isDevice(2) && process.stderr];

// A command runs for a fraction of a second, in which optimising code costs more than it gives: V8 waits longer for it.
// Measured on `plec check` of the full spec: half the time (docs/performance.md).
setFlagsFromString("--interrupt-budget=3000000");

const root = dirname(__dirname);
const entry = join(root, "dist/plec.cjs");

// Only a checkout has scripts/: there the build is made on first use and again after an edit.
if (existsSync(join(root, "scripts")) && isStale()) {
  import("../scripts/build.mjs")
    .then(({ build }) => build())
    .then(run, (error) => {
      const hint = error.code === "ERR_MODULE_NOT_FOUND" ? "run `npm ci` first" : error.message;
      console.error(`plec: cannot build this checkout: ${hint}`);
      process.exit(70);
    });
} else run();

/** True when a source file is newer than the build, or there is no build. */
function isStale() {
  if (!existsSync(entry)) return true;
  const builtAt = statSync(entry).mtimeMs;
  const isNewer = (path) => statSync(path).mtimeMs > builtAt;
  const holdsNewer = (folder) =>
    readdirSync(folder, { withFileTypes: true }).some((item) => {
      const path = join(folder, item.name);
      return item.isDirectory() ? holdsNewer(path) : /\.(ts|css|html)$/.test(item.name) && isNewer(path);
    });
  return (
    ["dsl", "compiler", "runtime", "api", "cli"].some((folder) => holdsNewer(join(root, folder))) ||
    ["package.json", "scripts/build.mjs"].some((file) => isNewer(join(root, file)))
  );
}

/**
 * Runs a script and keeps what V8 has compiled of it beside it, for the next start of the same command: with it a command takes two thirds of the time.
 * The second run keeps what it has compiled beside the first's, since a first spec may be small. The name tells apart what V8 does not.
 */
function run() {
  const command = /^[a-z]+$/.exec(process.argv[2] ?? "")?.[0] ?? "plec";
  const stem = `${entry}.${statSync(entry).mtimeMs}.${process.version}-${process.arch}.${command}`;
  const [first, second] = [`${stem}.first.cache`, `${stem}.cache`];
  const ofSecond = read(second);
  const cachedData = ofSecond ?? read(first);
  // The build is ASCII, which Node reads faster as Latin-1 than as UTF-8.
  const script = new vm.Script(readFileSync(entry, "latin1"), { filename: entry, cachedData });
  process.on("exit", (code) => {
    if (code > 1 || (ofSecond !== undefined && !script.cachedDataRejected)) return;
    write(cachedData === undefined ? first : second, script.createCachedData());
    if (cachedData !== undefined) rmSync(first, { force: true });
  });
  const module = { exports: {} };
  // Packages are found from here as from beside the script.
  script.runInThisContext()(module.exports, require, module, entry, dirname(entry));
}

function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** In one step, so that no other process reads half of it; where the folder cannot be written to, the next start is as slow as this one. */
function write(file, data) {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, data);
    renameSync(temporary, file);
  } catch {
    rmSync(temporary, { force: true });
  }
}
