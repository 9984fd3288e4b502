import type { Span } from "./source.ts";

/** The syntax tree of a `.ple` file: readonly nodes with a `kind` and a `span`. Grammar in `docs/language.md`. */
export type Node =
  | File
  | Import
  | ImportName
  | TopLevel
  | Item
  | Statement
  | Parameter
  | Type
  | Dim
  | Entry
  | Slice
  | Expr
  | Argument
  | Field
  | Index
  | Clause
  | Per
  | Block
  | Name;

interface Base {
  readonly span: Span;
}

/** A name where it is declared or referred to. */
export interface Name extends Base {
  readonly kind: "Name";
  readonly text: string;
}

export interface File extends Base {
  readonly kind: "File";
  readonly imports: readonly Import[];
  readonly items: readonly TopLevel[];
}

export interface Import extends Base {
  readonly kind: "Import";
  readonly names: readonly ImportName[];
  readonly path: StringLiteral;
}

export interface ImportName extends Base {
  readonly kind: "ImportName";
  readonly name: Name;
  readonly alias: Name | null;
}

export type TopLevel = Definition | Model | Const;

export interface Const extends Base {
  readonly kind: "Const";
  readonly doc: string | null;
  readonly name: Name;
  readonly value: Expr;
}

export type Role = "module" | "expert" | "gate" | "tower" | "loss";

export interface Definition extends Base {
  readonly kind: "Definition";
  readonly doc: string | null;
  readonly role: Role;
  readonly name: Name;
  readonly parameters: readonly Parameter[];
  readonly result: Type | null;
  /** Task kinds that a loss fits: `for binary | classes`. */
  readonly fits: readonly Name[];
  readonly body: Block;
}

export interface Parameter extends Base {
  readonly kind: "Parameter";
  readonly name: Name;
  readonly type: Type;
  readonly defaultValue: Expr | null;
}

export interface Block extends Base {
  readonly kind: "Block";
  readonly statements: readonly Statement[];
}

export type Statement = Let | Param | Output | Penalty | Require | Return;

/** In a definition or flow `per` is always null. */
export interface Let extends Base {
  readonly kind: "Let";
  readonly doc: string | null;
  readonly names: readonly Name[];
  readonly per: Per | null;
  readonly type: Type | null;
  readonly value: Expr;
}

export interface Param extends Base {
  readonly kind: "Param";
  readonly doc: string | null;
  readonly name: Name;
  readonly type: Type;
  readonly initial: Expr;
  readonly tags: RecordLiteral | null;
}

export interface Output extends Base {
  readonly kind: "Output";
  readonly doc: string | null;
  readonly name: Name;
  readonly per: Per | null;
  readonly type: Type | null;
  readonly value: Expr;
}

export interface Penalty extends Base {
  readonly kind: "Penalty";
  readonly doc: string | null;
  readonly name: Name;
  readonly per: Per | null;
  readonly value: Expr;
}

export interface Require extends Base {
  readonly kind: "Require";
  readonly condition: Expr;
  readonly message: StringLiteral;
}

export interface Return extends Base {
  readonly kind: "Return";
  readonly value: Expr;
}

// ── types ───────────────────────────────────────────────────────────────────

export type Type = TensorType | ListType | EnumType | NamedType;

export interface TensorType extends Base {
  readonly kind: "TensorType";
  readonly dtype: "f32" | "i32" | "bool" | "id";
  readonly dims: readonly Dim[];
  /** `id[B] of 20`: the vocabulary. */
  readonly of: Expr | null;
  readonly optional: boolean;
}

export interface ListType extends Base {
  readonly kind: "ListType";
  readonly element: Type;
  readonly optional: boolean;
}

export interface EnumType extends Base {
  readonly kind: "EnumType";
  readonly values: readonly StringLiteral[];
  readonly optional: boolean;
}

/** `int`, `float`, `bool`, `string`, `module`, `task`, `record`. */
export interface NamedType extends Base {
  readonly kind: "NamedType";
  readonly name: Name;
  readonly optional: boolean;
}

export type Dim = DimRest | DimAny | DimExpr;

/** `..` */
export interface DimRest extends Base {
  readonly kind: "DimRest";
}

/** `_` */
export interface DimAny extends Base {
  readonly kind: "DimAny";
}

export interface DimExpr extends Base {
  readonly kind: "DimExpr";
  readonly value: Expr;
}

// ── models ──────────────────────────────────────────────────────────────────

export interface Model extends Base {
  readonly kind: "Model";
  readonly doc: string | null;
  readonly name: Name;
  readonly items: readonly Item[];
}

export type Item = Const | DimDeclaration | Input | Let | Param | Bank | Group | Task | Transfer | Flow | Output | Penalty | Train;

export interface DimDeclaration extends Base {
  readonly kind: "DimDeclaration";
  readonly doc: string | null;
  readonly name: Name;
}

export interface Input extends Base {
  readonly kind: "Input";
  readonly doc: string | null;
  readonly name: Name;
  /** Null only where a schema gives the type. */
  readonly type: Type | null;
  readonly defaultValue: Expr | null;
  readonly slices: readonly Slice[];
  /** `from "feature_schema.yaml"`: the file that lists the columns. Reading a project replaces it by the slices that it stands for. */
  readonly schema: StringLiteral | null;
}

export interface Slice extends Base {
  readonly kind: "Slice";
  readonly doc: string | null;
  readonly name: Name;
  readonly width: Expr;
  readonly slices: readonly Slice[];
  /** A single feature that a schema names: it can be read by name and is no slice of its own to `leaves`. */
  readonly column: boolean;
}

export interface Bank extends Base {
  readonly kind: "Bank";
  readonly doc: string | null;
  readonly role: "experts" | "routes";
  readonly name: Name;
  readonly per: Per | null;
  readonly entries: readonly Entry[];
}

export interface Entry extends Base {
  readonly kind: "Entry";
  readonly doc: string | null;
  readonly name: Name;
  readonly count: Expr | null;
  readonly type: Type | null;
  readonly value: Expr;
}

export interface Group extends Base {
  readonly kind: "Group";
  readonly doc: string | null;
  readonly name: Name;
  readonly settings: RecordLiteral | null;
}

export interface Task extends Base {
  readonly kind: "Task";
  readonly doc: string | null;
  readonly name: Name;
  readonly group: Name | null;
  readonly taskKind: Name;
  readonly width: Expr | null;
  readonly settings: RecordLiteral | null;
}

export interface Transfer extends Base {
  readonly kind: "Transfer";
  readonly doc: string | null;
  readonly from: Name;
  readonly to: Name;
  readonly value: Expr;
}

/** `task` is null for `flow per task`, whose `per` is then set. */
export interface Flow extends Base {
  readonly kind: "Flow";
  readonly doc: string | null;
  readonly per: Per | null;
  readonly task: Name | null;
  readonly body: Block;
}

export interface Train extends Base {
  readonly kind: "Train";
  readonly doc: string | null;
  readonly settings: RecordLiteral;
}

export interface Per extends Base {
  readonly kind: "Per";
  readonly unit: "task" | "group" | "model";
}

// ── expressions ─────────────────────────────────────────────────────────────

export type Expr =
  | NumberLiteral
  | StringLiteral
  | BooleanLiteral
  | NoneLiteral
  | Reference
  | ListLiteral
  | Comprehension
  | RecordLiteral
  | Member
  | Call
  | Subscript
  | Unary
  | Binary
  | Pipe
  | Conditional
  | Lambda
  | Paren;

export interface NumberLiteral extends Base {
  readonly kind: "NumberLiteral";
  readonly value: number;
  /** As written. */
  readonly text: string;
}

export interface StringLiteral extends Base {
  readonly kind: "StringLiteral";
  readonly value: string;
}

export interface BooleanLiteral extends Base {
  readonly kind: "BooleanLiteral";
  readonly value: boolean;
}

export interface NoneLiteral extends Base {
  readonly kind: "NoneLiteral";
}

export interface Reference extends Base {
  readonly kind: "Reference";
  /** Empty where the parser found no expression and reported it. */
  readonly name: string;
}

export interface ListLiteral extends Base {
  readonly kind: "ListLiteral";
  readonly items: readonly Expr[];
}

export interface Comprehension extends Base {
  readonly kind: "Comprehension";
  readonly value: Expr;
  readonly clauses: readonly Clause[];
}

export interface Clause extends Base {
  readonly kind: "Clause";
  readonly name: Name;
  readonly index: Name | null;
  readonly over: Expr;
  readonly condition: Expr | null;
}

export interface RecordLiteral extends Base {
  readonly kind: "RecordLiteral";
  readonly fields: readonly Field[];
}

export interface Field extends Base {
  readonly kind: "Field";
  readonly name: Name;
  readonly value: Expr;
}

export interface Member extends Base {
  readonly kind: "Member";
  readonly object: Expr;
  readonly name: Name;
}

/** `per` also stands on a bare name in a pipe (`x |> layer_norm per group`); the parser then makes a Call without arguments. */
export interface Call extends Base {
  readonly kind: "Call";
  readonly callee: Expr;
  readonly arguments: readonly Argument[];
  readonly per: Per | null;
  /** False for a bare pipe stage, printed without parentheses. */
  readonly parenthesised: boolean;
}

export interface Argument extends Base {
  readonly kind: "Argument";
  readonly name: Name | null;
  readonly value: Expr;
}

export interface Subscript extends Base {
  readonly kind: "Subscript";
  readonly object: Expr;
  readonly indices: readonly Index[];
}

export type Index = IndexRest | IndexRange | IndexSlice | IndexExpr;

/** `..` */
export interface IndexRest extends Base {
  readonly kind: "IndexRest";
}

/** `from .. to`: named slices, inclusive. */
export interface IndexRange extends Base {
  readonly kind: "IndexRange";
  readonly from: Expr;
  readonly to: Expr;
}

/** `start : stop` */
export interface IndexSlice extends Base {
  readonly kind: "IndexSlice";
  readonly start: Expr | null;
  readonly stop: Expr | null;
}

export interface IndexExpr extends Base {
  readonly kind: "IndexExpr";
  readonly value: Expr;
}

export interface Unary extends Base {
  readonly kind: "Unary";
  readonly op: "-" | "not";
  readonly operand: Expr;
}

export type BinaryOp = "+" | "-" | "++" | "*" | "/" | "@" | "^" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "and" | "or";

export interface Binary extends Base {
  readonly kind: "Binary";
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
}

/** `left |> stage |> stage`; every stage is a Call (see Call.parenthesised). */
export interface Pipe extends Base {
  readonly kind: "Pipe";
  readonly left: Expr;
  readonly stages: readonly Call[];
}

export interface Conditional extends Base {
  readonly kind: "Conditional";
  readonly condition: Expr;
  readonly then: Expr;
  readonly otherwise: Expr;
}

export interface Lambda extends Base {
  readonly kind: "Lambda";
  readonly parameters: readonly Name[];
  readonly body: Expr | Block;
}

/** Parentheses as written, kept so that the printer changes nothing that a person chose. */
export interface Paren extends Base {
  readonly kind: "Paren";
  readonly inner: Expr;
}

/** Child keys of every node kind, in source order: what a visitor needs and nothing more. */
export const childKeys = {
  Name: [],
  File: ["imports", "items"],
  Import: ["names", "path"],
  ImportName: ["name", "alias"],
  Const: ["name", "value"],
  Definition: ["name", "parameters", "result", "fits", "body"],
  Parameter: ["name", "type", "defaultValue"],
  Block: ["statements"],
  Let: ["names", "per", "type", "value"],
  Param: ["name", "type", "initial", "tags"],
  Output: ["name", "per", "type", "value"],
  Penalty: ["name", "per", "value"],
  Require: ["condition", "message"],
  Return: ["value"],
  TensorType: ["dims", "of"],
  ListType: ["element"],
  EnumType: ["values"],
  NamedType: ["name"],
  DimRest: [],
  DimAny: [],
  DimExpr: ["value"],
  Model: ["name", "items"],
  DimDeclaration: ["name"],
  Input: ["name", "type", "defaultValue", "slices", "schema"],
  Slice: ["name", "width", "slices"],
  Bank: ["name", "per", "entries"],
  Entry: ["name", "count", "type", "value"],
  Group: ["name", "settings"],
  Task: ["name", "group", "taskKind", "width", "settings"],
  Transfer: ["from", "to", "value"],
  Flow: ["per", "task", "body"],
  Train: ["settings"],
  Per: [],
  NumberLiteral: [],
  StringLiteral: [],
  BooleanLiteral: [],
  NoneLiteral: [],
  Reference: [],
  ListLiteral: ["items"],
  Comprehension: ["value", "clauses"],
  Clause: ["name", "index", "over", "condition"],
  RecordLiteral: ["fields"],
  Field: ["name", "value"],
  Member: ["object", "name"],
  Call: ["callee", "arguments", "per"],
  Argument: ["name", "value"],
  Subscript: ["object", "indices"],
  IndexRest: [],
  IndexRange: ["from", "to"],
  IndexSlice: ["start", "stop"],
  IndexExpr: ["value"],
  Unary: ["operand"],
  Binary: ["left", "right"],
  Pipe: ["left", "stages"],
  Conditional: ["condition", "then", "otherwise"],
  Lambda: ["parameters", "body"],
  Paren: ["inner"],
} as const satisfies { readonly [K in Node["kind"]]: readonly (keyof Extract<Node, { kind: K }>)[] };
