// Bundles the command line into one script, whose compiled code bin/plec.cjs keeps, and the API into modules.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

const options = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  platform: "node",
  target: "node20",
  // onnx-proto finds its `long` by a lookup that bundling would break; onnxruntime-node is native; TensorFlow.js keeps one registry of backends,
  // which optional ones such as tfjs-node-gpu join by importing the same package; ts-morph carries a compiler of 10 MB; yaml is
  // required in the middle of a synchronous check.
  external: ["onnx-proto", "onnxruntime-node", "@duckdb/*", "@tensorflow/*", "ts-morph", "yaml"],
  legalComments: "none",
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: false,
  metafile: true,
  write: false,
  logLevel: "warning",
};

/** Modules of Node that take milliseconds to load, of which most commands call nothing: each is required when one of its functions is first called. */
const requiredLate = {
  name: "required-late",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(child_process|crypto|fs\/promises|module)$/ }, ({ path, namespace }) =>
      namespace === "late" ? { path, external: true } : { path, namespace: "late" },
    );
    onLoad({ filter: /.*/, namespace: "late" }, async ({ path }) => {
      const functions = Object.entries(await import(path)).filter(
        ([name, value]) => typeof value === "function" && /^(?!default)[a-z]/.test(name),
      );
      return { contents: functions.map(([name]) => `export const ${name} = (...args) => require("${path}").${name}(...args);`).join("\n") };
    });
  },
};

/** Changes of texts of Chevrotain, and of lodash under it, by file. */
const changes = {
  // A table of all characters, filled at each start, is read for those beyond Latin-1: here the entry is computed instead.
  "chevrotain/lib/src/scan/lexer.js": [
    ["        initCharCodeToOptimizedIndexMap();\n", ""],
    ["charCodeToOptimizedIdxMap[charCode]", "255 + ~~(charCode / 255)"],
  ],
  // V8 copies the list of a prototype's 200 methods for each that is added, but not that of an object which becomes one.
  "chevrotain/lib/src/parse/parser/utils/apply_mixins.js": [
    ["    baseCtors.forEach((baseCtor) => {", "    const methods = {};\n    baseCtors.forEach((baseCtor) => {"],
    ["derivedCtor.prototype[propName] = ", "methods[propName] = "],
    ["    });\n}\n", "    });\n    Object.setPrototypeOf(derivedCtor.prototype, methods);\n}\n"],
  ],
  // It is asked for names, a thousand times, and never for paths.
  "lodash-es/has.js": [["hasPath(object, path, baseHas)", "Object.hasOwn(object, path)"]],
};

/** What Chevrotain does at each start, done faster: a fiftieth of a check. */
const withChanges = {
  name: "with-changes",
  setup({ onLoad }) {
    for (const [file, texts] of Object.entries(changes)) {
      onLoad({ filter: new RegExp(`/${file}$`.replaceAll("/", String.raw`[\\/]`)) }, ({ path }) => {
        let contents = readFileSync(path, "utf8");
        for (const [text, instead] of texts) {
          if (contents.split(text).length !== 2) throw new Error(`${path} does not have once: ${text}`);
          contents = contents.replace(text, instead);
        }
        return { contents };
      });
    }
  },
};

/**
 * Chevrotain with the 250 modules of lodash that it takes as one module, for in a script whose parts start late each module starts by itself. Files that
 * went into it are added to `inputs`.
 */
const inOneModule = (bundle, inputs) => ({
  name: "in-one-module",
  setup({ onLoad }) {
    onLoad({ filter: /chevrotain[\\/]lib[\\/]src[\\/]api\.js$/ }, async ({ path }) => {
      const { outputFiles, metafile } = await bundle({
        ...options,
        entryPoints: [path],
        format: "esm",
        plugins: [withChanges],
      });
      inputs.push(...Object.keys(metafile.inputs));
      return { contents: outputFiles[0].text };
    });
  },
});

/** What the compiler has said of its grammar and of the library (`parsed`), in the modules that wait for it. */
const withStored = ({ decisions, makers }) => ({
  name: "with-stored",
  setup({ onLoad }) {
    onLoad({ filter: /dsl[\\/]decisions\.ts$/ }, () => ({ contents: `export const storedDecisions = ${JSON.stringify(decisions)};` }));
    onLoad({ filter: /compiler[\\/]node-makers\.ts$/ }, ({ path }) => {
      const [before, after, ...more] = readFileSync(path, "utf8").split(" = {};");
      if (after === undefined || more.length > 0) throw new Error(`${path} does not have once: = {};`);
      return { contents: `${before} = ${makers};${after}`, loader: "ts" };
    });
  },
});

const commandLine = {
  entryPoints: [{ in: "cli/process.ts", out: "plec" }],
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  define: { "import.meta.url": "urlOfScript" },
  // Code that V8 has kept cannot import; every package that is not in the bundle can be required.
  supported: { "dynamic-import": false },
  // The function that Node would wrap around a module: bin/plec.cjs compiles the text as it is, for a copy of it with a function around takes milliseconds.
  banner: {
    js: `(function (exports, require, module, __filename, __dirname) { const urlOfScript = require("node:url").pathToFileURL(__filename).href;`,
  },
  footer: { js: "})" },
  charset: "ascii",
  plugins: [requiredLate],
};

const modules = {
  entryPoints: [
    { in: "api/index.ts", out: "index" },
    { in: "api/runtime.ts", out: "runtime" },
  ],
  format: "esm",
  splitting: true,
  // CommonJS packages inside an ESM bundle still call `require` for Node's own modules.
  banner: {
    js: `import { createRequire as createRequireOfChunk } from "node:module"; const require = createRequireOfChunk(import.meta.url);`,
  },
};

export async function build() {
  const { build: bundle } = await import("esbuild");
  const stored = await parsed(bundle);
  const inOne = [];
  const results = await Promise.all(
    [commandLine, modules].map((part) => {
      const plugins = [...(part.plugins ?? []), withStored(stored), inOneModule(bundle, inOne)];
      return bundle({ ...options, ...part, plugins });
    }),
  );
  const page = await reportPage(bundle);
  const inputs = [...results.map(({ metafile }) => metafile), page.metafile].flatMap(({ inputs }) => Object.keys(inputs)).concat(inOne);
  const files = [
    ...results.flatMap(({ outputFiles }) => outputFiles.map(({ path, contents }) => ({ name: basename(path), contents }))),
    { name: "third-party-notices.txt", contents: thirdPartyNotices(inputs) },
    ...declarations(),
    { name: "report.html", contents: page.html },
    { name: "library.trees", contents: stored.trees },
  ];
  // Each in one rename: a plec started meanwhile sees the old build or the new one.
  mkdirSync(dist, { recursive: true });
  for (const file of files) write(file);
  const kept = new Set(files.map(({ name }) => name));
  for (const item of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath ?? item.path, item.name);
    if (item.isFile() && !kept.has(relative(dist, path)) && !item.name.endsWith(".tmp")) rmSync(path, { force: true });
  }
}

/** The page of reports: a script and a style in one file, with a place for the data. */
async function reportPage(bundle) {
  const folder = join(root, "runtime/report/page");
  const { outputFiles, metafile } = await bundle({
    ...options,
    entryPoints: [join(folder, "page.ts")],
    outdir: undefined,
    outfile: "page.js",
    format: "iife",
    platform: "browser",
    target: "es2022",
    external: [],
    minify: true,
  });
  const read = (path) => readFileSync(join(root, path), "utf8");
  const style = `${read("node_modules/uplot/dist/uPlot.min.css")}\n${read("runtime/report/page/style.css")}`;
  const script = outputFiles[0].text.replaceAll("</script", "<\\/script");
  const template = readFileSync(join(folder, "template.html"), "utf8");
  const html = template.replace("/*style*/", () => style).replace("/*script*/", () => script);
  return { html, metafile };
}

/** What the compiler itself says of its grammar, and the library's syntax trees with what makes their nodes. */
async function parsed(bundle) {
  const contents = ["compiler/node-makers.ts", "compiler/stored-trees.ts", "dsl/parser.ts"]
    .map((path) => `export * from "./${path}";`)
    .join("");
  const { outputFiles } = await bundle({
    ...options,
    stdin: { contents, resolveDir: root },
    outdir: undefined,
    outfile: "parsed.js",
    format: "esm",
  });
  const { storeTrees, textOfMakers, PleParser } = await import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
  );
  const { bytes, shapes } = storeTrees(join(root, "specs/std"));
  return { decisions: new PleParser({ skipValidations: true }).decisions, trees: bytes, makers: textOfMakers(shapes) };
}

function write({ name, contents }) {
  const path = join(dist, name);
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

/** The declarations of the API, which mention types of its own folder alone. What does not type-check is for `npm run typecheck` to say. */
function declarations() {
  const folder = mkdtempSync(join(tmpdir(), "plec-declarations-"));
  try {
    const options = [
      "--noEmit",
      "false",
      "--declaration",
      "--emitDeclarationOnly",
      "--noCheck",
      "--rootDir",
      root,
      "--outDir",
      folder,
      "--typeRoots",
      join(root, "node_modules/@types"),
    ];
    const project = join(folder, "tsconfig.json");
    writeFileSync(project, JSON.stringify({ extends: join(root, "tsconfig.json"), include: [], files: [join(root, "api/index.ts")] }));
    const { status, stdout } = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project, ...options], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`cannot make the declarations of the API\n${stdout}`);
    return ["index", "runtime", "types", "errors"].map((file) => {
      const name = `${file}.d.ts`;
      const text = readFileSync(join(folder, "api", name), "utf8").replace(/(from|import) "(\.\/[\w-]+)\.ts"/g, '$1 "$2.js"');
      const outside = /(?:from |import\()"(?!\.\/(?:index|runtime|types|errors)\.js")([^"]*)"/.exec(text);
      if (outside !== null) throw new Error(`api/${name} shows users a type of ${outside[1]}`);
      return { name, contents: text };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The licence texts of the packages whose code is inside the bundle, as their licences ask. */
function thirdPartyNotices(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match !== null) packages.add(match[1]);
  }
  const notices = [...packages].sort().map((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const licence = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name));
    const text = licence === undefined ? `Licence: ${manifest.license}` : readFileSync(join(root, folder, licence), "utf8").trim();
    return `${manifest.name} ${manifest.version}\n\n${text}\n`;
  });
  return `The files in this folder contain code of these packages; that of chevrotain is changed: its lexer computes what it had in a table, and its parser inherits the methods that it had copied; so is that of lodash-es: has takes names and no paths.\n\n${notices.join(`\n${"-".repeat(80)}\n\n`)}`;
}

if (
  process.argv[1] !== undefined &&
  dirname(process.argv[1]) === dirname(fileURLToPath(import.meta.url)) &&
  basename(process.argv[1]) === "build.mjs"
) {
  await build();
}
