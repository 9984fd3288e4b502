import type { Report, Section } from "./section.ts";

/** Settings of the `train` block as text; null where the configuration says nothing of training. */
export function importTraining(root: Section, banks: readonly string[], report: Report): readonly string[] | null {
  const training = root.section("training");
  const weighting = training?.section("loss_weighting") ?? root.section("loss_weighting") ?? null;
  const adatt = root.section("adatt");
  const phases = training === null ? [] : readPhases(training, banks, report);
  const planned = phases.reduce((sum, phase) => sum + phase.epochs, 0);
  const lines = [
    ...(training === null ? [] : [...readOptimizer(training, report), ...readSchedule(training, report), ...readNumbers(training)]),
    ...(weighting === null ? [] : readWeighting(weighting, report)),
    ...(adatt === null ? [] : readAdatt(adatt, planned, report)),
    ...(phases.length === 0 ? [] : [`phases: [${phases.map(({ text }) => text).join(", ")}]`]),
  ];
  if (training !== null) leaveOut(training, planned, report);
  return lines.length === 0 ? null : lines;
}

/** Keys that are understood, and of no concern to a spec. */
function leaveOut(training: Section, planned: number, report: Report): void {
  if (training.has("max_epochs")) {
    const epochs = training.whole("max_epochs");
    if (epochs !== null && epochs !== planned)
      report.notCarried(
        training.spanOf("max_epochs"),
        "training.max_epochs",
        planned === 0 ? "epochs are planned by phases, and there are none" : `the phases plan ${planned} epochs`,
      );
  }
  if (training.entry("mixed_precision") !== null)
    report.notCarried(
      training.spanOf("mixed_precision"),
      "training.mixed_precision",
      "a spec has no precision; `plec compile --precision fp16` sets that of a compiled model",
    );
}

function readOptimizer(training: Section, report: Report): readonly string[] {
  const [name, lr, decay] = [
    training.choice("optimizer", ["adamw", "sgd"]),
    training.number("learning_rate"),
    training.number("weight_decay"),
  ];
  if (name === null && lr === null && decay === null) return [];
  if (name === null && !training.has("optimizer")) report.assumed(training.span, "`training` has no `optimizer`: it is taken to be adamw");
  const settings = [...(lr === null ? [] : [`lr: ${lr}`]), ...(decay === null ? [] : [`weight_decay: ${decay}`])];
  return [`optimizer: ${name ?? "adamw"}(${settings.join(", ")})`];
}

function readSchedule(training: Section, report: Report): readonly string[] {
  const schedule = training.section("scheduler");
  if (schedule === null) return [];
  const type = schedule.text("type");
  const [t0, factor, least] = [schedule.whole("t0"), schedule.whole("t_mult"), schedule.number("lr_min")];
  if (type === "constant") return ["schedule: constant()"];
  if (type === null || !["cosine_warm_restarts", "cosineannealingwarmrestarts"].includes(type.toLowerCase())) {
    report.notCarried(schedule.spanOf("type"), `${schedule.path}.type`, "plec knows the schedules cosine_warm_restarts and constant");
    return [];
  }
  const settings = [
    ...(t0 === null ? [] : [`t0: ${t0}`]),
    ...(factor === null ? [] : [`t_mult: ${factor}`]),
    ...(least === null ? [] : [`lr_min: ${least}`]),
  ];
  return [`schedule: cosine_restarts(${settings.join(", ")})`];
}

function readNumbers(training: Section): readonly string[] {
  const patience = training.section("early_stopping")?.whole("patience") ?? null;
  const given = [
    ["batch", training.whole("batch_size")],
    ["accumulate", training.whole("gradient_accumulation")],
    ["clip", training.number("gradient_clipping")],
    ["early_stop", patience],
    ["seed", training.whole("seed", 0)],
  ] as const;
  return given.flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
}

function readWeighting(weighting: Section, report: Report): readonly string[] {
  const strategy = weighting.choice("strategy", ["uncertainty", "fixed", "dwa", "gradnorm", "pcgrad"]);
  const [clamp, temperature, alpha] = [weighting.number("log_var_clamp"), weighting.number("temperature"), weighting.number("alpha")];
  if (strategy === null) return [];
  const settings = {
    uncertainty: ["clamp", clamp],
    dwa: ["temperature", temperature],
    gradnorm: ["alpha", alpha],
    fixed: ["", null],
    pcgrad: ["", null],
  } as const;
  for (const [key, value, own] of [
    ["log_var_clamp", clamp, "uncertainty"],
    ["temperature", temperature, "dwa"],
    ["alpha", alpha, "gradnorm"],
  ] as const)
    if (value !== null && own !== strategy)
      report.notCarried(weighting.spanOf(key), `${weighting.path}.${key}`, `the strategy ${strategy} has no such setting`);
  const [name, value] = settings[strategy];
  return [`weighting: ${strategy}(${value === null ? "" : `${name}: ${value}`})`];
}

/** `task_groups` are read with the tasks. */
function readAdatt(adatt: Section, planned: number, report: Report): readonly string[] {
  if (!adatt.enabled()) return [];
  const warmup = adatt.whole("warmup_epochs", 0);
  const freeze = adatt.whole("freeze_epoch", 0);
  const late = freeze !== null && planned > 0 && freeze >= planned;
  if (late)
    report.notCarried(
      adatt.spanOf("freeze_epoch"),
      "adatt.freeze_epoch",
      `the phases plan ${planned} epochs, so that epoch ${freeze} never comes`,
    );
  const early = freeze !== null && warmup !== null && freeze <= warmup && !late;
  if (early) report.notCarried(adatt.spanOf("freeze_epoch"), "adatt.freeze_epoch", `it is not after the ${warmup} epochs of warm-up`);
  const settings = [
    ["warmup", warmup],
    ["freeze", late || early ? null : freeze],
    ["every", adatt.whole("adatt_grad_interval")],
    ["momentum", adatt.number("ema_momentum")],
    ["negative_below", adatt.number("negative_transfer_threshold")],
  ] as const;
  const given = settings.flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return given.length === 0 ? [] : [`adatt: adatt(${given.join(", ")})`];
}

function readPhases(
  training: Section,
  banks: readonly string[],
  report: Report,
): readonly { readonly text: string; readonly epochs: number }[] {
  const frozen = training.flag("freeze_shared_in_phase2");
  if (frozen === true && !training.has("phase2"))
    report.notCarried(training.spanOf("freeze_shared_in_phase2"), "training.freeze_shared_in_phase2", "there is no `phase2`");
  return (["phase1", "phase2"] as const).flatMap((key, i) => {
    const phase = training.section(key);
    if (phase === null) return [];
    const epochs = phase.whole("epochs") ?? (phase.has("epochs") ? null : phase.missing("epochs"));
    const rate = phase.number("learning_rate");
    if (epochs === null) return [];
    const freeze = i === 1 && frozen === true && banks.length > 0 ? [`freeze: [${banks.join(", ")}]`] : [];
    if (i === 1 && frozen === null && !training.has("freeze_shared_in_phase2"))
      report.assumed(phase.span, "`training` has no `freeze_shared_in_phase2`: nothing is frozen in the second phase");
    const name = i === 0 ? "joint" : "refine";
    return [
      { text: `phase(${[`"${name}"`, `epochs: ${epochs}`, ...freeze, ...(rate === null ? [] : [`lr: ${rate}`])].join(", ")})`, epochs },
    ];
  });
}
