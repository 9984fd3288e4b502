import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { CommandError } from "./io.ts";

const most = 64 * 2 ** 20;

/**
 * Calls `use` with the path of a spec. `REVISION:path` is taken from git: the specs and schemas of that revision are written to a temporary folder, so
 * that imports are those of the revision too, which is removed afterwards.
 *
 * @throws CommandError where git does not know the revision or the file
 */
export function withRevision<T>(spec: string, use: (path: string) => T): T {
  const [, revision, path] = /^([^:]{2,}):(.+)$/.exec(spec) ?? [];
  if (revision === undefined || path === undefined || existsSync(spec)) return use(spec);
  const prefix = git(spec, ["rev-parse", "--show-prefix"]).trim();
  const file = normalize(path.startsWith("./") || path.startsWith("../") ? join(prefix, path) : path);
  const names = git(spec, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", "--end-of-options", revision]).split("\0");
  if (!names.includes(file)) {
    const near = names.includes(join(prefix, path)) ? `; paths count from the top of the repository, or write ${revision}:./${path}` : "";
    throw new CommandError(`${spec}: there is no ${file} in ${revision}${near}`);
  }
  const folder = mkdtempSync(join(tmpdir(), "plec-revision-"));
  try {
    // The top of the repository ends a project, as it does in the working tree.
    mkdirSync(join(folder, ".git"));
    for (const name of names.filter(
      (candidate) => /\.(ple|ya?ml)$/.test(candidate) && !isAbsolute(candidate) && !candidate.startsWith(".."),
    )) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), git(spec, ["cat-file", "blob", `${revision}:${name}`]));
    }
    return use(join(folder, file));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function git(spec: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync("git", args, { encoding: "utf8", maxBuffer: most });
  if (error !== undefined) throw new CommandError(`${spec}: there is no such file, and git cannot be run: ${error.message}`);
  if (status !== 0)
    throw new CommandError(
      `${spec}: ${
        stderr
          .trim()
          .split("\n")[0]
          ?.replace(/^fatal: /, "") ?? "git failed"
      }`,
    );
  return stdout;
}
