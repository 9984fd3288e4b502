import { emitTypes } from "../../compiler/emit/types.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { mappingText } from "../../runtime/data/mapping-text.ts";

/** The compiler and the declarations that a project's tests need; a test keeps them equal to plec's own. */
export const developmentVersions = { "@types/node": "20.19.43", typescript: "7.0.2" } as const;

export interface NewProject {
  readonly name: string;
  /** Such as `mmoe`. */
  readonly architecture: string;
  /** The text of model.ple, and the model that it describes. */
  readonly spec: string;
  readonly model: CheckedModel;
  readonly version: string;
}

/** The files of a new project by path. */
export function projectFiles(project: NewProject): ReadonlyMap<string, string> {
  const { spec, model, version } = project;
  return new Map([
    ["model.ple", spec],
    ["data.yaml", mappingText(model, "data/train.parquet")],
    ["src/model.ts", emitTypes(model, { spec: "model.ple", version })],
    ["test/model.test.ts", testFile],
    ["package.json", manifest(project)],
    ["tsconfig.json", tsconfig],
    [".github/workflows/ci.yml", workflow],
    [".npmrc", npmrc],
    [".gitignore", "node_modules/\nbuild/\ndata/\nruns/\n*.onnx\n*.onnx.data\n"],
    ["README.md", readme(project)],
  ]);
}

/** As many made-up rows as a first training takes in a few minutes and gigabytes: 5,000, and fewer where a row holds thousands of values. */
function rowsToStart({ inputs }: CheckedModel): number {
  const values = inputs.reduce(
    (sum, { shape }) => sum + shape.slice(1).reduce<number>((n, dim) => n * (typeof dim === "number" ? dim : 50), 1),
    0,
  );
  return Math.min(5000, Math.max(200, 100 * Math.round(2e4 / values)));
}

function manifest({ name, model, version }: NewProject): string {
  const content = {
    name,
    version: "0.1.0",
    private: true,
    type: "module",
    scripts: {
      check: "plec check model.ple",
      format: "plec fmt model.ple",
      "format:check": "plec fmt --check model.ple",
      types: "plec types model.ple -o src/model.ts",
      "types:check": "plec types model.ple -o src/model.ts --check",
      compile: "plec compile model.ple -o model.onnx",
      synth: `plec synth model.ple --rows ${rowsToStart(model)} -o data/train.parquet`,
      train: "plec train model.ple --data data.yaml --out runs/1",
      test: "tsc && node --test build/test/*.test.js",
    },
    dependencies: { plec: `^${version}` },
    devDependencies: developmentVersions,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

const tsconfig = `${JSON.stringify(
  {
    compilerOptions: { target: "es2022", module: "nodenext", strict: true, types: ["node"], rootDir: ".", outDir: "build" },
    include: ["src", "test"],
  },
  null,
  2,
)}\n`;

const npmrc = `; The install script of onnxruntime-node downloads CUDA libraries, which nothing here needs.
ignore-scripts=true
`;

const workflow = `name: model
on: [push, pull_request]
permissions:
  contents: read
jobs:
  model:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 22
      - run: npm install
      - run: npm run check
      - run: npm run format:check
      - run: npm run types:check
      - run: npm test
      - run: npm run compile
`;

const testFile = `import assert from "node:assert/strict";
import { after, test } from "node:test";
import { InputError } from "plec/runtime";
import { load, type Model, type Task, tasks } from "../src/model.js";

// Fresh weights: what is tested is the architecture. Compiled from here, this file lies in build/test/.
const spec = new URL("../../model.ple", import.meta.url);
const model: Model = await load(spec, { seed: 1 });
after(() => model.close());
const rows = model.generate(8, 1);

/** The values of a prediction: one number, or a list of them. */
function valuesOf(prediction: number | readonly number[]): readonly number[] {
  return typeof prediction === "number" ? [prediction] : prediction;
}

for (const task of Object.keys(tasks) as Task[]) {
  test(\`predicts \${task}\`, async () => {
    for (const prediction of await model.predict(rows)) {
      const values = valuesOf(prediction[task]);
      assert.equal(values.length, tasks[task].width);
      assert.ok(values.every(Number.isFinite));
      const { kind }: { readonly kind: string } = tasks[task];
      if (kind === "binary") assert.ok(values.every((value) => value >= 0 && value <= 1));
      if (kind === "classes") assert.ok(Math.abs(values.reduce((sum, value) => sum + value) - 1) < 1e-4);
    }
  });
}

test("predicts the same on TensorFlow.js", async () => {
  const other = await load(spec, { seed: 1, engine: "tfjs", backend: "wasm" });
  const [expected, found] = await Promise.all([model.predict(rows), other.predict(rows)]);
  await other.close();
  for (const [row, prediction] of expected.entries()) {
    for (const task of Object.keys(tasks) as Task[]) {
      const values = valuesOf(found[row]?.[task] ?? []);
      valuesOf(prediction[task]).forEach((value, i) => {
        assert.ok(Math.abs(value - (values[i] ?? Number.NaN)) <= 1e-3 * Math.max(1, Math.abs(value)), \`row \${row}, \${task}\`);
      });
    }
  }
});

test("refuses a row without its inputs", async () => {
  // @ts-expect-error the types refuse it as well
  await assert.rejects(model.predict([{}]), InputError);
});
`;

function readme({ name, architecture, model }: NewProject): string {
  const tasks = model.tasks.filter((task) => task.enabled).map((task) => `\`${task.name}\``);
  return `# ${name}

A ${architecture} model in plec, with ${tasks.length === 1 ? "the task" : "the tasks"} ${tasks.join(", ")}.

| file | what it is |
|---|---|
| \`model.ple\` | the architecture: inputs, experts, tasks and losses |
| \`data.yaml\` | which columns of your table are which inputs and labels |
| \`src/model.ts\` | its types and a typed \`load()\`, generated from \`model.ple\` |
| \`test/model.test.ts\` | that it runs, and predicts the same on both engines |

\`\`\`sh
npm install
npm run check                       # every width and the transfer graph
npm run types                       # after a change of model.ple: src/model.ts again
npm test
npx plec summary model.ple          # parameters by module, tasks, execution order
npx plec run model.ple --generate 4 # predictions of fresh weights for made-up rows
npm run compile                     # model.onnx
npm run synth                       # data/train.parquet: made-up rows, until there are real ones
npm run train                       # trains on what data.yaml names
\`\`\`

Predicting in TypeScript:

\`\`\`ts
import { load } from "./src/model.js";

const model = await load("model.onnx");
const [prediction] = await model.predict(model.generate(1));
console.log(prediction);
\`\`\`
`;
}
