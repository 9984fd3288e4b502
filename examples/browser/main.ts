import * as tf from "@tensorflow/tfjs-core";
import { type BackendName, startBackend } from "./backend.ts";
import { customerInputs, type Form } from "./customer.ts";
import { type LoadedModel, loadModel, ModelMissing } from "./model.ts";
import { find, type Message, showForm, showMessage, showModel, showScores } from "./view.ts";

const compileCommand =
  "npx plec compile specs/ple_cluster_adatt.ple --target tfjs --outputs '!representation/*,!sae_latents' -o examples/browser/model";

/** `?backend=wasm` or `?backend=webgpu` chooses one. */
function wantedBackend(): BackendName | null {
  const wanted = new URLSearchParams(location.search).get("backend");
  return wanted === "wasm" || wanted === "webgpu" ? wanted : null;
}

function setState(state: "loading" | "scoring" | "ready" | "failed"): void {
  document.body.dataset.state = state;
}

function fail(message: Message): void {
  setState("failed");
  showMessage(message);
}

async function start(): Promise<void> {
  tf.env().set("PROD", true);
  // One after the other: weights are uploaded while the model loads, which fails on a backend that is still starting.
  const backend = await startBackend(wantedBackend());
  const model = await loadModel("model/model.json");
  document.body.dataset.backend = backend.name;
  find("backend").textContent = `Running on ${backend.description}`;
  const lost = backend.lost.then((reason) => {
    fail({ text: `The GPU was lost${reason === "" ? "" : ` (${reason})`}. Reload the page to try it again.`, offersWasm: true });
  });
  showModel(model.info);
  const clusters = model.info.inputs.find(({ name }) => name === "cluster_id")?.vocabulary ?? 0;
  showForm(clusters, scorer(model, lost));
}

/** Scores the latest form; changes during a run wait for its end, and only the last of them is scored. */
function scorer(model: LoadedModel, lost: Promise<void>): (form: Form) => void {
  let next: Form | null = null;
  let running = false;
  let runs = 0;
  const run = async (): Promise<void> => {
    running = true;
    try {
      while (next !== null && document.body.dataset.state !== "failed") {
        const form = next;
        next = null;
        setState("scoring");
        // The state is painted before the work.
        await new Promise((resolve) => setTimeout(resolve));
        const begun = performance.now();
        const scores = await Promise.race([model.score(customerInputs(model.info, form)), lost]);
        if (scores === undefined) return;
        find("timing").textContent = `scored in ${Math.round(performance.now() - begun)} ms`;
        showScores(scores, model.info.experts);
        runs += 1;
        document.body.dataset.runs = String(runs);
        setState("ready");
      }
    } catch (error) {
      fail({ text: `The model failed: ${describe(error)}` });
    } finally {
      running = false;
    }
  };
  return (form) => {
    next = form;
    if (!running) void run();
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

start().catch((error: unknown) => {
  find("backend").textContent = "Nothing is running";
  if (error instanceof ModelMissing)
    fail({ text: `${error.message} Write it with this command, then reload the page:`, command: compileCommand });
  else fail({ text: `The page cannot start: ${describe(error)}` });
});
