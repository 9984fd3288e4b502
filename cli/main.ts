import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { NotLowerable } from "../compiler/emit/tensorflow-lowering.ts";
import { DeviceLost } from "../runtime/engine.ts";
import { tfjsBackends } from "../runtime/engines/tfjs-backends.ts";
import type { Shell } from "./completions.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { architectureNames } from "./project/architectures.ts";
import { plecVersion } from "./version.ts";

/**
 * Runs one command line (without `node plec`) and returns its exit code: 0 clean, 1 findings, 2 wrong use, 70 a bug of plec. Never throws.
 * Commands load what they need when they run, so that `check` stays quick.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.clean;
  const program = defineProgram(argv[0], io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.clean : exitCodes.usage;
    if (error instanceof CommandError) {
      io.stderr.write(`plec: ${error.message}\n`);
      return error.exitCode;
    }
    if (error instanceof DeviceLost) {
      io.stderr.write(`plec: ${error.message}\n`);
      return exitCodes.findings;
    }
    if (error instanceof NotLowerable) {
      const { printFindings } = await import("./findings.ts");
      printFindings([error.diagnostic], io.stderr, io);
      return exitCodes.findings;
    }
    return reportBug(error, io);
  }
}

/** What V8 says where memory runs out, or where an array would be longer than any may be. */
const outOfMemory = /^(Array buffer allocation failed|Invalid (typed )?array( buffer)? length|Invalid string length)/;

/** Says that there is too little memory, or that plec has a bug, without a stack trace unless PLEC_DEBUG is set. */
export function reportBug(error: unknown, io: Io): number {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError && outOfMemory.test(message)) {
    io.stderr.write(`plec: this takes more memory than there is: ${message}\n`);
    return exitCodes.findings;
  }
  io.stderr.write(`plec: internal error: ${message}\n`);
  io.stderr.write("This is a bug in plec. Please report it with the command line, the spec and the output of `plec --version`.\n");
  if (io.env.PLEC_DEBUG === "1" && error instanceof Error) io.stderr.write(`${error.stack ?? ""}\n`);
  else io.stderr.write("PLEC_DEBUG=1 shows where it happened.\n");
  return exitCodes.internal;
}

/** The commands, of which it takes the one that is asked for where there is one of its name: to say what all of them take is a hundredth of a check. */
function defineProgram(asked: string | undefined, io: Io, exit: (code: number) => void): Command {
  const program = new Command("plec")
    .description("A small language and compiler for multi-task recommender networks of the PLE family.")
    .version(plecVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureHelp({ helpWidth: io.stdout.columns ?? 100, showGlobalOptions: false })
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .showHelpAfterError("Try `plec --help`, or `plec help COMMAND`.")
    .exitOverride();

  const commands = new Map<string | undefined, () => void>();
  const command = (name: string, summary: string, define: (command: Command) => unknown): void => {
    commands.set(name, () => define(program.command(name).summary(summary).description(summary).copyInheritedSettings(program)));
  };
  const whole = (text: string): number => {
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text))) throw new InvalidArgumentError("A whole number is expected.");
    return Number(text);
  };
  const json = (): Option => new Option("--json", "print JSON for machines");
  const model = (): Option => new Option("--model <name>", "the model to take when the file has several");
  const seed = (): Option => new Option("--seed <n>", "seed of everything random").argParser(whole).default(0);
  const weights = (): Option =>
    new Option("--weights <path>", "take the weights from a .safetensors file, or from a run of `plec train`").conflicts("seed");

  command("check", "Check specs: names, dims, wiring, what is unused.", (command) =>
    command
      .argument("<files...>", "specs, or folders of them")
      .option("--fix", "apply the safe fixes, then check again")
      .addOption(json())
      .option("--sarif <file>", "write SARIF 2.1.0, for code scanning; - prints it")
      .option("--max-warnings <n>", "fail when there are more warnings than this", whole)
      .addHelpText(
        "after",
        examples(
          [
            ["plec check specs/", "every spec of a folder"],
            ["plec check model.ple --fix", "repair what can be repaired safely"],
            ["plec check model.ple --max-warnings 0", "warnings fail as well"],
            ["plec check specs/ --sarif plec.sarif", "for code scanning in CI"],
          ],
          "Exit code: 0 no errors, 1 errors (or too many warnings), 2 wrong use.",
        ),
      )
      .action(async (files: string[], options) => exit(await (await import("./check.ts")).check(files, options, io))),
  );

  command("lint", "Look for what checks and is still likely to be wrong.", (command) =>
    command
      .argument("[paths...]", "specs, or folders of them (default: this folder)")
      .option("--fix", "apply the safe fixes, then lint again")
      .option("--unsafe", "with --fix: apply fixes that change what is trained, too")
      .addOption(
        new Option("--rule <code>", "run this rule only (repeatable)")
          .argParser((code: string, before: readonly string[]) => [...before, code])
          .default([], "all"),
      )
      .option("--list-rules", "list the rules with their severities and thresholds")
      .option("--config <file>", "take this configuration (default: the nearest plec.config.yaml of each file)")
      .addOption(json())
      .option("--sarif <file>", "write SARIF 2.1.0, for code scanning; - prints it")
      .option("--max-warnings <n>", "fail when there are more warnings than this", whole)
      .addHelpText(
        "after",
        examples(
          [
            ["plec lint specs/", "every spec of a folder"],
            ["plec lint model.ple --max-warnings 0", "warnings fail as well, in CI"],
            ["plec lint model.ple --rule group-of-one", "one rule"],
            ["plec lint --list-rules", "what there is"],
            ["plec explain lint/group-of-one", "why a finding is one, and what to do"],
          ],
          [
            "A finding that is wrong for a line is allowed there by a comment on it or above it, with the reason:",
            "  // plec-allow group-of-one: churn gets company next quarter",
            "plec.config.yaml sets severities (error, warning, info, off), thresholds and paths; docs/lint/ has a page for each rule.",
            "Exit code: 0 no errors, 1 errors (or too many warnings), 2 wrong use.",
          ].join("\n"),
        ),
      )
      .action(async (paths: string[], options) => exit(await (await import("./lint.ts")).lint(paths, options, io))),
  );

  command("fmt", "Format specs in place.", (command) =>
    command
      .argument("[files...]", "specs, or folders of them; - reads standard input")
      .option("--check", "change nothing; list the files that are not formatted and fail if there are any")
      .option("--stdin", "format standard input to standard output")
      .addHelpText(
        "after",
        examples(
          [
            ["plec fmt specs/", "format every spec of a folder"],
            ["plec fmt --check specs/", "in CI"],
            ["plec fmt --stdin < model.ple", "from an editor"],
          ],
          "A file with a syntax error is left as it is.",
        ),
      )
      .action(async (files: string[], options) => exit(await (await import("./fmt.ts")).fmt(files, options, io))),
  );

  command("compile", "Compile a model to ONNX or TensorFlow.js.", (command) =>
    command
      .argument("<spec>", "the spec")
      .requiredOption("-o, --output <path>", "the ONNX file to write, or the folder of a TensorFlow.js GraphModel")
      .addOption(new Option("--target <name>", "what to compile to").choices(["onnx", "tfjs"]).default("onnx"))
      .addOption(weights())
      .addOption(seed())
      .addOption(model())
      .addOption(
        new Option("--precision <type>", "fp16: float16 where it is safe, inputs and outputs float32")
          .choices(["fp32", "fp16"])
          .default("fp32"),
      )
      .addOption(
        new Option("--without <input>", "leave an optional input out, and what only it needs (repeatable)")
          .argParser((name: string, before: readonly string[]) => [...before, name])
          .default([], "none"),
      )
      .option(
        "--with-preparation",
        "with --weights of a run: take numbers as they stand in the data, and give predictions in its units; ids are looked up by the caller",
      )
      .option(
        "--train",
        "write a training step (a file, or the folder of a GraphModel) and the state to begin with (PATH without .onnx, and .safetensors)",
      )
      .option("--phase <name>", "with --train: the phase of the plan (default: the first)")
      .option("--accumulate", "with --train: the step in two halves, FILE.gradients.onnx and FILE.update.onnx, for batches taken in parts")
      .option("--no-recompute", "with --train: keep what the forward pass makes for the backward pass: more memory, less time")
      .addOption(
        new Option("--rows <n>", "with --train: for batches of n rows alone, which large steps load and run faster for").argParser(whole),
      )
      .option("--loss-scale", "with --train: scale the loss against underflow, for engines that compute the step in float16")
      .option(
        "--outputs <names>",
        "what the file returns, separated by commas; * stands for anything, !NAME is left out (default: everything)",
      )
      .option("--external-data", "put the weights into FILE.data beside the file; always done above 2 GB")
      .addOption(new Option("--opset <n>", "the operator set, 17 to 21").argParser(whole).default(17))
      .addOption(
        new Option("--ir-version <n>", "the version of the file format, up to 10 (default: the one of the opset)").argParser(whole),
      )
      .addHelpText(
        "after",
        examples(
          [
            ["plec compile model.ple -o model.onnx", "with fresh weights"],
            ["plec compile model.ple -o model.onnx --seed 7", "other fresh weights"],
            ["plec compile model.ple -o model.onnx --weights runs/1", "with the best ones of a run, or of a .safetensors file"],
            [
              "plec compile model.ple -o model.onnx --weights runs/1 --with-preparation",
              "with its scaling of numbers as a part of the graph",
            ],
            ["plec compile model.ple -o model.onnx --precision fp16", "half the size"],
            ["plec compile model.ple -o model.onnx --outputs 'ctr,gates/*'", "some outputs, and the inputs that they read"],
            ["plec compile model.ple -o model.onnx --without graph", "for callers that never have this input"],
            ["plec compile model.ple --target tfjs -o model/", "model.json and weight shards, for tf.loadGraphModel"],
            ["plec compile model.ple --train -o step.onnx", "a training step for any ONNX Runtime: docs/training-graph.md"],
            [
              "plec compile model.ple --train --phase refine --accumulate -o step.onnx",
              "of another phase, in halves: step.gradients.onnx, step.update.onnx",
            ],
            ["plec compile model.ple --train --rows 256 -o step.onnx", "for batches of 256 rows alone"],
            ["plec compile model.ple --train --target tfjs -o step/", "a step for TensorFlow.js, and step.safetensors"],
          ],
          "The metadata of what is written holds the hash of the spec, its inputs, slices and tasks, and where the weights come from.",
        ),
      )
      .action(async (spec: string, options) => exit(await (await import("./compile.ts")).compile(spec, options, io))),
  );

  command("run", "Run a model on a batch and print its predictions.", (command) =>
    command
      .argument("<model>", "a spec (.ple) or a compiled model (.onnx, or the folder of a GraphModel)")
      .addOption(new Option("--input <file>", "rows to predict for: .json or .csv").conflicts("generate"))
      .addOption(new Option("--generate <n>", "make up this many rows").argParser(whole))
      .addOption(seed())
      .addOption(weights())
      .addOption(model())
      .option("--outputs <names>", "further outputs, separated by commas; * stands for anything, !NAME is left out")
      .option("--only-outputs", "leave the predictions out")
      .addOption(new Option("--engine <name>", "what executes the model").choices(["ort", "tfjs", "interpreter"]))
      .addOption(
        new Option("--backend <name>", "where TensorFlow.js runs: the fastest that is installed, or this one").choices(tfjsBackends),
      )
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec run model.onnx --input rows.csv", "predictions for the rows of a file"],
            ["plec run model.ple --generate 4", "fresh weights, made-up rows: does it run?"],
            ["plec run model.ple --generate 1 --outputs 'gates/*'", "with the gate weights of each task"],
            ["plec run model.onnx --input rows.json --json", "for a program to read"],
            ["plec run model.ple --generate 4 --engine tfjs --backend wasm", "on TensorFlow.js"],
          ],
          [
            "JSON is an array of row objects or an object of arrays; CSV has a header line. A column is named after an input, a slice of one",
            "(features.base.rfm) or an element (features.base.rfm.0). Missing optional inputs are filled in, missing required ones are an error.",
          ].join("\n"),
        ),
      )
      .action(async (file: string, options) => exit(await (await import("./run.ts")).run(file, options, io))),
  );

  command("train", "Train a model on data.", (command) =>
    command
      .argument("<spec>", "the spec, whose `train` block is the plan")
      .requiredOption("--data <mapping>", "the YAML file that maps columns of the data to inputs and labels")
      .requiredOption("-o, --out <folder>", "the folder of the run, for checkpoints and metrics")
      .addOption(new Option("--engine <name>", "what computes (default: ort)").choices(["ort", "tfjs"]))
      .addOption(
        new Option("--backend <name>", "where TensorFlow.js runs: the fastest that is installed, or this one").choices(tfjsBackends),
      )
      .option("--resume", "go on from the last checkpoint in the folder")
      .option("--epochs <n>", "train this many epochs, not those of the spec", whole)
      .addOption(new Option("--seed <n>", "seed of weights, order and dropout (default: that of the spec)").argParser(whole))
      .option("--checkpoint-every <n>", "save after every so many batches, too (default: each epoch, and each minute)", whole)
      .addOption(model())
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec train model.ple --data data.yaml --out runs/1", "train as the spec's `train` block says"],
            ["plec train model.ple --data data.yaml --out runs/1 --resume", "go on after Ctrl-C, a crash or a full disk"],
            ["plec train model.ple --data data.yaml --out runs/2 --seed 7 --epochs 2", "other weights, fewer epochs"],
            ["plec train model.ple --data data.yaml --out runs/3 --engine tfjs --backend webgpu", "on a GPU"],
          ],
          [
            "The folder gets run.json, metrics.jsonl, the spec as it was, and checkpoints/last and best (.safetensors and .json).",
            "A resumed run ends in the same weights, bit for bit, as one that was never interrupted. docs/training.md tells more.",
            "Exit code: 0 trained, 1 findings in the spec or the data, or a loss that is no number, 2 wrong use, 130 interrupted and saved.",
          ].join("\n"),
        ),
      )
      .action(async (spec: string, options) => exit(await (await import("./train.ts")).train(spec, options, io))),
  );

  const ofRun = (command: Command): Command =>
    command
      .argument("<run>", "the folder of a run of `plec train`")
      .requiredOption("--data <file>", "a mapping (.yaml), whose rows and splits are taken, or a data file, of which all rows are")
      .option("--split <name>", "only this split of the mapping")
      .addOption(new Option("--checkpoint <name>", "which weights").choices(["best", "last"]).default("best"))
      .addOption(new Option("--engine <name>", "what computes (default: ort)").choices(["ort", "tfjs"]))
      .addOption(
        new Option("--backend <name>", "where TensorFlow.js runs: the fastest that is installed, or this one").choices(tfjsBackends),
      );

  command("eval", "Measure a trained model: AUC, log loss, RMSE, accuracy, calibration of each task.", (command) =>
    ofRun(command)
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec eval runs/1 --data data.yaml", "on every split that is held out"],
            ["plec eval runs/1 --data data.yaml --split test --json", "for a program to read, with the calibration's bins"],
            ["plec eval runs/1 --data march.parquet", "on other rows with the same columns"],
          ],
          "Values are prepared as those of the training rows were. (base) is the predictor that knows only the training rows' labels.",
        ),
      )
      .action(async (run: string, options) => exit(await (await import("./eval.ts")).evaluate(run, options, io))),
  );

  command("predict", "Write the predictions of a trained model for the rows of some data.", (command) =>
    ofRun(command)
      .requiredOption("-o, --output <file>", "the .parquet or .csv file to write")
      .option("--keep <columns>", "columns of the data to write beside the predictions, separated by commas")
      .addHelpText(
        "after",
        examples(
          [
            ["plec predict runs/1 --data march.parquet -o scores.parquet --keep customer_id", "a row for each row, labels not needed"],
            ["plec predict runs/1 --data data.yaml --split test -o test.csv", "one split of a mapping"],
          ],
          "Of classes, the likeliest is written and a list of all probabilities; of embeddings a list.",
        ),
      )
      .action(async (run: string, options) => exit(await (await import("./predict.ts")).predict(run, options, io))),
  );

  command("report", "Write the HTML page of a run anew.", (command) =>
    command
      .argument("<run>", "the folder of a run of `plec train`")
      .addHelpText(
        "after",
        examples(
          [["plec report runs/1", "runs/1/report.html: losses, metrics, gates, affinities, calibration, what was frozen when"]],
          "`plec train` writes the page at the end of each epoch. It is one file that needs no network.",
        ),
      )
      .action(async (run: string) => exit(await (await import("./compare.ts")).report(run, io))),
  );

  command("compare", "Put runs side by side.", (command) =>
    command
      .argument("<runs...>", "the folders of two runs or more")
      .option("--html <file>", "write a page with the curves of all runs, too")
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec compare runs/1 runs/2", "metrics of each task, and the settings that differ"],
            ["plec compare runs/* --html compare.html", "with the curves over each other"],
          ],
          "Metrics are those of each run's best epoch; * marks the best of a row.",
        ),
      )
      .action(async (runs: readonly string[], options) => exit(await (await import("./compare.ts")).compare(runs, options, io))),
  );

  command("synth", "Make up customers for a model, with labels that follow known inputs.", (command) =>
    command
      .argument("<spec>", "the spec")
      .requiredOption("--rows <n>", "how many customers", whole)
      .requiredOption("-o, --output <file>", "the table to write: .parquet, .csv or .csv.gz; its folder is made")
      .option("--mapping <file>", "write the data mapping as well, for plec train")
      .option("--missing <share>", "the share of rows in which an optional input is missing", Number, 0.1)
      .addOption(seed())
      .addOption(model())
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec synth model.ple --rows 20000 -o data/customers.parquet --mapping data.yaml", "a table, and how to read it"],
            ["plec synth model.ple --rows 1000 -o rows.csv --seed 7", "other customers, as text"],
          ],
          [
            "A task depends on the experts that it prefers (`prefer: [...]`): on hidden factors that show in the inputs which they read and few",
            "others do. A binary task has the rate of `positives` that the spec states, or one half. FILE.json beside the table says what depends",
            "on what. The same spec, rows and seed give the same file. docs/data.md has the details.",
          ].join("\n"),
        ),
      )
      .action(async (spec: string, options) => exit(await (await import("./synth.ts")).synth(spec, options, io))),
  );

  command("summary", "Show what a model is made of: inputs, experts, gates, tasks, parameters.", (command) =>
    command
      .argument("<spec>", "the spec")
      .addOption(new Option("--depth <n>", "levels of the tree of parameters").argParser(whole).default(2))
      .addOption(model())
      .addOption(json())
      .addHelpText(
        "after",
        examples([
          ["plec summary model.ple", "the overview"],
          ["plec summary model.ple --depth 4", "down to the layers"],
        ]),
      )
      .action(async (spec: string, options) => exit(await (await import("./summary.ts")).summary(spec, options, io))),
  );

  command("ir", "Print the graph that a model compiles to, or the whole resolved model.", (command) =>
    command
      .argument("<spec>", "the spec")
      .addOption(
        new Option("--format <name>", "text: the graph, to read; json, yaml: the model with its inputs, tasks, banks, transfers and graph")
          .choices(["text", "json", "yaml"])
          .default("text"),
      )
      .option("--raw", "before simplification")
      .addOption(model())
      .addHelpText(
        "after",
        examples([
          ["plec ir model.ple | less", ""],
          ["plec ir model.ple --raw | grep softmax", ""],
          ["plec ir model.ple --format yaml > resolved.yaml", "what the spec resolves to, for diffs and other tools"],
        ]),
      )
      .action(async (spec: string, options) => exit(await (await import("./ir.ts")).ir(spec, options, io))),
  );

  command("diff", "Compare two models: what changed in the architecture, and whether weights still load.", (command) =>
    command
      .argument("<before>", "a spec, or one of a git revision: HEAD~1:specs/model.ple")
      .argument("<after>", "the spec to compare it with")
      .option("--breaking", "fail only when inputs or outputs changed so that callers of the model break")
      .addOption(model())
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec diff old.ple new.ple", "what changed"],
            ["plec diff HEAD:model.ple model.ple", "what I changed since the last commit"],
            ["plec diff v1.ple v2.ple --breaking", "in CI, before callers find out"],
          ],
          [
            "Formatting, comments and names that no one outside sees are no change. Callers break when an input is added that must be given,",
            "is removed or takes other values, and when an output is removed or has another shape. A new optional input breaks nothing.",
            "Exit code: 0 no change (--breaking: nothing that breaks callers), 1 changes, 2 wrong use, or a spec with errors.",
          ].join("\n"),
        ),
      )
      .action(async (before: string, after: string, options) => exit(await (await import("./diff.ts")).diff(before, after, options, io))),
  );

  command("import", "Write a spec from a model_config.yaml.", (command) =>
    command
      .argument("<config>", "the configuration, with the sections global, shared_experts, cgc, hmm_triple_mode, task_experts, adatt, ...")
      .requiredOption("-o, --output <file>", "the spec to write; - prints it")
      .option("--features <file>", "the feature schema that lists the columns of `features`")
      .option("--name <name>", "the name of the model", "Imported")
      .option("--max-warnings <n>", "fail, writing nothing, when more than this was not carried over or assumed", whole)
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec import model_config.yaml -o model.ple", "what can be carried over, and a list of what cannot"],
            ["plec import model_config.yaml --features feature_schema.yaml -o model.ple", "with the groups of features"],
            ["plec import model_config.yaml -o - --max-warnings 0", "only if every key is carried over"],
          ],
          [
            "Every key that is not carried over, and everything that the configuration leaves open, is a warning with its line.",
            "docs/import.md lists the keys. Exit code: 0 written, 1 errors (or too many warnings) and nothing written, 2 wrong use.",
          ].join("\n"),
        ),
      )
      .action(async (config: string, options) => exit(await (await import("./import.ts")).importSpec(config, options, io))),
  );

  command("types", "Generate TypeScript: types of inputs, targets and predictions, and a typed load().", (command) =>
    command
      .argument("<spec>", "the spec")
      .option("-o, --output <file>", "the TypeScript file to write; without it, or with -, the text is printed")
      .option("--check", "change nothing; fail when the file is out of date")
      .addOption(new Option("--watch", "keep it up to date until Ctrl-C, when the spec or an import changes").conflicts("check"))
      .addOption(model())
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec types model.ple -o src/model.ts", "write it"],
            ["plec types model.ple -o src/model.ts --check", "in CI: is it up to date?"],
            ["plec types model.ple -o src/model.ts --watch", "while editing the spec"],
          ],
          "The file imports `plec/runtime`. Generating it again from an unchanged spec changes no byte.",
        ),
      )
      .action(async (spec: string, options) => exit(await (await import("./types.ts")).types(spec, options, io))),
  );

  command("init", "Start a project: spec, data mapping, types, tests and CI.", (command) =>
    command
      .argument("[folder]", "where to put it; made when it does not exist", ".")
      .addOption(new Option("-a, --architecture <name>", "what to start from").choices(architectureNames()))
      .option("-n, --name <name>", "the name of the project (default: that of the folder)")
      .option("-y, --yes", "ask nothing; take the defaults")
      .option("--force", "overwrite files that exist")
      .addOption(json())
      .addHelpText(
        "after",
        examples(
          [
            ["plec init my-model", "asks what to start from"],
            ["plec init my-model --architecture ple", "a stacked PLE, without questions about it"],
            ["plec init my-model --yes", "MMoE, without questions"],
          ],
          "The project checks, compiles and runs as it is. Nothing is overwritten without --force.",
        ),
      )
      .action(async (folder: string, options) => exit(await (await import("./init.ts")).init(folder, options, io))),
  );

  command("explain", "Explain a diagnostic: why it is one, and what to do.", (command) =>
    command
      .argument("[code]", "a code such as dim/mismatch; without it, all codes are listed")
      .addOption(json())
      .addHelpText(
        "after",
        examples([
          ["plec explain", "all codes"],
          ["plec explain dim/mismatch", "one of them"],
        ]),
      )
      .action(async (code: string | undefined, options) => exit(await (await import("./explain.ts")).explain(code, options, io))),
  );

  command("completions", "Print the completions of the command line for a shell.", (command) =>
    command
      .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
      .addHelpText(
        "after",
        examples(
          [
            ["plec completions bash", "for ~/.bashrc: source <(plec completions bash)"],
            ["plec completions zsh", "for ~/.zshrc, after compinit: source <(plec completions zsh)"],
            ["plec completions fish", "for config.fish: plec completions fish | source"],
          ],
          "Commands, options, their choices, diagnostic codes and files.",
        ),
      )
      .action(async (shell: Shell) => exit(await (await import("./completions.ts")).completions(shell, program, io))),
  );

  // The one that is named, or all where all are told of.
  const named = asked === "completions" ? undefined : commands.get(asked);
  for (const define of named === undefined ? commands.values() : [named]) define();
  return program;
}

function examples(lines: readonly (readonly [command: string, what: string])[], note = ""): string {
  const width = Math.max(...lines.map(([text]) => text.length));
  const shown = lines.map(([text, what]) => `  $ ${text.padEnd(width)}  ${what}`.trimEnd());
  return `\nExamples:\n${shown.join("\n")}${note === "" ? "" : `\n\n${note}`}`;
}
