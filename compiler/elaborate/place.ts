/** Marks the unit's segment in a path template: what is per task there is found by replacing it. */
const unitMark = "\u0001";

/** The unit (task or group) that a per-unit place is evaluated for. */
export interface Unit {
  readonly task: string | null;
  readonly group: string | null;
}

/**
 * Where in the source tree of instances something is made: the path that names parameters and nodes, such as `cgc/ctr/W`. Inside something that is
 * per task the path is kept as a template, so that a call `per group` can share its instance among the group's tasks.
 */
export class Place {
  readonly #template: string;
  readonly #unit: Unit | null;
  #path: string | null = null;
  /** True where several units share this instance. */
  readonly shared: boolean;

  private constructor(template: string, unit: Unit | null, shared: boolean) {
    this.#template = template;
    this.#unit = unit;
    this.shared = shared;
  }

  static readonly root = new Place("", null, false);

  /** A place below this one. */
  child(segment: string): Place {
    return new Place(this.#template === "" ? segment : `${this.#template}/${segment}`, this.#unit, this.shared);
  }

  /** The place of one unit below this one. */
  forUnit(unit: Unit): Place {
    return new Place(this.#template === "" ? unitMark : `${this.#template}/${unitMark}`, unit, this.shared);
  }

  /** True inside something that is per task and not yet shared. */
  get hasUnit(): boolean {
    return this.#template.includes(unitMark);
  }

  /** The place that all units with the same group, or all units, share. */
  share(unit: "task" | "group" | "model"): Place {
    if (unit === "task") return this;
    if (unit === "group") return new Place(this.#template.replace(unitMark, this.#unit?.group ?? ""), this.#unit, true);
    return new Place(this.#template.replace(`/${unitMark}`, "").replace(`${unitMark}/`, ""), this.#unit, true);
  }

  get path(): string {
    this.#path ??= this.#template.replace(unitMark, this.#unit?.task ?? this.#unit?.group ?? "");
    return this.#path;
  }

  /** The path of a node or parameter here. */
  node(name: string): string {
    return this.#template === "" ? name : `${this.path}/${name}`;
  }
}
