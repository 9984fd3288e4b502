import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const source = ["--import", `${root}node_modules/tsx/dist/loader.mjs`, `${root}cli/process.ts`];

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `plec` from its sources, as a process of its own. */
export class PlecProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";

  /** @param before  shell commands to run before it, in its process */
  constructor(args: readonly string[], { before, cwd }: { readonly before?: string; readonly cwd?: string } = {}) {
    const options = { stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"], cwd };
    this.child =
      before === undefined
        ? spawn(process.execPath, [...source, ...args], options)
        : spawn("bash", ["-c", `${before}; exec "$@"`, "plec", process.execPath, ...source, ...args], options);
    this.child.stdout?.on("data", (data) => {
      this.#stdout += data;
    });
    this.child.stderr?.on("data", (data) => {
      this.#stderr += data;
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }));
    });
  }

  /** Waits until something holds, or the process has ended. */
  async until(holds: () => boolean): Promise<void> {
    let ended = false;
    void this.ended.then(() => {
      ended = true;
    });
    while (!ended && !holds()) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
