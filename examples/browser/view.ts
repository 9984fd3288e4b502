import { type Form, sliderRange, sliders, sources } from "./customer.ts";
import type { ModelInfo, TaskScore } from "./model.ts";

/** An element of the page that is there, by its id. */
export function find<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element as E;
}

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  children: readonly (Node | string)[] = [],
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** `life_stage` → `life stage` */
function words(name: string): string {
  return name.replaceAll("_", " ");
}

const customerCount = 6;

/** Builds the controls; `onChange` gets the form as it stands, now and after each change. */
export function showForm(clusters: number, onChange: (form: Form) => void): void {
  const seed = find<HTMLInputElement>("seed");
  const cluster = find<HTMLSelectElement>("cluster");
  cluster.append(new Option("own", ""), ...Array.from({ length: clusters }, (_, id) => new Option(String(id))));
  seed.defaultValue = "1";

  const chips = Array.from({ length: customerCount }, (_, i) => {
    const chip = make("button", { type: "button", textContent: String(i + 1), title: `The customer of seed ${i + 1}` });
    chip.addEventListener("click", () => {
      seed.value = String(i + 1);
      changed();
    });
    return chip;
  });
  find("customers").append(...chips);

  const ranges = sliders.map(({ slice, label, effect }) => {
    const input = make("input", {
      type: "range",
      min: String(-sliderRange),
      max: String(sliderRange),
      step: "0.1",
      defaultValue: "0",
      name: slice,
    });
    const output = make("output");
    find("sliders").append(make("label", { className: "slider" }, [label, output, input]));
    const show = () => {
      output.textContent = describeMove(Number(input.value), effect);
    };
    return { slice, input, show };
  });

  const boxes = sources.map(({ label, inputs }) => {
    const input = make("input", { type: "checkbox", defaultChecked: true, name: inputs[0] ?? label });
    find("sources").append(make("label", { className: "source", title: inputs.join(", ") }, [input, label]));
    return { label, input };
  });

  function read(): Form {
    return {
      seed: Math.max(0, Math.floor(Number(seed.value)) || 0),
      cluster: cluster.value === "" ? null : Number(cluster.value),
      moved: Object.fromEntries(ranges.map(({ slice, input }) => [slice, Number(input.value)])),
      dropped: boxes.filter(({ input }) => !input.checked).map(({ label }) => label),
    };
  }

  function changed(): void {
    for (const range of ranges) range.show();
    for (const [i, chip] of chips.entries()) chip.setAttribute("aria-pressed", String(Number(seed.value) === i + 1));
    onChange(read());
  }

  const form = find<HTMLFormElement>("form");
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  // Browsers keep what was typed before a reload.
  form.reset();
  // The fields have their defaults after the event.
  form.addEventListener("reset", () => setTimeout(changed));
  changed();
}

function describeMove(value: number, effect: "shift" | "scale"): string {
  if (effect === "scale") return `× ${(10 ** value).toPrecision(2).replace(/\.0$/, "")}`;
  return value > 0 ? `+${value}` : String(value).replace("-", "−");
}

export function showModel({ name, tasks, experts, seed }: ModelInfo): void {
  find("task-count").textContent = String(tasks.length);
  const origin = seed === null ? "trained weights" : `untrained weights (seed ${seed}): the numbers mean nothing yet`;
  find("model").textContent = `${name}: ${experts.length} experts, ${origin}`;
}

export function showScores(scores: readonly TaskScore[], experts: readonly string[]): void {
  const predictions = find<HTMLTableElement>("predictions");
  for (const body of [...predictions.tBodies]) body.remove();
  const body = predictions.createTBody();
  let group: string | null = null;
  for (const score of scores) {
    if (score.task.group !== group) {
      group = score.task.group;
      const heading = make("th", { colSpan: 5, scope: "rowgroup", textContent: words(group ?? "") });
      body.append(make("tr", { className: "group" }, [heading]));
    }
    body.append(predictionRow(score));
  }
  const widest = Math.max(...scores.flatMap(({ gates }) => gates));
  const heads = experts.map((expert) => make("th", { scope: "col", textContent: words(expert) }));
  find("gates").replaceChildren(
    make("thead", {}, [make("tr", {}, [make("th", { scope: "col", textContent: "Task" }), ...heads])]),
    make(
      "tbody",
      {},
      scores.map((score) => gateRow(score, experts, widest)),
    ),
  );
}

function predictionRow({ task, prediction, gates, uncertainty }: TaskScore): HTMLTableRowElement {
  const { picture, text } = describePrediction(task.kind, prediction);
  const row = make("tr", {}, [
    make("th", { scope: "row", textContent: words(task.name) }),
    make("td", {}, picture === null ? [] : [picture]),
    make("td", { textContent: text }),
    // Of classes the first is a share; a variance has no full bar.
    uncertaintyCell(uncertainty?.epistemic, task.kind === "regression" ? null : 1),
    uncertaintyCell(uncertainty?.aleatoric, task.kind === "regression" ? null : Math.log(Math.max(task.width, 2))),
  ]);
  // As exact as they came, for whoever reads the page by program.
  Object.assign(row.dataset, { task: task.name, prediction: JSON.stringify(prediction), gates: JSON.stringify(gates) });
  if (uncertainty !== null) row.dataset.uncertainty = JSON.stringify([uncertainty.epistemic, uncertainty.aleatoric]);
  return row;
}

function uncertaintyCell(value: number | undefined, full: number | null): HTMLTableCellElement {
  if (value === undefined) return make("td", { textContent: "–" });
  const cell = make("td", { textContent: full === null ? `σ² ${format(value)}` : value.toFixed(3) });
  if (full !== null) {
    cell.className = "cell";
    cell.style.setProperty("--share", `${Math.min(100, (100 * value) / full)}%`);
  }
  return cell;
}

function describePrediction(
  kind: TaskScore["task"]["kind"],
  values: readonly number[],
): { readonly picture: HTMLElement | null; readonly text: string } {
  const [first = 0] = values;
  if (kind === "binary") {
    const bar = make("div");
    bar.style.width = `${100 * first}%`;
    return { picture: make("div", { className: "track" }, [bar]), text: percent(first) };
  }
  if (kind === "classes") {
    const most = Math.max(...values);
    const top = values.indexOf(most);
    const bars = values.map((value, i) => {
      const bar = make("div", { className: i === top ? "top" : "", title: `class ${i}: ${percent(value)}` });
      bar.style.height = `${(100 * value) / most}%`;
      return bar;
    });
    return { picture: make("div", { className: "classes" }, bars), text: `class ${top}, ${percent(most)}` };
  }
  if (values.length === 1) return { picture: null, text: format(first) };
  return { picture: null, text: `${values.length} dims, length ${format(Math.hypot(...values))}` };
}

function gateRow({ task, gates }: TaskScore, experts: readonly string[], widest: number): HTMLTableRowElement {
  const most = Math.max(...gates);
  const cells = gates.map((weight, i) => {
    const cell = make("td", {
      textContent: weight.toFixed(3),
      title: `${task.name} ← ${experts[i]}`,
      className: weight === most ? "top" : "",
    });
    cell.style.setProperty("--share", `${(100 * weight) / widest}%`);
    return cell;
  });
  return make("tr", {}, [make("th", { scope: "row", textContent: words(task.name) }), ...cells]);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function format(value: number): string {
  const text = Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : value.toFixed(3);
  return text.replace("-", "−");
}

export interface Message {
  readonly text: string;
  readonly command?: string;
  /** Whether the page would run without a GPU. */
  readonly offersWasm?: boolean;
}

export function showMessage({ text, command, offersWasm = false }: Message): void {
  find("message").hidden = false;
  find("message-text").textContent = text;
  find("message-command").hidden = command === undefined;
  find("message-command").textContent = command ?? "";
  find("message-link").hidden = !offersWasm;
}
