import uPlot from "uplot";
import type { Figure, HeatFigure, LineFigure, Page, Section, TableFigure } from "../figures.ts";

/** Told apart by people with any colour vision, on light and on dark; then the same, dashed. */
const hues = ["#2f6fde", "#d9730d", "#159a80", "#c43f9c", "#7a5ae0", "#b58900", "#5b8c2a", "#d64550", "#2a9fc4", "#8d6e63"];
const dashes: readonly (readonly number[])[] = [[], [6, 3], [2, 2]];
const height = 210;
/** Of the names of marks, which stand above a plot. */
const markLine = 13;

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  children: readonly (Node | string)[] = [],
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const idOf = (section: Section) => section.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

function show({ title, facts, sections }: Page): void {
  document.title = `${title} – plec`;
  const main = document.querySelector("main");
  if (main === null) throw new Error("the page has no main");
  const list = element(
    "dl",
    { className: "facts" },
    facts.map(([name, value]) => element("div", {}, [element("dt", {}, [name]), element("dd", {}, [value])])),
  );
  const links = sections.map((section) => element("a", { href: `#${idOf(section)}` }, [section.title]));
  main.append(element("h1", {}, [title]), list, element("nav", {}, links));
  for (const section of sections) {
    const figures = element("div", { className: "figures" });
    const text = section.text === null ? [] : [element("p", {}, [section.text])];
    main.append(element("section", { id: idOf(section) }, [element("h2", {}, [section.title]), ...text, figures]));
    // Plots take the width of what they stand in, so that it has to be on the page.
    for (const figure of section.figures) drawFigure(figure, figures);
  }
}

function drawFigure(figure: Figure, into: HTMLElement): void {
  const caption = figure.title === null ? [] : [element("figcaption", {}, [figure.title])];
  const box = element("figure", { className: figure.kind === "lines" ? "" : "wide" }, caption);
  into.append(box);
  if (figure.kind === "table") box.append(tableOf(figure));
  else if (figure.kind === "heat") box.append(heatOf(figure));
  else drawLines(figure, box);
}

// ── tables ──────────────────────────────────────────────────────────────────

function tableOf({ columns, rows }: TableFigure): HTMLTableElement {
  const numeric = columns.map((_, i) => rows.every((row) => /^[-–\d.,e+]*$/.test(row[i] ?? "")));
  const classOf = (i: number) => `${numeric[i] ? "number" : ""}${columns[i] === "(base)" ? " base" : ""}`;
  const head = columns.map((column, i) => element("th", { className: classOf(i), scope: "col" }, [column]));
  const body = rows.map((row) =>
    element(
      "tr",
      {},
      row.map((cell, i) => element("td", { className: classOf(i) }, [cell])),
    ),
  );
  return element("table", {}, [element("thead", {}, [element("tr", {}, head)]), element("tbody", {}, body)]);
}

function heatOf({ rows, columns, values, low, high }: HeatFigure): HTMLTableElement {
  const head = columns.map((name) => element("th", { scope: "col" }, [element("span", {}, [name])]));
  const body = rows.map((name, i) =>
    element("tr", {}, [
      element("th", { scope: "row" }, [name]),
      ...columns.map((column, j) => {
        const value = values[i]?.[j] ?? null;
        const cell = element("td", { title: `${name}, ${column}` }, [value === null ? "" : value.toFixed(2).replace(/^-(0\.00)$/, "$1")]);
        if (value !== null) cell.style.background = heatColour(value, low, high);
        return cell;
      }),
    ]),
  );
  return element("table", { className: "heat" }, [
    element("thead", {}, [element("tr", {}, [element("th"), ...head])]),
    element("tbody", {}, body),
  ]);
}

/** Red below 0, blue above, more of it farther away. */
function heatColour(value: number, low: number, high: number): string {
  const share = Math.min(1, value < 0 ? value / low : value / high);
  return `color-mix(in srgb, ${value < 0 ? "#d64550" : "#2f6fde"} ${Math.round(75 * share)}%, transparent)`;
}

// ── lines ───────────────────────────────────────────────────────────────────

function drawLines(figure: LineFigure, box: HTMLElement): void {
  const { lines, diagonal } = figure;
  const holder = element("div", { className: "plot" });
  const band = markLine * markLines(figure);
  box.append(holder);
  const colourOf = (i: number) => hues[i % hues.length] ?? "";
  const dashOf = (i: number) => [...(dashes[Math.floor(i / hues.length) % dashes.length] ?? [])];
  const outputs = lines.map(() => element("output"));
  // A single point is no line.
  const points = figure.x.length < 12 || diagonal;
  const series = lines.map(({ name }, i) => ({
    label: name,
    stroke: colourOf(i),
    width: 1.6,
    dash: dashOf(i),
    spanGaps: true,
    points: { show: points, size: 5, fill: colourOf(i) },
  }));
  const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = (label: string | null) => ({
    stroke: () => css("--soft"),
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    grid: { stroke: () => css("--rule"), width: 1 },
    ticks: { show: false },
    ...(label === null ? {} : { label, labelSize: 16 }),
  });
  const plot = new uPlot(
    {
      width: Math.max(200, holder.clientWidth),
      height: height + band,
      padding: [8 + band, null, null, null],
      legend: { show: false },
      cursor: { points: { size: 6 }, drag: { x: true, y: false } },
      scales: {
        x: { time: false, ...(diagonal ? { range: [0, 1] as [number, number] } : {}) },
        y: figure.range === null ? {} : { range: [figure.range[0], figure.range[1]] },
      },
      axes: [
        { ...axis(figure.xName), size: 30 },
        { ...axis(figure.yName), size: 58, values: (_, ticks) => ticks.map(shortNumber) },
      ],
      series: [{}, ...series],
      hooks: {
        draw: [(at) => drawMarks(at, figure, css("--mark"))],
        setCursor: [
          ({ cursor: { idx }, data }) => {
            for (const [i, output] of outputs.entries()) {
              const value = idx === null || idx === undefined ? null : data[i + 1]?.[idx];
              output.textContent = value === null || value === undefined ? "" : shortNumber(value);
            }
          },
        ],
      },
    },
    [[...figure.x], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData,
    holder,
  );
  const chips = lines.map(({ name }, i) => {
    const chip = element("i");
    chip.style.background =
      dashOf(i).length === 0 ? colourOf(i) : `repeating-linear-gradient(90deg, ${colourOf(i)} 0 4px, transparent 4px 6px)`;
    const button = element("button", { type: "button", ariaPressed: "true", title: "show or hide" }, [
      chip,
      name,
      outputs[i] as HTMLElement,
    ]);
    button.addEventListener("click", () => {
      const shown = button.ariaPressed !== "true";
      button.ariaPressed = String(shown);
      plot.setSeries(i + 1, { show: shown });
    });
    return button;
  });
  // A line that is alone and called as its figure is needs no name.
  if (lines.length > 1 || lines[0]?.name !== figure.title) box.append(element("div", { className: "chips" }, chips));
  new ResizeObserver(() => plot.setSize({ width: Math.max(200, holder.clientWidth), height: height + band })).observe(holder);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
}

/** Names of marks above a plot stand in so many lines, so that neighbours seldom meet. */
function markLines({ marks }: LineFigure): number {
  return Math.min(3, Math.ceil(new Set(marks.map(({ x }) => x)).size / 2));
}

/** Upright lines where something happened, with their names above them where there is room; or the diagonal. */
function drawMarks(plot: uPlot, figure: LineFigure, colour: string): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = ratio;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.setLineDash([4 * ratio, 4 * ratio]);
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  const stroke = (from: readonly [number, number], to: readonly [number, number]) => {
    ctx.beginPath();
    ctx.moveTo(...(from as [number, number]));
    ctx.lineTo(...(to as [number, number]));
    ctx.stroke();
  };
  const at = (value: number, scale: "x" | "y") => plot.valToPos(value, scale, true);
  if (figure.diagonal) stroke([at(0, "x"), at(0, "y")], [at(1, "x"), at(1, "y")]);
  const right = bbox.left + bbox.width;
  const places = new Map<number, string[]>();
  for (const { x, name } of figure.marks) places.set(x, [...(places.get(x) ?? []), name]);
  const lines = markLines(figure);
  const ends: number[] = [];
  for (const [x, names] of [...places].sort(([a], [b]) => a - b)) {
    const left = at(x, "x");
    // Zooming leaves some of them outside.
    if (left < bbox.left - 1 || left > right + 1) continue;
    const text = names.join(", ");
    const width = ctx.measureText(text).width;
    const start = Math.max(bbox.left, Math.min(left - 2 * ratio, right - width));
    const free = Array.from({ length: lines }, (_, line) => line).find((line) => (ends[line] ?? 0) < start);
    const top = bbox.top - (free === undefined ? 0 : markLine * free * ratio);
    stroke([left, top], [left, bbox.top + bbox.height]);
    if (free === undefined) continue;
    ends[free] = start + width + 8 * ratio;
    ctx.fillText(text, start, top - 4 * ratio);
  }
  ctx.restore();
}

function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace("e+", "e");
  return String(Number(value.toPrecision(size >= 1000 ? 4 : 3)));
}

show(JSON.parse(document.getElementById("page")?.textContent ?? "") as Page);
