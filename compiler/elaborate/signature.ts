import type { TensorType, Value } from "../ir/graph.ts";
import type { DefinitionFunction, RecordValue, SliceOf, StaticValue, TensorValue } from "./value.ts";

/** Values are looked through down to so many parts: a record of records may hold the same one any number of times. */
export class Patience {
  #left = 10_000;

  /** Looks at one more part; false when that is too many. */
  look(): boolean {
    this.#left -= 1;
    return this.#left >= 0;
  }
}

/**
 * What evaluation can see of some values: of tensors their types and names, and which of them are the same, but not which they are. With equal texts, a
 * body does the same steps.
 */
export class Signature {
  /** The tensors, in order of first occurrence; null once a value has no signature. */
  #tensors: Map<Value, number> | null = new Map();
  /** The tensors as they stand in the values, one by one. */
  readonly given: TensorValue[] = [];
  readonly #patience = new Patience();
  readonly #text: string;

  constructor(callee: DefinitionFunction | null, values: readonly ({ readonly value: StaticValue } | undefined)[]) {
    let text = callee === null ? "" : this.#describe(callee);
    for (let i = 0; i < values.length; i += 1) text += ` ${this.#describe(values[i]?.value)}`;
    this.#text = text;
  }

  /** Null when a value, such as a lambda with all that it sees, has none, or would have too long a one. */
  get text(): string | null {
    return this.#tensors === null ? null : this.#text;
  }

  get tensors(): readonly Value[] {
    return [...(this.#tensors?.keys() ?? [])];
  }

  #describe(value: StaticValue | undefined): string {
    if (this.#tensors === null || !this.#patience.look()) return this.#giveUp();
    switch (value?.kind) {
      case undefined:
        return "-";
      case "tensor":
        return this.#describeTensor(value);
      case "number":
        return `${value.value}`;
      case "string":
        return quote(value.value);
      case "boolean":
      case "none":
        return value.kind === "none" ? "none" : `${value.value}`;
      case "list": {
        let text = "[";
        for (let i = 0; i < value.items.length; i += 1) text += ` ${this.#describe(value.items[i])}`;
        return `${text}]`;
      }
      case "record":
        // What is read of a watched record is compared by itself.
        if (value.fields instanceof WatchedFields) return "record";
        return `{${quote(value.title)}${this.#describeAll(value.fields)}}`;
      case "function":
        if (value.form === "lambda") return this.#giveUp();
        return `f${identify(value.form === "definition" ? value.definition : value.builtin)}`;
      case "poison":
        return this.#giveUp();
    }
  }

  #describeAll(values: ReadonlyMap<string, StaticValue>): string {
    let text = "";
    for (const [name, value] of values) text += ` ${quote(name)}=${this.#describe(value)}`;
    return text;
  }

  #giveUp(): string {
    this.#tensors = null;
    return "";
  }

  #describeTensor(tensor: TensorValue): string {
    const { value, stretch, slices, vocabulary, members, made } = tensor;
    this.given.push(tensor);
    const known = this.#tensors?.get(value);
    const position = known ?? this.#tensors?.size ?? 0;
    if (known === undefined) this.#tensors?.set(value, position);
    let text = `#${position}`;
    if (known === undefined) text += describeType(value.type);
    if (stretch !== null) text += `~${[...stretch].join(",")}`;
    if (slices !== null) text += describeSlices(slices);
    if (vocabulary !== null) text += `<${vocabulary}`;
    if (made !== null) text += `f${identify(made)}`;
    if (members !== null) text += `(${this.#describeAll(members)})`;
    return text;
  }
}

/** A text that ends where its length says: nothing else can look like it. */
function quote(text: string): string {
  return `${text.length}"${text}`;
}

const describedTypes = new WeakMap<TensorType, string>();

function describeType(type: TensorType): string {
  let text = describedTypes.get(type);
  if (text === undefined) {
    text = `${type.dtype}[${type.shape.join(",")}]`;
    describedTypes.set(type, text);
  }
  return text;
}

const identities = new WeakMap<object, number>();
let identified = 0;

function identify(object: object): number {
  const known = identities.get(object);
  if (known !== undefined) return known;
  identities.set(object, ++identified);
  return identified;
}

const describedSlices = new WeakMap<readonly SliceOf[], string>();

function describeSlices(slices: readonly SliceOf[]): string {
  const known = describedSlices.get(slices);
  if (known !== undefined) return known;
  const parts = slices.map(
    ({ name, start, width, column, slices: inner }) => `${quote(name)}:${start}+${width}${column ? "!" : ""}${describeSlices(inner)}`,
  );
  const text = `(${parts.join(" ")})`;
  describedSlices.set(slices, text);
  return text;
}

/** Something that was read of a record without tensors: one field, or null for all of it. */
interface Read {
  readonly path: readonly string[];
  readonly field: string | null;
  /** Null for what is equal to nothing. */
  readonly found: string | null;
}

/** What a body has read of its arguments that are records without tensors, such as the record of a task. */
export class Reads {
  readonly #reads: Read[] = [];
  readonly #noted = new Set<string>();

  /** The argument as it is to be given to the body. */
  watch(value: StaticValue, path: readonly string[]): StaticValue {
    if (value.kind !== "record" || !isWithoutTensors(value, new Patience())) return value;
    return { ...value, fields: new WatchedFields(value, path, this) };
  }

  note(record: RecordValue, path: readonly string[], field: string | null): void {
    const key = JSON.stringify([path, field]);
    if (this.#noted.has(key)) return;
    this.#noted.add(key);
    this.#reads.push({ path, field, found: found(record, field) });
  }

  /** Whether the same would be read of other arguments. */
  holdFor(values: readonly ({ readonly value: StaticValue } | undefined)[]): boolean {
    return this.#reads.every(({ path: [first, ...rest], field, found: before }) => {
      let at = values[Number(first)]?.value;
      for (const name of rest) at = at?.kind === "record" ? at.fields.get(name) : undefined;
      return before !== null && at?.kind === "record" && found(at, field) === before;
    });
  }
}

/** Of a record in a record only that it is there: what is read of it is noted by itself. */
function found(record: RecordValue, field: string | null): string | null {
  if (field === null) return new Signature(null, [{ value: { ...record, fields: new Map(record.fields) } }]).text;
  const value = record.fields.get(field);
  return value?.kind === "record" ? "record" : new Signature(null, [value && { value }]).text;
}

function isWithoutTensors(value: StaticValue, patience: Patience): boolean {
  if (!patience.look()) return false;
  switch (value.kind) {
    case "record":
      return value.fields instanceof WatchedFields || [...value.fields.values()].every((field) => isWithoutTensors(field, patience));
    case "list":
      return value.items.every((item) => isWithoutTensors(item, patience));
    case "function":
      return value.form !== "lambda";
    default:
      return value.kind !== "tensor" && value.kind !== "poison";
  }
}

/** The fields of a record, which note what is read of them. */
export class WatchedFields implements ReadonlyMap<string, StaticValue> {
  readonly #record: RecordValue;
  readonly #path: readonly string[];
  readonly #reads: Reads;

  constructor(record: RecordValue, path: readonly string[], reads: Reads) {
    this.#record = record;
    this.#path = path;
    this.#reads = reads;
  }

  get(name: string): StaticValue | undefined {
    this.#reads.note(this.#record, this.#path, name);
    const value = this.#record.fields.get(name);
    return value && this.#reads.watch(value, [...this.#path, name]);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  get size(): number {
    return this.#all.size;
  }

  forEach(visit: (value: StaticValue, name: string, fields: ReadonlyMap<string, StaticValue>) => void): void {
    this.#all.forEach(visit);
  }

  entries(): MapIterator<[string, StaticValue]> {
    return this.#all.entries();
  }

  keys(): MapIterator<string> {
    return this.#all.keys();
  }

  values(): MapIterator<StaticValue> {
    return this.#all.values();
  }

  [Symbol.iterator](): MapIterator<[string, StaticValue]> {
    return this.entries();
  }

  get #all(): ReadonlyMap<string, StaticValue> {
    this.#reads.note(this.#record, this.#path, null);
    return this.#record.fields;
  }
}
