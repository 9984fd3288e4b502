import type { Span } from "../../dsl/source.ts";
import type { Context } from "./context.ts";
import type { StaticValue } from "./value.ts";

/** Names in view: a chain of scopes; a lookup may evaluate lazily. */
export interface Scope {
  readonly parent: Scope | null;
  /** The value of a name declared in this very scope, or undefined; `span` is where it is read. */
  lookup(name: string, context: Context, span: Span): StaticValue | undefined;
}

/** A scope of values that are already known; names may be added while a body is evaluated. */
export class LocalScope implements Scope {
  readonly parent: Scope | null;
  /** Null for none: many a scope gets no names. */
  #values: Map<string, StaticValue> | null = null;

  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  set(name: string, value: StaticValue): void {
    this.#values ??= new Map();
    this.#values.set(name, value);
  }

  lookup(name: string): StaticValue | undefined {
    return this.#values?.get(name);
  }
}

/** Looks a name up through the chain, from the inside out. */
export function lookupName(scope: Scope, name: string, context: Context, span: Span): StaticValue | undefined {
  for (let at: Scope | null = scope; at !== null; at = at.parent) {
    const value = at.lookup(name, context, span);
    if (value !== undefined) return value;
  }
  return undefined;
}
