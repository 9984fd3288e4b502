import type { Bank, Entry, Let, Task } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { type Declarations, type NamedItem, settingOf } from "../check/declarations.ts";
import { type Dim, dimsEqual, symbolDim } from "../ir/dim.ts";
import { claim, takeApart } from "./body.ts";
import { type Context, contextWith, report } from "./context.ts";
import { toInteger } from "./dims.ts";
import { evaluate } from "./evaluate.ts";
import { type DeclaredInput, declareInput } from "./inputs.ts";
import { labelCalls } from "./labels.ts";
import { joinBanks } from "./operators.ts";
import { declareParam } from "./params.ts";
import { Place } from "./place.ts";
import { lookupName, type Scope } from "./scope.ts";
import { shapeOf } from "./tensors.ts";
import {
  describe,
  listValue,
  numberValue,
  poison,
  type RecordValue,
  recordValue,
  type StaticValue,
  stringValue,
  type TensorValue,
  textField,
  withSpan,
} from "./value.ts";

/** An entry of a bank once evaluated, for summaries and for the check of unused experts. */
export interface EvaluatedEntry {
  readonly bank: Bank;
  readonly entry: Entry;
  readonly name: string;
  readonly unit: string | null;
  /** What the names of its parameters begin with: `shared/perslay`. */
  readonly path: string;
  readonly tensor: TensorValue;
}

/** The unit records that per-task and per-group places see. */
export interface Units {
  readonly task: ReadonlyMap<string, RecordValue>;
  readonly group: ReadonlyMap<string, RecordValue>;
}

const batch = symbolDim("B");

/** Instances of one entry beyond this are typing mistakes. */
export const largestBank = 10_000;

/** The names of a model. Each is evaluated on first use, once for each unit that it is per. */
export class ModelScope implements Scope {
  readonly parent: Scope;
  readonly inputs = new Map<string, DeclaredInput>();
  readonly entries: EvaluatedEntry[] = [];
  readonly #declarations: Declarations;
  readonly #units: Units;
  readonly #base: Context;
  readonly #values = new Map<string, StaticValue | "busy">();

  constructor(parent: Scope, declarations: Declarations, units: Units, base: Omit<Context, "scope">) {
    this.parent = parent;
    this.#declarations = declarations;
    this.#units = units;
    this.#base = { ...base, scope: this };
  }

  /** The context of model-level expressions, for one unit or none. */
  contextFor(unit: { readonly task: RecordValue | null; readonly group: RecordValue | null } = { task: null, group: null }): Context {
    return contextWith(this.#base, unit);
  }

  lookup(name: string, context: Context, span: Span): StaticValue | undefined {
    const item = this.#declarations.named.get(name);
    if (item !== undefined) return this.#valueIn(name, item, context, span);
    if (name === "B") return numberValue(batch);
    if (name === "tasks") return listValue([...this.#units.task.keys()].map(stringValue));
    if (name === "task" || name === "group") return context[name] ?? report(context, "per/outside", span, { name, unit: name });
    return undefined;
  }

  /** `all(name)`: the record of a per-task (or per-group) value over its units; for banks, all in one; for routes, the whole bank. */
  all(name: string, span: Span, context: Context): StaticValue {
    const item = this.#declarations.named.get(name);
    const per = item === undefined ? null : unitOf(item);
    if (item?.kind === "Bank" && item.role === "routes" && per === null) return this.#evaluateFor(name, item, null, context);
    if (item === undefined && lookupName(this, name, context, span) === undefined) return poison; // Reported when names were resolved.
    if (item === undefined || per === null) {
      return report(context, "type/mismatch", span, {
        what: "the argument of `all`",
        expected: "a name that is per task or per group",
        found: `\`${name}\``,
      });
    }
    const values = [...this.#units[per]].map(
      ([unit, record]) => [unit, this.#evaluateFor(name, item, { per, unit, record }, context)] as const,
    );
    if (values.some(([, value]) => value.kind === "poison")) return poison;
    const banks = values.map(([unit, value]) => (value.kind === "record" ? { ...value, title: `bank ${unit}` } : null));
    if (item.kind === "Bank") return joinBanks(banks.filter((bank) => bank !== null));
    return recordValue(`all(${name})`, new Map(values));
  }

  /** Evaluates everything once, in order of declaration, so that unread items are checked too. */
  evaluateAll(): void {
    for (const [name, item] of this.#declarations.named) {
      const per = unitOf(item);
      if (per === null) this.#evaluateFor(name, item, null, this.#base);
      else for (const [unit, record] of this.#units[per]) this.#evaluateFor(name, item, { per, unit, record }, this.#base);
    }
  }

  #valueIn(name: string, item: NamedItem, context: Context, span: Span): StaticValue {
    const per = unitOf(item);
    if (per === null) {
      const value = this.#evaluateFor(name, item, null, context);
      return item.kind === "Bank" && item.role === "routes" && context.task !== null ? this.#route(value, context) : value;
    }
    const record = context[per];
    const unit = record === null ? null : textField(record, "name");
    if (record === null || unit === null) {
      return report(
        context,
        "per/outside",
        span,
        { name, unit: per },
        { notes: [{ message: `\`${name}\` is declared per ${per} here`, span: declaredAt(item) }] },
      );
    }
    return this.#evaluateFor(name, item, { per, unit, record }, context);
  }

  /** A task's entry of a `routes` bank. */
  #route(value: StaticValue, context: Context): StaticValue {
    if (value.kind !== "record" || context.task === null) return value;
    const task = this.#declarations.tasks.get(textField(context.task, "name") ?? "");
    for (const route of task === undefined ? [] : routesOf(task, this.#declarations)) {
      const entry = value.fields.get(route.name);
      if (entry !== undefined) return entry;
    }
    return poison; // Tasks without a route are reported once for the model.
  }

  #evaluateFor(name: string, item: NamedItem, unit: EvaluationUnit | null, context: Context): StaticValue {
    const key = unit === null ? name : `${name} ${unit.unit}`;
    const known = this.#values.get(key);
    if (known === "busy") return report(context, "name/recursive", declaredAt(item), { name });
    if (known !== undefined) return known;
    this.#values.set(key, "busy");
    const group = unit === null ? null : unit.per === "group" ? unit.record : groupRecord(unit.record);
    const inner = this.contextFor({ task: unit?.per === "task" ? unit.record : null, group });
    if (item.kind === "Let") {
      for (const [part, value] of this.#evaluateLet(item, unit, inner))
        this.#values.set(unit === null ? part : `${part} ${unit.unit}`, value);
    } else this.#values.set(key, this.#evaluateItem(item, unit, inner));
    return this.#values.get(key) as StaticValue;
  }

  #evaluateItem(item: Exclude<NamedItem, Let>, unit: EvaluationUnit | null, context: Context): StaticValue {
    switch (item.kind) {
      case "Const":
        return evaluate(item.value, contextWith(context, { labels: labelCalls(item.value) }));
      case "DimDeclaration":
        return numberValue(symbolDim(item.name.text));
      case "Input": {
        const declared = declareInput(item, contextWith(context, { labels: labelCalls(item.defaultValue ?? noCalls) }));
        this.inputs.set(item.name.text, declared);
        return declared.tensor;
      }
      case "Param":
        return declareParam(item, contextWith(context, { labels: labelCalls(item.initial) }));
      case "Bank":
        return this.#evaluateBank(item, unit, context);
    }
  }

  #evaluateLet(item: Let, unit: EvaluationUnit | null, context: Context): readonly (readonly [string, StaticValue])[] {
    const name = item.names[0]?.text ?? "";
    const inner = contextWith(context, { place: placeOf(name, unit), labels: labelCalls(item.value) });
    return takeApart(item, claim(item.type, evaluate(item.value, inner), name, item.value.span, this, inner), inner);
  }

  #evaluateBank(bank: Bank, unit: EvaluationUnit | null, context: Context): StaticValue {
    const place = placeOf(bank.name.text, unit);
    const fields = new Map<string, StaticValue>();
    const spans = new Map<string, Span>();
    for (const entry of bank.entries) {
      for (const name of this.#entryNames(entry, context)) {
        const before = spans.get(name);
        if (before !== undefined)
          report(context, "name/duplicate", entry.name.span, { name }, { notes: [{ message: "declared here first", span: before }] });
        spans.set(name, before ?? entry.name.span);
        fields.set(
          name,
          this.#evaluateEntry(bank, entry, name, unit, contextWith(context, { place: place.child(name), labels: labelCalls(entry.value) })),
        );
      }
    }
    // A wrong entry, or none, was reported; the bank without it would only bring findings that follow from that.
    return fields.size === 0 || [...fields.values()].some((value) => value.kind === "poison")
      ? poison
      : recordValue(`bank ${bank.name.text}`, fields);
  }

  #entryNames(entry: Entry, context: Context): readonly string[] {
    if (entry.count === null) return [entry.name.text];
    const count = toInteger(evaluate(entry.count, context), entry.count.span, "the number of instances", context);
    if (count === null) return [];
    if (count < 1 || count > largestBank) {
      report(context, "type/range", entry.count.span, { message: `a bank entry has 1 to ${largestBank} instances, not ${count}` });
      return [];
    }
    return Array.from({ length: count }, (_, i) => `${entry.name.text}_${i}`);
  }

  #evaluateEntry(bank: Bank, entry: Entry, name: string, unit: EvaluationUnit | null, context: Context): StaticValue {
    const value = claim(entry.type, evaluate(entry.value, context), name, entry.value.span, this, context);
    if (value.kind === "poison") return poison;
    if (value.kind !== "tensor" || shapeOf(value).length < 2 || !dimsEqual(shapeOf(value)[0] as Dim, batch)) {
      return report(context, "bank/entry", entry.value.span, { name, bank: bank.name.text, found: describe(value) });
    }
    const role = value.made?.role;
    if (bank.role === "experts" && role !== undefined && role !== "expert" && role !== "module") {
      return report(context, "role/mismatch", entry.value.span, {
        name: value.made?.name.text ?? "",
        found: role,
        place: "a bank of experts",
        expected: "an expert",
      });
    }
    this.entries.push({ bank, entry, name, unit: unit?.unit ?? null, path: context.place.path, tensor: value });
    return withSpan(value, entry.name.span);
  }
}

interface EvaluationUnit {
  readonly per: "task" | "group";
  readonly unit: string;
  readonly record: RecordValue;
}

function declaredAt(item: NamedItem): Span {
  return item.kind === "Let" ? (item.names[0]?.span ?? item.span) : item.name.span;
}

const noCalls = { kind: "NoneLiteral" } as never;

/** What an item is per, or null when it exists once. */
export function unitOf(item: NamedItem): "task" | "group" | null {
  if (item.kind !== "Let" && item.kind !== "Bank") return null;
  return item.per === null || item.per.unit === "model" ? null : item.per.unit;
}

/** The place of a model-level item for a unit. */
export function placeOf(
  name: string,
  unit: { readonly per: "task" | "group"; readonly unit: string; readonly record: RecordValue } | null,
): Place {
  const place = Place.root.child(name);
  if (unit === null) return place;
  if (unit.per === "group") return place.forUnit({ task: null, group: unit.unit });
  const group = groupRecord(unit.record);
  return place.forUnit({ task: unit.unit, group: group === null ? null : textField(group, "name") });
}

export function groupRecord(task: RecordValue): RecordValue | null {
  const group = task.fields.get("group");
  return group?.kind === "record" ? group : null;
}

/** The routes that a task names, its own before its group's. */
export function routesOf(task: Task, declarations: Declarations): readonly { readonly name: string; readonly span: Span }[] {
  const group = task.group === null ? undefined : declarations.groups.get(task.group.text);
  return [settingOf(task.settings, "route"), settingOf(group?.settings ?? null, "route")].flatMap((setting) => {
    if (setting?.kind === "Reference") return [{ name: setting.name, span: setting.span }];
    if (setting?.kind === "ListLiteral")
      return setting.items.flatMap((item) => (item.kind === "Reference" ? [{ name: item.name, span: item.span }] : []));
    return [];
  });
}
