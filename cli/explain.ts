import { distance } from "fastest-levenshtein";
import { type DiagnosticDefinition, generalMessage } from "../dsl/diagnostic.ts";
import { allCodes, lintable, lintPage } from "./codes.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { formatTable } from "./table.ts";

export async function explain(code: string | undefined, options: { readonly json?: boolean }, io: Io): Promise<number> {
  const codes = allCodes();
  if (code === undefined) {
    const listed = [...codes].map(([name, definition]) => ({
      code: name,
      severity: definition.severity,
      message: generalMessage(definition),
    }));
    if (options.json === true) io.stdout.write(`${JSON.stringify(listed, null, 2)}\n`);
    else io.stdout.write(`${formatTable(listed.map((entry) => [entry.code, entry.severity, entry.message])).join("\n")}\n`);
    return exitCodes.clean;
  }
  const definition = codes.get(code);
  if (definition === undefined) throw new CommandError(`there is no diagnostic ${code}${suggestCode(code, [...codes.keys()])}`);
  io.stdout.write(options.json === true ? `${JSON.stringify({ code, ...definition }, null, 2)}\n` : describeCode(code, definition));
  return exitCodes.clean;
}

function describeCode(code: string, definition: DiagnosticDefinition): string {
  const { severity, why, help, example } = definition;
  const parts = [`${code} (${severity})`, `  ${generalMessage(definition)}`, "", `Why: ${why}`, "", `What to do: ${help}`];
  if (lintable(code)) parts.push("", `Examples and options: ${lintPage(code)}`);
  if (example !== undefined) parts.push("", "Example:", ...example.split("\n").map((line) => `  ${line}`.trimEnd()));
  return `${parts.join("\n")}\n`;
}

/** Codes may be given without their family: `mismatch` finds `dim/mismatch`. */
function suggestCode(code: string, codes: readonly string[]): string {
  const afterSlash = (text: string) => text.slice(text.indexOf("/") + 1);
  const near = codes
    .map((name) => ({
      name,
      d: Math.min(distance(name, code), distance(afterSlash(name), afterSlash(code)) + (code.includes("/") ? 1 : 0)),
    }))
    .filter(({ d }) => d <= Math.max(2, code.length / 3))
    .sort((a, b) => a.d - b.d);
  const suggestions = near.filter(({ d }) => d === near[0]?.d).map(({ name }) => name);
  return suggestions.length === 0 ? "; `plec explain` lists all" : `; did you mean ${suggestions.join(" or ")}?`;
}
