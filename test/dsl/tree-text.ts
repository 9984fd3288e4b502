import type { Block, Call, Dim, Expr, Index, Node, Type } from "../../dsl/ast.ts";

/** Trees as short texts, written here a second time so that a test does not compare the parser with the printer. */
export function exprText(expr: Expr): string {
  switch (expr.kind) {
    case "NumberLiteral":
      return expr.text;
    case "StringLiteral":
      return JSON.stringify(expr.value);
    case "BooleanLiteral":
      return String(expr.value);
    case "NoneLiteral":
      return "none";
    case "Reference":
      return expr.name === "" ? "<missing>" : expr.name;
    case "ListLiteral":
      return `[${expr.items.map(exprText).join(" ")}]`;
    case "Comprehension": {
      const clauses = expr.clauses.map(({ name, index, over, condition }) => {
        const names = index === null ? name.text : `${name.text},${index.text}`;
        return `(for ${names} ${exprText(over)}${condition === null ? "" : ` if ${exprText(condition)}`})`;
      });
      return `[${exprText(expr.value)} ${clauses.join(" ")}]`;
    }
    case "RecordLiteral":
      return `{${expr.fields.map(({ name, value }) => `${name.text}:${exprText(value)}`).join(" ")}}`;
    case "Member":
      return `(. ${exprText(expr.object)} ${expr.name.text})`;
    case "Call":
      return callText(expr);
    case "Subscript":
      return `(at ${exprText(expr.object)} ${expr.indices.map(indexText).join(" ")})`;
    case "Unary":
      return `(${expr.op} ${exprText(expr.operand)})`;
    case "Binary":
      return `(${expr.op} ${exprText(expr.left)} ${exprText(expr.right)})`;
    case "Pipe":
      return `(|> ${exprText(expr.left)} ${expr.stages.map(callText).join(" ")})`;
    case "Conditional":
      return `(if ${exprText(expr.condition)} ${exprText(expr.then)} ${exprText(expr.otherwise)})`;
    case "Lambda":
      return `(fn [${expr.parameters.map(({ text }) => text).join(" ")}] ${expr.body.kind === "Block" ? blockText(expr.body) : exprText(expr.body)})`;
    case "Paren":
      return `(paren ${exprText(expr.inner)})`;
  }
}

function callText({ callee, arguments: args, per, parenthesised }: Call): string {
  const values = args.map(({ name, value }) => (name === null ? exprText(value) : `${name.text}:${exprText(value)}`));
  const call = parenthesised ? `(call ${[exprText(callee), ...values].join(" ")})` : `(bare ${exprText(callee)})`;
  return per === null ? call : `(per ${per.unit} ${call})`;
}

function indexText(index: Index): string {
  switch (index.kind) {
    case "IndexRest":
      return "..";
    case "IndexRange":
      return `${exprText(index.from)}..${exprText(index.to)}`;
    case "IndexSlice":
      return `${index.start === null ? "" : exprText(index.start)}:${index.stop === null ? "" : exprText(index.stop)}`;
    case "IndexExpr":
      return exprText(index.value);
  }
}

export function typeText(type: Type): string {
  const optional = type.optional ? "?" : "";
  switch (type.kind) {
    case "TensorType":
      return `${type.dtype}[${type.dims.map(dimText).join(" ")}]${type.of === null ? "" : ` of ${exprText(type.of)}`}${optional}`;
    case "ListType":
      return `[${typeText(type.element)}]${optional}`;
    case "EnumType":
      return `${type.values.map(({ value }) => value).join("|")}${optional}`;
    case "NamedType":
      return `${type.name.text}${optional}`;
  }
}

function dimText(dim: Dim): string {
  return dim.kind === "DimRest" ? ".." : dim.kind === "DimAny" ? "_" : exprText(dim.value);
}

export const blockText = (block: Block): string => `{${block.statements.map(partText).join("; ")}}`;

const claim = (type: Type | null): string => (type === null ? "" : `:${typeText(type)}`);
const perText = (per: { readonly unit: string } | null): string => (per === null ? "" : ` per-${per.unit}`);

/** An item, a statement or a top-level definition. */
export function partText(node: Node): string {
  switch (node.kind) {
    case "Const":
      return `const ${node.name.text} = ${exprText(node.value)}`;
    case "Let":
      return `let ${node.names.map(({ text }) => text).join(",")}${perText(node.per)}${claim(node.type)} = ${exprText(node.value)}`;
    case "Param":
      return `param ${node.name.text}${claim(node.type)} = ${exprText(node.initial)}${node.tags === null ? "" : ` ${exprText(node.tags)}`}`;
    case "Output":
      return `output ${node.name.text}${perText(node.per)}${claim(node.type)} = ${exprText(node.value)}`;
    case "Penalty":
      return `penalty ${node.name.text}${perText(node.per)} = ${exprText(node.value)}`;
    case "Require":
      return `require ${exprText(node.condition)} ${JSON.stringify(node.message.value)}`;
    case "Return":
      return `return ${exprText(node.value)}`;
    case "Definition": {
      const parameters = node.parameters.map(
        ({ name, type, defaultValue }) => `${name.text}:${typeText(type)}${defaultValue === null ? "" : `=${exprText(defaultValue)}`}`,
      );
      const fits = node.fits.length === 0 ? "" : ` for ${node.fits.map(({ text }) => text).join("|")}`;
      const result = node.result === null ? "" : ` -> ${typeText(node.result)}`;
      return `${node.role} ${node.name.text}(${parameters.join(" ")})${result}${fits} ${blockText(node.body)}`;
    }
    case "Model":
      return `model ${node.name.text} {${node.items.map(partText).join("; ")}}`;
    case "DimDeclaration":
      return `dim ${node.name.text}`;
    case "Input": {
      const value = node.defaultValue === null ? "" : ` = ${exprText(node.defaultValue)}`;
      return `input ${node.name.text}${claim(node.type)}${value}${slicesText(node.slices)}`;
    }
    case "Bank": {
      const entries = node.entries.map(
        ({ name, count, type, value }) => `${name.text}${count === null ? "" : `[${exprText(count)}]`}${claim(type)} = ${exprText(value)}`,
      );
      return `${node.role} ${node.name.text}${perText(node.per)} {${entries.join("; ")}}`;
    }
    case "Group":
      return `group ${node.name.text}${node.settings === null ? "" : ` ${exprText(node.settings)}`}`;
    case "Task": {
      const kind = `${node.taskKind.text}${node.width === null ? "" : `(${exprText(node.width)})`}`;
      return `task ${node.name.text}${node.group === null ? "" : ` in ${node.group.text}`}:${kind}${node.settings === null ? "" : ` ${exprText(node.settings)}`}`;
    }
    case "Transfer":
      return `transfer ${node.from.text}->${node.to.text} = ${exprText(node.value)}`;
    case "Flow":
      return `flow${perText(node.per)}${node.task === null ? "" : ` ${node.task.text}`} ${blockText(node.body)}`;
    case "Train":
      return `train ${exprText(node.settings)}`;
    default:
      throw new Error(`no text for ${node.kind}`);
  }
}

const slicesText = (slices: Extract<Node, { kind: "Input" }>["slices"]): string =>
  slices.length === 0
    ? ""
    : ` {${slices.map(({ name, width, slices: inner }) => `${name.text}:${exprText(width)}${slicesText(inner)}`).join(" ")}}`;
