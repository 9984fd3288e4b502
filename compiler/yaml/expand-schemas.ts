import type { File, Input, StringLiteral, TensorType } from "../../dsl/ast.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Source } from "../../dsl/source.ts";
import { yamlFinding } from "./catalogue.ts";
import { type FeatureSchema, readFeatureSchema } from "./feature-schema.ts";
import { readYaml, type YamlNode } from "./read.ts";

/**
 * The file with the slices that its feature schemas list in place of `from "..."`: a schema is another notation for slices, whose places are in
 * the YAML text. An input whose schema has a finding is left without a type.
 *
 * @param read  the text at a path as the file writes it; null once reported
 */
export function expandSchemas(file: File, read: (path: StringLiteral) => Source | null, diagnostics: Diagnostic[]): File {
  const roots = new Map<string, YamlNode | null>();
  const rootOf = (path: StringLiteral): YamlNode | null => {
    const before = roots.get(path.value);
    if (before !== undefined) return before;
    const source = read(path);
    const root = source === null ? null : readYaml(source, diagnostics);
    roots.set(path.value, root);
    return root;
  };
  const expand = (input: Input, path: StringLiteral): Input => {
    const root = rootOf(path);
    const schema = root === null ? null : readFeatureSchema(root, input.name, path.value, diagnostics);
    if (schema === null || !agrees(input, schema, diagnostics)) return { ...input, type: null };
    return { ...input, doc: input.doc ?? schema.doc, type: input.type ?? typeOf(schema), slices: schema.slices };
  };
  const items = file.items.map((item) => {
    if (item.kind !== "Model") return item;
    return {
      ...item,
      items: item.items.map((inner) => (inner.kind === "Input" && inner.schema !== null ? expand(inner, inner.schema) : inner)),
    };
  });
  return { ...file, items };
}

/** The element type; the claimed width is proven where slices are laid out. */
function agrees({ name, type }: Input, schema: FeatureSchema, diagnostics: Diagnostic[]): boolean {
  if (type?.kind !== "TensorType" || type.dtype === schema.dtype) return true;
  const note = {
    message: schema.dtypeSpan === null ? "columns without a `dtype` are f32" : "stated here",
    span: schema.dtypeSpan ?? schema.span,
  };
  const values = { input: name.text, stated: type.dtype, found: schema.dtype };
  diagnostics.push(yamlFinding("schema/dtype", type.span, values, { notes: [note] }));
  return false;
}

/** `f32[B, width]`, at the width of the schema. */
function typeOf({ dtype, width, widthSpan }: FeatureSchema): TensorType {
  const span = widthSpan;
  return {
    kind: "TensorType",
    dtype,
    dims: [
      { kind: "DimExpr", value: { kind: "Reference", name: "B", span }, span },
      { kind: "DimExpr", value: { kind: "NumberLiteral", value: width, text: String(width), span }, span },
    ],
    of: null,
    optional: false,
    span,
  };
}
