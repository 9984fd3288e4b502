/**
 * A spec on made-up customers: does every task beat the predictor that knows only the labels' rates, does what the plan says happen when it should, do monitors
 * stay silent, and do the tasks that depend on an expert's inputs, and only they, get worse without them? `npm run bench:customers` takes the small spec in
 * examples/customers; `npm run bench:customers -- full` the full one on 20,000 rows with batches of 512, for hours; `--plan short` within an hour.
 *
 * With `--folder`, what was interrupted goes on.
 *
 *     tsx bench/customers/run.ts [small | full | SPEC] [--rows N] [--without INPUT,INPUT] [--plan short] [--folder FOLDER]
 */

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatNumber, formatTable } from "../../cli/table.ts";
import { noticeable, prove } from "./proof.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string" }, without: { type: "string" }, plan: { type: "string" }, folder: { type: "string" } },
});
const [which = "small"] = positionals;
const folder = values.folder ?? mkdtempSync(join(tmpdir(), "plec-customers-"));
mkdirSync(folder, { recursive: true });

type Edits = readonly (readonly [from: string, to: string])[];

/** Batches that fit into a workstation's memory. Labels that depend on one expert invite gates that read no other: the document's remedy is more entropy. */
const workstation: Edits = [
  ["batch: 16384", "batch: 512"],
  ["entropy: 0.01 / count(tasks)", "entropy: 2 / count(tasks)"],
];

/**
 * The same phases, freezes and restarts within seven epochs, at the end of the third cycle, with a learning rate for so few steps. A task with three positives
 * in a batch has none of them to spare for its rate: towers begin at it.
 */
const short: Edits = [
  ["Residual, Tower }", "Residual, Tower, prior_logit }"],
  ["[64, 32], dropout: 0.2)", "[64, 32], dropout: 0.2, bias: () => prior_logit(task))"],
  ["epochs: 15", "epochs: 5"],
  ["epochs: 8", "epochs: 2"],
  ["warmup: 3, freeze: 12", "warmup: 1, freeze: 3"],
  ["t0: 10, t_mult: 2", "t0: 1, t_mult: 2"],
  ["lr: 5e-4", "lr: 2e-3"],
];

function fullSpec(): string {
  const text = readFileSync(join(root, "specs/ple_cluster_adatt.ple"), "utf8");
  const edited = [...workstation, ...(values.plan === "short" ? short : [])].reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`the full spec has no ${from}`);
    return before.replace(from, to);
  }, text);
  const path = join(folder, "full.ple");
  writeFileSync(path, edited);
  return path;
}

const settings = {
  small: { spec: join(root, "examples/customers/customers.ple"), rows: 4000, without: "social" },
  full: { spec: "", rows: 20_000, without: "txn_seq,session_seq" },
}[which] ?? { spec: which, rows: 20_000, without: "" };
const spec = which === "full" ? fullSpec() : settings.spec;
const without = (values.without ?? settings.without).split(",").filter((name) => name !== "");

function plec(args: readonly string[]): Promise<void> {
  console.log(`plec ${args.join(" ")}`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, "bin/plec.cjs"), ...args], { stdio: "inherit" });
    child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`plec ${args[0]} ended with ${code}`))));
  });
}

const { tasks, misplaced, findings } = await prove(plec, { spec, folder, rows: Number(values.rows ?? settings.rows), without });
const fell = tasks.map(({ skill, skillWithout }) => skill - skillWithout > noticeable);
const lines = tasks.map(({ task, metrics, beatsBase, skill, skillWithout, planted }, i) => {
  const { auc, log_loss, rmse, recall_at_10 } = metrics;
  const [name, value] =
    auc !== undefined
      ? ["AUC", auc]
      : log_loss !== undefined
        ? ["log loss", log_loss]
        : rmse !== undefined
          ? ["RMSE", rmse]
          : ["recall@10", recall_at_10];
  const verdict = fell[i] === planted ? "as planted" : planted ? "did not fall" : "fell";
  return [
    task,
    name,
    formatNumber(value ?? Number.NaN),
    beatsBase ? "yes" : "NO",
    skill.toFixed(3),
    skillWithout.toFixed(3),
    planted ? "yes" : "no",
    verdict,
  ];
});
const head = ["task", "metric", "value", "beats base", "skill", `without ${without.join(", ")}`, "depends on it", ""];
console.log(`\n${formatTable([head, ...lines], new Set([2, 4, 5])).join("\n")}`);
for (const text of [...misplaced, ...findings]) console.log(text);
const proven =
  tasks.every(({ beatsBase, planted }, i) => beatsBase && fell[i] === planted) && misplaced.length === 0 && findings.length === 0;
console.log(proven ? "proven" : "NOT proven");
process.exitCode = proven ? 0 : 1;
