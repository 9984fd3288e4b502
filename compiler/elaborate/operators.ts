import type { Binary, BinaryOp, Unary } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { addDims, type Dim, dimsEqual, divideDims, formatDim, multiplyDims, scaleDim, subtractDims } from "../ir/dim.ts";
import { type Context, limits, report } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { dtypeOf, makeTensor, shapeOf, toTensor } from "./tensors.ts";
import {
  booleanValue,
  describe,
  formatTensorType,
  itemsOf,
  lengthOf,
  listValue,
  numberValue,
  poison,
  type RecordValue,
  recordValue,
  type StaticValue,
  type TensorValue,
  withSpan,
} from "./value.ts";

const tensorOps = {
  "+": "add",
  "-": "sub",
  "*": "mul",
  "/": "div",
  "^": "pow",
  "==": "eq",
  "!=": "ne",
  "<": "lt",
  "<=": "le",
  ">": "gt",
  ">=": "ge",
  and: "and",
  or: "or",
} as const;

/** `a op b`; chains of the same level are evaluated without recursion on the left. */
export function evaluateBinary(node: Binary, context: Context): StaticValue {
  const pending: Binary[] = [node];
  let leftmost = node.left;
  while (leftmost.kind === "Binary") {
    pending.push(leftmost);
    leftmost = leftmost.left;
  }
  let value = evaluate(leftmost, context);
  let span = leftmost.span;
  for (let i = pending.length - 1; i >= 0; i -= 1) {
    const step = pending[i] as Binary;
    value = applyStep(step, value, span, context);
    span = step.span;
  }
  return value;
}

function applyStep(step: Binary, left: StaticValue, leftSpan: Span, context: Context): StaticValue {
  // Static `and` and `or` leave the right side alone once decided.
  if (left.kind === "boolean" && (step.op === "and" || step.op === "or")) {
    if (left.value === (step.op === "or")) return left;
    const right = evaluate(step.right, context);
    return right.kind === "boolean" || right.kind === "poison" ? right : reportOperands(step.op, left, right, step.span, context);
  }
  return applyBinary(step.op, left, evaluate(step.right, context), step.span, leftSpan, step.right.span, context);
}

/** Applies an operator to values. */
export function applyBinary(
  op: BinaryOp,
  left: StaticValue,
  right: StaticValue,
  span: Span,
  leftSpan: Span,
  rightSpan: Span,
  context: Context,
): StaticValue {
  if (left.kind === "poison" || right.kind === "poison") return poison;
  if (!context.session.spend(span, lengthOf(left) + lengthOf(right))) return poison;
  if (op === "++") return joinLists(left, right, span, context);
  if (op === "in") return isMember(left, right, span, context);
  if (op === "@") return multiplyMatrices(left, right, span, leftSpan, rightSpan, context);
  if (left.kind === "tensor" || right.kind === "tensor") return applyElementwise(op, left, right, span, leftSpan, rightSpan, context);
  if (left.kind === "number" && right.kind === "number") return applyToNumbers(op, left.value, right.value, span, context);
  if (op === "==" || op === "!=") return booleanValue(staticEqual(left, right) === (op === "=="));
  return reportOperands(op, left, right, span, context);
}

function reportOperands(op: BinaryOp, left: StaticValue, right: StaticValue, span: Span, context: Context): StaticValue {
  return report(context, "type/mismatch", span, {
    what: `the operands of \`${op}\``,
    expected: "values of one fitting kind",
    found: `${describe(left)} and ${describe(right)}`,
  });
}

function staticEqual(left: StaticValue, right: StaticValue): boolean {
  if (left.kind !== right.kind) return false;
  if (left.kind === "number" && right.kind === "number") return dimsEqual(left.value, right.value);
  if ("value" in left && "value" in right) return left.value === right.value;
  return left.kind === "none" || left === right;
}

function joinLists(left: StaticValue, right: StaticValue, span: Span, context: Context): StaticValue {
  const [a, b] = [itemsOf(left), itemsOf(right)];
  if (a === null || b === null) return reportOperands("++", left, right, span, context);
  if (left.kind === "record" && right.kind === "record") return joinBanks([left, right]);
  return listValue([...a, ...b]);
}

/** One bank of several; a name that stands in two of them gets the bank's in front. */
export function joinBanks(banks: readonly RecordValue[]): RecordValue {
  const fields = new Map<string, StaticValue>();
  const last = new Map<string, number>();
  for (const bank of banks) {
    for (const [name, value] of bank.fields) {
      const base = fields.has(name) ? `${bank.title.replace(/^.* /, "")}.${name}` : name;
      let n = last.get(base) ?? 1;
      while (fields.has(n === 1 ? base : `${base}_${n}`)) n += 1;
      last.set(base, n);
      fields.set(n === 1 ? base : `${base}_${n}`, value);
    }
  }
  return recordValue("a joined bank", fields);
}

function isMember(left: StaticValue, right: StaticValue, span: Span, context: Context): StaticValue {
  const items = itemsOf(right);
  if (items === null) return reportOperands("in", left, right, span, context);
  return booleanValue(items.some((item) => staticEqual(left, item)));
}

function applyToNumbers(op: BinaryOp, a: Dim, b: Dim, span: Span, context: Context): StaticValue {
  switch (op) {
    case "+":
      return dimValue(addDims(a, b), span, context);
    case "-":
      return dimValue(subtractDims(a, b), span, context);
    case "*":
      return dimValue(multiplyDims(a, b), span, context);
    case "/": {
      if (b === 0) return report(context, "type/range", span, { message: `${formatDim(a)} / 0 has no value` });
      const exact = divideDims(a, b);
      if (exact !== null) return dimValue(exact, span, context);
      if (typeof a === "number" && typeof b === "number") return numberValue(a / b);
      return report(context, "dim/not-divisible", span, { dividend: formatDim(a), divisor: formatDim(b) });
    }
    case "==":
    case "!=":
      // What holds for no symbol may hold for a number.
      if (context.session.generic && !dimsEqual(a, b) && (typeof a !== "number" || typeof b !== "number")) context.session.undecided = true;
      return booleanValue(dimsEqual(a, b) === (op === "=="));
  }
  if (typeof a !== "number" || typeof b !== "number") {
    if (op === "^" && typeof b === "number" && Number.isInteger(b) && b >= 0 && b <= 8) {
      let power: StaticValue = numberValue(1);
      for (let i = 0; i < b && power.kind === "number"; i++) power = dimValue(multiplyDims(power.value, a), span, context);
      return power;
    }
    return report(context, "type/not-static", span, { what: `the operands of \`${op}\``, found: `${formatDim(a)} and ${formatDim(b)}` });
  }
  switch (op) {
    case "^":
      return numberValue(a ** b);
    case "<":
      return booleanValue(a < b);
    case "<=":
      return booleanValue(a <= b);
    case ">":
      return booleanValue(a > b);
    case ">=":
      return booleanValue(a >= b);
    default:
      return reportOperands(op, numberValue(a), numberValue(b), span, context);
  }
}

/** A dim whose polynomial stays small enough to be computed with and to be read. */
function dimValue(dim: Dim, span: Span, context: Context): StaticValue {
  if (typeof dim === "number") return numberValue(dim);
  if (dim.terms.some((term) => !Number.isSafeInteger(term.coefficient)))
    return report(context, "dim/not-a-dim", span, { least: 0, found: formatDim(dim) });
  const degree = Math.max(...dim.terms.map((term) => term.symbols.length));
  if (degree > limits.dimDegree) return report(context, "call/limit", span, { what: `a dim of degree ${degree}`, limit: limits.dimDegree });
  if (dim.terms.length > limits.dimTerms)
    return report(context, "call/limit", span, { what: `a dim of ${dim.terms.length} terms`, limit: limits.dimTerms });
  return numberValue(dim);
}

function multiplyMatrices(
  left: StaticValue,
  right: StaticValue,
  span: Span,
  leftSpan: Span,
  rightSpan: Span,
  context: Context,
): StaticValue {
  if (left.kind !== "tensor" || right.kind !== "tensor") return reportOperands("@", left, right, span, context);
  return makeTensor(context, "matmul", [withSpan(left, leftSpan), withSpan(right, rightSpan)], {}, span);
}

function applyElementwise(
  op: BinaryOp,
  left: StaticValue,
  right: StaticValue,
  span: Span,
  leftSpan: Span,
  rightSpan: Span,
  context: Context,
): StaticValue {
  const name = tensorOps[op as keyof typeof tensorOps];
  const dtype = left.kind === "tensor" ? dtypeOf(left) : right.kind === "tensor" ? dtypeOf(right) : "f32";
  const a = toTensor(context, left, leftSpan, `the left side of \`${op}\``, dtype);
  const b = toTensor(context, right, rightSpan, `the right side of \`${op}\``, dtype);
  if (a.kind === "poison" || b.kind === "poison") return poison;
  return combine(context, name, op, [a, b], span);
}

/** An elementwise op of two or three tensors under the language's rule of broadcasting. */
export function combine(
  context: Context,
  op: (typeof tensorOps)[keyof typeof tensorOps] | "where" | "min" | "max",
  written: string,
  operands: readonly TensorValue[],
  span: Span,
): TensorValue | StaticValue {
  let rank = 0;
  for (let i = 0; i < operands.length; i += 1) rank = Math.max(rank, shapeOf(operands[i] as TensorValue).length);
  let stretch: Set<number> | null = null;
  for (let fromEnd = 1; fromEnd <= rank; fromEnd++) {
    // The first operand whose size at this axis is fixed; operands of lower rank, and stretching axes, have none.
    let first: TensorValue | null = null;
    let size: Dim = 1;
    for (let i = 0; i < operands.length; i += 1) {
      const operand = operands[i] as TensorValue;
      const shape = shapeOf(operand);
      const axis = shape.length - fromEnd;
      if (axis < 0 || operand.stretch?.has(axis)) continue;
      const dim = shape[axis] as Dim;
      if (first === null) {
        first = operand;
        size = dim;
      } else if (!dimsEqual(dim, size)) {
        // Unless one of them is 1, the op itself reports the mismatch.
        if (dim === 1 || size === 1) return reportSilentBroadcast(context, written, [first, operand], fromEnd, span);
        return makeTensor(context, op, operands, {} as never, span);
      }
    }
    if (first === null) stretch = (stretch ?? new Set<number>()).add(rank - fromEnd);
  }
  return makeTensor(context, op, operands, {} as never, span, { stretch });
}

function reportSilentBroadcast(
  context: Context,
  op: string,
  sides: readonly [TensorValue, TensorValue],
  fromEnd: number,
  span: Span,
): StaticValue {
  const [left, right] = sides.map((side) => formatTensorType(side.value.type)) as [string, string];
  const notes = sides.map((side) => {
    const axis = shapeOf(side).length - fromEnd;
    return { message: `axis ${axis} is ${formatDim(shapeOf(side)[axis] as Dim)} here`, span: side.span };
  });
  return report(context, "dim/silent-broadcast", span, { op, left, right }, { notes });
}

/** `-x` and `not x`. */
export function evaluateUnary(node: Unary, context: Context): StaticValue {
  const ops: Unary[] = [node];
  let inner = node.operand;
  while (inner.kind === "Unary") {
    ops.push(inner);
    inner = inner.operand;
  }
  let value = evaluate(inner, context);
  for (const { op, span } of ops.reverse()) value = applyUnary(op, value, span, context);
  return value;
}

function applyUnary(op: Unary["op"], value: StaticValue, span: Span, context: Context): StaticValue {
  if (value.kind === "poison") return poison;
  if (value.kind === "tensor") return makeTensor(context, op === "-" ? "neg" : "not", [value], {}, span, { stretch: value.stretch });
  if (op === "-" && value.kind === "number") return numberValue(scaleDim(value.value, -1));
  if (op === "not" && value.kind === "boolean") return booleanValue(!value.value);
  return report(context, "type/mismatch", span, {
    what: `the operand of \`${op}\``,
    expected: op === "-" ? "a number or a tensor" : "true, false or a bool tensor",
    found: describe(value),
  });
}
