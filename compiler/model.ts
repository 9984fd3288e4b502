import type { Span } from "../dsl/source.ts";
import type { Dim } from "./ir/dim.ts";
import type { DType, Graph, GraphParam, Value } from "./ir/graph.ts";

/** A checked model: everything that targets, summaries, type generation and the runtime need to know of it. */
export interface CheckedModel {
  readonly name: string;
  readonly doc: string | null;
  /** sha256 of the sources that make up the model, library included. */
  readonly hash: string;
  /** Outputs: the prediction of every enabled task under the task's name, then the requested outputs. */
  readonly graph: Graph;
  /** Every parameter that predictions, outputs or penalties reach: what training trains. */
  readonly parameters: readonly GraphParam[];
  readonly inputs: readonly ModelInput[];
  readonly groups: readonly ModelGroup[];
  /** As declared, disabled ones included. */
  readonly tasks: readonly ModelTask[];
  /** Names of enabled tasks in order of execution: Kahn's algorithm, ties by declaration. */
  readonly order: readonly string[];
  readonly transfers: readonly ModelTransfer[];
  readonly banks: readonly ModelBank[];
  /** Terms of the total, f32[]; a name can come up several times, where several places share an instance. */
  readonly penalties: readonly { readonly name: string; readonly value: Value }[];
  /** The loss of each enabled task that has one, in order of execution. */
  readonly losses: readonly ModelLoss[];
  /** What training minimises: inputs are the model's and `trainingInputs`, outputs the losses (`loss/ctr`) and the penalties (`penalty/cgc/ctr/entropy`). */
  readonly training: Graph;
  /** What losses and penalties read beside the model's inputs: `label/ctr` and `train/epoch`. Training feeds them. */
  readonly trainingInputs: readonly { readonly name: string; readonly value: Value }[];
  readonly outputs: readonly ModelOutput[];
  /** The settings of `train`, as plain data; null without the block. */
  readonly train: Readonly<Record<string, unknown>> | null;
}

export interface ModelInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  readonly optional: boolean;
  readonly fill: number;
  readonly vocabulary: number | null;
  readonly slices: readonly ModelSlice[];
  readonly doc: string | null;
  readonly span: Span;
}

export interface ModelSlice {
  readonly name: string;
  /** Columns [start, start + width) of the input's last axis. */
  readonly start: number;
  readonly width: number;
  readonly slices: readonly ModelSlice[];
  /** One column that a feature schema names. */
  readonly column: boolean;
  readonly doc: string | null;
}

export interface ModelGroup {
  readonly name: string;
  readonly doc: string | null;
  readonly route: string | null;
  readonly settings: Readonly<Record<string, unknown>>;
}

export type TaskKind = "binary" | "classes" | "regression" | "embedding";

export interface ModelTask {
  readonly name: string;
  readonly kind: TaskKind;
  /** Number of logits: 1 for binary, the class count, the regression or embedding width. */
  readonly width: number;
  readonly group: string | null;
  readonly enabled: boolean;
  readonly weight: number;
  /** The stated share of rows with label 1, for a binary task. */
  readonly positives: number | null;
  /** Definition name and explicit settings, such as focal with gamma 2. */
  readonly loss: { readonly name: string; readonly settings: Readonly<Record<string, unknown>> } | null;
  readonly activation: string | null;
  readonly prefer: readonly string[];
  readonly route: string | null;
  /** Logits f32[B, width]; null when disabled. */
  readonly logit: Value | null;
  /** f32[B] for width 1, else f32[B, width]; null when disabled. */
  readonly prediction: Value | null;
  readonly doc: string | null;
  readonly span: Span;
}

export interface ModelLoss {
  readonly task: string;
  /** f32[B]; 0 where the label is missing. */
  readonly rows: Value;
  /** i32[B] for classes, else f32[B] or f32[B, width]. */
  readonly label: Value;
}

export interface ModelTransfer {
  readonly from: string;
  readonly to: string;
  readonly module: string;
  /** The target's representation before and behind the edge; null where the target's flow has no place for it. */
  readonly applied: { readonly before: Value; readonly after: Value } | null;
  readonly span: Span;
}

export interface ModelBank {
  readonly name: string;
  readonly role: "experts" | "routes";
  /** null for a shared bank. */
  readonly per: "task" | "group" | null;
  readonly entries: readonly { readonly name: string; readonly module: string | null; readonly shape: readonly Dim[] }[];
  /** Every entry as it stands in the graph: for each task or group where the bank is per task or group. */
  readonly instances: readonly ModelEntry[];
}

export interface ModelEntry {
  readonly name: string;
  /** The task or group that it is for; null in a shared bank. */
  readonly unit: string | null;
  /** What the names of its parameters begin with: `own/ctr/wide`. */
  readonly path: string;
  readonly value: Value;
  readonly span: Span;
}

export interface ModelOutput {
  /** `gates/ctr` for a per-task output. */
  readonly name: string;
  readonly doc: string | null;
}
