import type { Const } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { findDefinition, type LoadedFile } from "../project.ts";
import { report, type Context } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { labelCalls } from "./labels.ts";
import { Place } from "./place.ts";
import type { Scope } from "./scope.ts";
import type { StaticValue } from "./value.ts";

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
  readonly #file: LoadedFile;
  readonly #files: FileScopes;
  readonly #known = new Map<string, StaticValue | "busy">();

  constructor(file: LoadedFile, parent: Scope, files: FileScopes) {
    this.#file = file;
    this.parent = parent;
    this.#files = files;
  }

  lookup(name: string, context: Context, span: Span): StaticValue | undefined {
    const known = this.#known.get(name);
    if (known !== undefined && known !== "busy") return known;
    const definition = findDefinition(this.#file.file, name);
    if (definition !== undefined) return this.#keep(name, { kind: "function", form: "definition", definition, scope: this });
    const constant = this.#file.file.items.find((item): item is Const => item.kind === "Const" && item.name.text === name);
    if (constant !== undefined) {
      if (known === "busy") return report(context, "name/recursive", constant.name.span, { name });
      this.#known.set(name, "busy");
      return this.#keep(name, evaluate(constant.value, { ...context, scope: this, place: Place.root.child(name), labels: labelCalls(constant.value), frame: null }));
    }
    const imported = this.#file.imported.find((candidate) => candidate.local === name);
    return imported === undefined ? undefined : this.#files.of(imported.from).lookup(imported.name, context, span);
  }

  #keep(name: string, value: StaticValue): StaticValue {
    this.#known.set(name, value);
    return value;
  }
}
