/**
 * Whether a path (with `/`, relative to where the pattern stands) is named by a pattern, or lies below a folder that is: `*` is any part of a name, `**` any
 * number of folders, `?` one letter, `{a,b}` one of several.
 */
export function matchesGlob(path: string, pattern: string): boolean {
  const source = pattern.replace(/^\.\//, "").replace(/\/$/, "");
  return new RegExp(`^${translate(source)}(/.*)?$`).test(path);
}

function translate(pattern: string): string {
  return pattern.replace(/\*\*\/|\*\*|\*|\?|\{([^{}]*)\}|[^\w/-]/g, (token, choices?: string) => {
    if (token === "**/") return "(?:[^/]+/)*";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (choices !== undefined) return `(?:${choices.split(",").map(translate).join("|")})`;
    return `\\${token}`;
  });
}
