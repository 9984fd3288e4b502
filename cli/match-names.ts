/** The names that comma-separated patterns match (`*` stands for anything), each once, and the patterns that match none. */
export function matchNames(
  patterns: string,
  names: readonly string[],
): { readonly selected: readonly string[]; readonly unmatched: readonly string[] } {
  const selected = new Set<string>();
  const unmatched: string[] = [];
  for (const pattern of patterns.split(",").map((part) => part.trim())) {
    if (pattern === "") continue;
    const expression = new RegExp(`^${pattern.split("*").map(escapeForRegExp).join(".*")}$`);
    const matching = names.filter((name) => expression.test(name));
    if (matching.length === 0) unmatched.push(pattern);
    for (const name of matching) selected.add(name);
  }
  return { selected: [...selected], unmatched };
}

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
