import type { Const, Definition } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import type { ImportedName, LoadedFile } from "../project.ts";
import { type Context, contextWith, report } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { labelCalls } from "./labels.ts";
import { Place } from "./place.ts";
import type { Scope } from "./scope.ts";
import { poison, type StaticValue } from "./value.ts";

/** The scopes of the files of a project, each made on first use. */
export class FileScopes {
  readonly #outer: Scope;
  readonly #scopes = new Map<LoadedFile, FileScope>();
  readonly #prelude: LoadedFile | null;

  constructor(outer: Scope, prelude: LoadedFile | null) {
    this.#outer = outer;
    this.#prelude = prelude;
  }

  of(file: LoadedFile): FileScope {
    const before = this.#scopes.get(file);
    if (before !== undefined) return before;
    const parent = this.#prelude === null || file === this.#prelude ? this.#outer : this.of(this.#prelude);
    const scope = new FileScope(file, parent, this);
    this.#scopes.set(file, scope);
    return scope;
  }
}

/** The definitions, constants and imports of a file, in front of the prelude and the built-in functions. */
export class FileScope implements Scope {
  readonly parent: Scope;
  readonly #files: FileScopes;
  readonly #known = new Map<string, StaticValue | "busy">();
  readonly #items: ReadonlyMap<string, Const | Definition>;
  readonly #imported: ReadonlyMap<string, ImportedName>;
  /** Every name that the file's imports ask for. */
  readonly #asked: ReadonlySet<string>;

  constructor(file: LoadedFile, parent: Scope, files: FileScopes) {
    this.#items = new Map(file.file.items.flatMap((item) => (item.kind === "Model" ? [] : [[item.name.text, item] as const])).reverse());
    this.#imported = new Map(file.imported.map((imported) => [imported.local, imported]));
    this.#asked = new Set(file.file.imports.flatMap((statement) => statement.names.map(({ name, alias }) => (alias ?? name).text)));
    this.parent = parent;
    this.#files = files;
  }

  lookup(name: string, context: Context, span: Span): StaticValue | undefined {
    const known = this.#known.get(name);
    if (known !== undefined && known !== "busy") return known;
    const item = this.#items.get(name);
    if (item === undefined) {
      const imported = this.#imported.get(name);
      if (imported === undefined && this.#asked.has(name)) return poison; // The import failed, and was reported.
      const value =
        imported === undefined
          ? this.parent.lookup(name, context, span)
          : this.#files.of(imported.from).lookup(imported.name, context, span);
      // Further out nothing changes, but for a constant that is being evaluated.
      return value === undefined || value.kind === "poison" ? value : this.#keep(name, value);
    }
    if (item.kind === "Definition") return this.#keep(name, { kind: "function", form: "definition", definition: item, scope: this });
    if (known === "busy") return report(context, "name/recursive", item.name.span, { name });
    this.#known.set(name, "busy");
    return this.#keep(
      name,
      evaluate(
        item.value,
        contextWith(context, { scope: this, place: Place.root.child(name), labels: labelCalls(item.value), frame: null }),
      ),
    );
  }

  #keep(name: string, value: StaticValue): StaticValue {
    this.#known.set(name, value);
    return value;
  }
}
