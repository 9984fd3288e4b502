/** Marks the unit's segment in a path template: what is per task there is found by replacing it. */
const unitMark = "\u0001";

/** The unit (task or group) that a per-unit place is evaluated for. */
export interface Unit {
  readonly task: string | null;
  readonly group: string | null;
}

/** Who has an instance in common, the fewest first. */
const sharings = ["task", "group", "model"] as const;
export type Sharing = (typeof sharings)[number];

/**
 * Where in the source tree of instances something is made: the path that names parameters and nodes, such as `cgc/ctr/W`. Inside something that is
 * per task the path is kept as a template, so that a call `per group` can share its instance among the group's tasks.
 */
export class Place {
  readonly #template: string;
  readonly #unit: Unit | null;
  #path: string | null = null;
  /** What stands in front of a name here. */
  #prefix: string | null = null;
  /** Who has the instance here in common; null outside of anything that is per task or per group. */
  readonly sharing: Sharing | null;

  private constructor(template: string, unit: Unit | null, sharing: Sharing | null) {
    this.#template = template;
    this.#unit = unit;
    this.sharing = sharing;
  }

  static readonly root = new Place("", null, null);

  /** A place below this one. */
  child(segment: string): Place {
    return new Place(this.#template === "" ? segment : `${this.#template}/${segment}`, this.#unit, this.sharing);
  }

  /** The place of one unit below this one. */
  forUnit(unit: Unit): Place {
    return new Place(this.#template === "" ? unitMark : `${this.#template}/${unitMark}`, unit, unit.task === null ? "group" : "task");
  }

  /** Whether what is here may be shared so: by as many as it is now, or by more. */
  canShare(by: Sharing): boolean {
    return this.sharing !== null && sharings.indexOf(by) >= sharings.indexOf(this.sharing);
  }

  /** The place that all units with the same group, or all units, have in common. */
  share(by: Sharing): Place {
    return new Place(this.#template, this.#unit, by);
  }

  get path(): string {
    this.#path ??= this.#makePath();
    return this.#path;
  }

  #makePath(): string {
    if (this.sharing === "model") return this.#template.replace(`/${unitMark}`, "").replace(`${unitMark}/`, "");
    return this.#template.replace(unitMark, (this.sharing === "task" ? this.#unit?.task : this.#unit?.group) ?? "");
  }

  /** The path of a node or parameter here. */
  node(name: string): string {
    this.#prefix ??= this.#template === "" ? "" : `${this.path}/`;
    return this.#prefix + name;
  }
}
