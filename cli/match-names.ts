/**
 * The names that comma-separated patterns match (`*` stands for anything), each once, and the patterns that match none. A pattern after `!` takes its names
 * away; where all are such, they take them from everything.
 */
export function matchNames(
  patterns: string,
  names: readonly string[],
): { readonly selected: readonly string[]; readonly unmatched: readonly string[] } {
  const parts = patterns
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const unmatched: string[] = [];
  const matching = (part: string): readonly string[] => {
    const pattern = part.replace(/^!/, "");
    const expression = new RegExp(`^${pattern.split("*").map(escapeForRegExp).join(".*")}$`);
    const found = names.filter((name) => expression.test(name));
    if (found.length === 0) unmatched.push(pattern);
    return found;
  };
  const wanted = parts.filter((part) => !part.startsWith("!"));
  const selected = new Set(wanted.length === 0 && parts.length > 0 ? names : wanted.flatMap(matching));
  for (const name of parts.filter((part) => part.startsWith("!")).flatMap(matching)) selected.delete(name);
  return { selected: [...selected], unmatched };
}

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
