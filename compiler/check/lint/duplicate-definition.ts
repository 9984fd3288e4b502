import type { Definition, Node } from "../../../dsl/ast.ts";
import { childKeys } from "../../../dsl/ast.ts";
import { walk } from "../../../dsl/visit.ts";
import { dimVariables } from "../../elaborate/call.ts";
import type { LoadedFile } from "../../project.ts";
import { declaredNames } from "../references.ts";
import { defineRule } from "./engine/rule.ts";

export const duplicateDefinition = defineRule({
  code: "lint/duplicate-definition",
  severity: "warning",
  message: "`{name}` is the same definition as {other}",
  why: "Two copies of one definition drift apart: the next change is made to one of them, and which one a model uses is then a matter of luck.",
  help: "Keep one and import it where it is needed.",
  options: {
    size: { default: 20, least: 1, what: "definitions with fewer nodes in their syntax tree than this are too small to be copies" },
  },
  check({ files, entry }, report, { size }) {
    const known = new Map<string, { readonly file: LoadedFile; readonly definition: Definition }>();
    const ordered = [...files.filter((file) => file !== entry), entry];
    for (const file of ordered) {
      for (const definition of file.file.items) {
        if (definition.kind !== "Definition" || countNodes(definition) < size) continue;
        const key = canonical(definition);
        const first = known.get(key);
        if (first === undefined) known.set(key, { file, definition });
        else if (file === entry) {
          const { name, role } = first.definition;
          const note = { message: `the first ${role}`, span: name.span };
          const where = first.file === file ? `\`${name.text}\`` : `\`${name.text}\` of ${first.file.source.name}`;
          report(definition.name.span, { name: definition.name.text, other: where }, { notes: [note] });
        }
      }
    }
  },
});

function countNodes(definition: Definition): number {
  let count = 0;
  walk(definition, () => {
    count += 1;
  });
  return count;
}

/** A text that two definitions share when they differ in their names, names of locals and dims, comments and layout alone. */
function canonical(definition: Definition): string {
  const parameters = definition.parameters.map(({ name }) => name.text);
  const locals = new Set([...declaredNames(definition), ...parameters, ...dimVariables(definition)]);
  const numbers = new Map<string, number>([[definition.name.text, 0]]);
  const rename = (name: string): string => {
    if (name !== definition.name.text && !locals.has(name)) return name;
    if (!numbers.has(name)) numbers.set(name, numbers.size);
    return `#${numbers.get(name)}`;
  };
  const write = (node: Node, parent: Node | null): string => {
    const fixed =
      node.kind === "Name" && parent !== null && (parent.kind === "Member" || parent.kind === "Field" || parent.kind === "Argument");
    const own = Object.entries(node).flatMap(([key, value]) => {
      if (key === "doc" || key === "span" || key === "kind" || typeof value === "object") return [];
      const isName = (node.kind === "Name" && key === "text" && !fixed) || (node.kind === "Reference" && key === "name");
      return [isName ? rename(String(value)) : JSON.stringify(value)];
    });
    const below = childKeys[node.kind].map((key) => {
      const value = (node as unknown as Record<string, Node | readonly Node[] | null>)[key] ?? null;
      if (value === null) return "-";
      return Array.isArray(value) ? `[${value.map((child) => write(child, node)).join(" ")}]` : write(value as Node, node);
    });
    return `(${node.kind} ${[...own, ...below].join(" ")})`;
  };
  return write(definition, null);
}
