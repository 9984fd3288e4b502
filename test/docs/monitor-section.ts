import { type Monitor, percent } from "../../runtime/runs/monitors/monitor.ts";

/** What docs/monitors.md says of a monitor. @param measured  how its value comes about, which the page alone says */
export function monitorSection({ name, what, threshold, unit, patience, remedy }: Monitor, measured: string): string {
  const shown = unit === "share" ? percent(threshold) : String(threshold);
  const lasts = patience === 1 ? "at once" : `after ${patience} epochs in a row`;
  return `### ${name}\n\n${what}\n\n*Threshold:* ${shown}, told ${lasts}. ${measured}\n\n**What to do.** ${remedy}\n`;
}
