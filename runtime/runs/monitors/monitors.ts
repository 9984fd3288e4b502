import type { FindingRecord, RunDescription, RunRecord } from "../records.ts";
import { expertCollapse } from "./expert-collapse.ts";
import { expertDead } from "./expert-dead.ts";
import { gateUniform } from "./gate-uniform.ts";
import { inputsMissing } from "./inputs-missing.ts";
import { labelsMissing } from "./labels-missing.ts";
import { lossJump } from "./loss-jump.ts";
import type { Monitor } from "./monitor.ts";
import { routeDefaults } from "./route-defaults.ts";
import { transferDominates } from "./transfer-dominates.ts";
import { uncertaintyClamped } from "./uncertainty-clamped.ts";

/** Every rule that watches runs. */
export const allMonitors: readonly Monitor[] = [
  expertCollapse,
  gateUniform,
  expertDead,
  inputsMissing,
  routeDefaults,
  transferDominates,
  uncertaintyClamped,
  labelsMissing,
  lossJump,
];

/** Watches a run: takes its records in order and says what is wrong, each fault once until it clears. */
export class Monitors {
  readonly #watches: readonly {
    readonly monitor: Monitor;
    readonly take: ReturnType<Monitor["watch"]>;
    readonly streaks: Map<string, number>;
  }[];

  constructor(run: RunDescription, monitors: readonly Monitor[] = allMonitors) {
    this.#watches = monitors.map((monitor) => ({ monitor, take: monitor.watch(run), streaks: new Map() }));
  }

  take(record: RunRecord): readonly FindingRecord[] {
    if (record.kind === "finding") return [];
    return this.#watches.flatMap(({ monitor, take, streaks }) => {
      const alarms = take(record);
      if (alarms === null) return [];
      const before = new Map(streaks);
      streaks.clear();
      for (const { subject } of alarms) streaks.set(subject, (before.get(subject) ?? 0) + 1);
      const { name, threshold, remedy, patience } = monitor;
      const { epoch, step } = record;
      return alarms
        .filter(({ subject }) => streaks.get(subject) === patience)
        .map(({ subject, value, message }) => ({
          kind: "finding" as const,
          epoch,
          step,
          monitor: name,
          subject,
          value,
          threshold,
          message,
          remedy,
        }));
    });
  }
}
