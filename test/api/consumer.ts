import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** A project in an empty folder that has the built plec installed, as a user's has. */
export interface Consumer {
  readonly path: (name: string) => string;
  readonly write: (name: string, text: string) => void;
  /** Errors of the TypeScript compiler by file, as `TS1234 message`; what has none is emitted into `out/`. */
  readonly compile: (options: Readonly<Record<string, unknown>>) => ReadonlyMap<string, readonly string[]>;
  /** What a script in it prints. */
  readonly run: (script: string) => string;
  readonly remove: () => void;
}

/** Builds dist/, so that what is tested is what is published. */
export function makeConsumer(): Consumer {
  const built = spawnSync(process.execPath, ["scripts/build.mjs"], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(built.stderr);
  const folder = mkdtempSync(join(tmpdir(), "plec-consumer-"));
  const path = (name: string) => join(folder, name);
  const write = (name: string, text: string) => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
  };
  write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
  mkdirSync(path("node_modules"));
  symlinkSync(resolve("."), path("node_modules/plec"), "junction");
  symlinkSync(resolve("node_modules/@types"), path("node_modules/@types"), "junction");
  return {
    path,
    write,
    compile(options) {
      const compilerOptions = { target: "es2022", strict: true, types: ["node"], rootDir: "src", outDir: "out", ...options };
      write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["src"] }));
      const { stdout, status } = spawnSync(
        process.execPath,
        [resolve("node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"],
        {
          cwd: folder,
          encoding: "utf8",
        },
      );
      const errors = new Map<string, string[]>();
      for (const [, file, code, message] of stdout.matchAll(/^(\S+)\(\d+,\d+\): error (TS\d+): (.*)$/gm)) {
        errors.set(file ?? "", [...(errors.get(file ?? "") ?? []), `${code} ${message}`]);
      }
      if (status !== 0 && errors.size === 0) throw new Error(stdout);
      return errors;
    },
    run(script) {
      const { stdout, stderr, status } = spawnSync(process.execPath, [script], { cwd: folder, encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
      return stdout;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
