import type { Slice } from "../../dsl/ast.ts";
import type { FeatureSchema } from "../yaml/feature-schema.ts";
import type { Report, Section } from "./section.ts";

/** The group of a schema whose columns are kept raw; those before it are standardised. */
export const rawGroup = "raw_power_law";

/** A part of the `features` input, as an expression of known width. */
export interface Columns {
  readonly expression: string;
  readonly width: number;
}

/** How the `features` input is declared and what parts of it are called. */
export interface Features {
  /** `input features from "..."`; null where nothing says how wide it is. */
  readonly declaration: string | null;
  /** The standardised columns; null without features. */
  readonly normalized: Columns | null;
  readonly raw: Columns | null;
  /** A group by its path, such as `extended_source.overseas`; null where no schema names it. */
  group(path: string): Columns | null;
  /** Whether a schema gives the groups that are fields of their own. */
  readonly grouped: boolean;
}

/** Features of a schema that is written into the spec as `path`; `stated` is the width that the configuration claims. */
export function featuresOfSchema(schema: FeatureSchema, path: string, stated: number | null): Features {
  const claim = stated === null ? "" : `: f32[B, ${stated}]`;
  const find = (parts: readonly string[], slices: readonly Slice[]): Slice | null => {
    const [first, ...rest] = parts;
    const slice = slices.find(({ name }) => name.text === first) ?? null;
    return slice === null || rest.length === 0 ? slice : find(rest, slice.slices);
  };
  const rawAt = schema.slices.findIndex(({ name }) => name.text === rawGroup);
  const [first, last] = [schema.slices[0], schema.slices[(rawAt < 0 ? schema.slices.length : rawAt) - 1]];
  const width = schema.slices.slice(0, rawAt < 0 ? undefined : rawAt).reduce((sum, slice) => sum + widthOf(slice), 0);
  const raw = rawAt < 0 ? null : (schema.slices[rawAt] ?? null);
  const normalized =
    first === undefined || last === undefined
      ? { expression: "features", width: schema.width }
      : { expression: `features[${first.name.text} .. ${last.name.text}]`, width };
  return {
    declaration: `input features${claim} from ${JSON.stringify(path)}`,
    normalized,
    raw: raw === null ? null : { expression: `features.${rawGroup}`, width: widthOf(raw) },
    group: (name) => {
      const slice = find(name.split("."), schema.slices);
      return slice === null ? null : { expression: `features.${name}`, width: widthOf(slice) };
    },
    grouped: schema.slices.length > 0,
  };
}

/** Features of which the configuration alone knows: `global.input_dim`, the last `shared_experts.raw_scale.input_dim` columns of which are raw. */
export function featuresOfConfig(width: number | null, raw: number | null, experts: Section | null, report: Report): Features {
  const split = width !== null && raw !== null && raw < width ? width - raw : null;
  if (width !== null && raw !== null && raw > width && experts !== null)
    report.conflict(experts.span, `raw_scale reads ${raw} columns and \`global.input_dim\` is ${width}`);
  return {
    declaration: width === null ? null : `input features: f32[B, ${width}]`,
    normalized:
      width === null ? null : split === null ? { expression: "features", width } : { expression: `features[:, 0:${split}]`, width: split },
    raw: width === null || split === null || raw === null ? null : { expression: `features[:, ${split}:${width}]`, width: raw },
    group: () => null,
    grouped: false,
  };
}

const widthOf = (slice: Slice): number => (slice.width.kind === "NumberLiteral" ? slice.width.value : 0);
