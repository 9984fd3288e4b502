/** A spec: the path of a file, or a text with the name that it has in messages and from which its relative imports start. */
export type Spec = string | { readonly name: string; readonly text: string };

/** Lines and columns count from 1, columns and offsets in UTF-16 units; the end is exclusive. */
export interface Range {
  readonly start: Position;
  readonly end: Position;
}

export interface Position {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** A place in a file; both are null where no source exists, such as for an unreadable file. */
export type Place = { readonly file: string; readonly range: Range } | { readonly file: null; readonly range: null };

/** One finding, as plain data: the form of `plec check --json`. */
export type Diagnostic = Place & {
  /** Stable, such as `dim/mismatch`; `plec explain CODE` tells more. */
  readonly code: string;
  readonly severity: "error" | "warning" | "info";
  readonly message: string;
  readonly notes: readonly (Place & { readonly message: string })[];
  readonly help: string | null;
  readonly fixes: readonly {
    readonly title: string;
    /** Safe fixes keep the meaning, or state the only possible one. */
    readonly safe: boolean;
    readonly edits: readonly (Place & { readonly text: string })[];
  }[];
};

export interface CheckResult {
  readonly errors: number;
  readonly warnings: number;
  readonly diagnostics: readonly Diagnostic[];
  /** The diagnostics as `plec check` prints them, each with its source frame. */
  readonly text: string;
  /** Empty when there are errors. */
  readonly models: readonly ModelInfo[];
}

/** Whole numbers, or a symbol such as `B`. */
export type Dimension = number | string;

/** What a model is made of, as plain data. */
export interface ModelInfo {
  readonly name: string;
  readonly doc: string | null;
  /** sha256 of the sources, library included. */
  readonly hash: string;
  /** How many numbers training trains. */
  readonly parameters: number;
  readonly inputs: readonly InputInfo[];
  readonly banks: readonly BankInfo[];
  readonly groups: readonly GroupInfo[];
  /** As declared, disabled ones included. */
  readonly tasks: readonly TaskInfo[];
  readonly transfers: readonly { readonly from: string; readonly to: string; readonly module: string }[];
  /** Names of enabled tasks in order of execution. */
  readonly order: readonly string[];
  /** What the model gives beside its predictions. */
  readonly outputs: readonly { readonly name: string; readonly doc: string | null }[];
}

export interface InputInfo {
  readonly name: string;
  readonly dtype: "f32" | "i32" | "bool";
  readonly shape: readonly Dimension[];
  readonly optional: boolean;
  /** What stands for an absent value. */
  readonly fill: number;
  /** For ids: how many there are. */
  readonly vocabulary: number | null;
  readonly slices: readonly SliceInfo[];
  readonly doc: string | null;
}

/** Columns [start, start + width) of the input's last axis. */
export interface SliceInfo {
  readonly name: string;
  readonly start: number;
  readonly width: number;
  readonly slices: readonly SliceInfo[];
  readonly doc: string | null;
}

export interface BankInfo {
  readonly name: string;
  readonly role: "experts" | "routes";
  readonly per: "task" | "group" | null;
  readonly entries: readonly { readonly name: string; readonly module: string | null; readonly shape: readonly Dimension[] }[];
}

export interface GroupInfo {
  readonly name: string;
  readonly doc: string | null;
  readonly route: string | null;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface TaskInfo {
  readonly name: string;
  readonly kind: "binary" | "classes" | "regression" | "embedding";
  readonly width: number;
  readonly group: string | null;
  readonly enabled: boolean;
  readonly weight: number;
  /** The stated share of rows with label 1, of a binary task. */
  readonly positives: number | null;
  readonly loss: { readonly name: string; readonly settings: Readonly<Record<string, unknown>> } | null;
  readonly activation: string | null;
  readonly prefer: readonly string[];
  readonly route: string | null;
  readonly doc: string | null;
}

export interface CompileOptions {
  /** The model to take when the spec has several. */
  readonly model?: string | undefined;
  /** A .safetensors file; without it the weights are fresh ones of the seed. */
  readonly weights?: string | undefined;
  /** 0 by default. */
  readonly seed?: number | undefined;
  /** Names of what the compiled model returns, predictions included; everything by default. */
  readonly outputs?: readonly string[] | undefined;
  /** Optional inputs that are left out, with what only they need. */
  readonly without?: readonly string[] | undefined;
}

export interface CompileOnnxOptions extends CompileOptions {
  /** `fp16`: float16 where it is safe, inputs and outputs float32. */
  readonly precision?: "fp32" | "fp16" | undefined;
  /** 17 to 21. */
  readonly opset?: number | undefined;
  /** The file beside the model that weights of more than 2 GB go into: `model.onnx.data` by default. */
  readonly dataFile?: string | undefined;
}

export interface CompiledOnnx {
  /** The ONNX file. */
  readonly model: Uint8Array;
  /** What the data file holds, piece by piece; null when the weights are inside the model. */
  readonly data: Iterable<Uint8Array> | null;
}

/** A file of a GraphModel folder. */
export interface CompiledFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

/** The values of one row of an input of rank 1 beside the batch. */
export type Vector = readonly number[] | Float32Array | Float64Array | Int32Array;

export type Engine = "ort" | "tfjs";
export type Backend = "node-gpu" | "webgpu" | "wasm" | "cpu";

export interface LoadOptions {
  /** What executes the model: ONNX Runtime or TensorFlow.js. A compiled file decides by itself; a spec runs on ONNX Runtime by default. */
  readonly engine?: Engine | undefined;
  /** Where TensorFlow.js runs; by default the fastest that is installed. */
  readonly backend?: Backend | undefined;
  /** For a spec: a .safetensors file; without it the weights are fresh ones of the seed. */
  readonly weights?: string | undefined;
  /** For a spec: the seed of fresh weights, 0 by default. */
  readonly seed?: number | undefined;
  /** For a spec: the model to take when the file has several. */
  readonly model?: string | undefined;
}

/** Rows, predictions and outputs of a model of which nothing is known; generated types say more. */
export type Values = Readonly<Record<string, unknown>>;

/** A model that is ready to predict. */
export interface Model<Inputs = Values, Predictions = Values, Outputs = Values> {
  readonly name: string;
  /** sha256 of the sources that it was compiled from. */
  readonly hash: string;
  /** `onnxruntime`, or `tfjs` and the backend. */
  readonly engine: string;
  /** The tasks that it predicts, in order of declaration. */
  readonly tasks: readonly (keyof Predictions & string)[];
  /**
   * Predicts for each row: per task a number, or a list where the task is wider. Optional inputs may be absent, null or undefined.
   *
   * @throws InputError for rows that do not fit, naming row and input
   */
  predict(rows: readonly Inputs[]): Promise<readonly Predictions[]>;
  /**
   * Further outputs for each row, such as its gate weights.
   *
   * @throws InputError for rows that do not fit
   * @throws ModelError for a name that the model does not have
   */
  outputs<Name extends keyof Outputs & string>(rows: readonly Inputs[], names: readonly Name[]): Promise<readonly Pick<Outputs, Name>[]>;
  /** Rows that depend on the seed alone, those of `plec run --generate`: to try a model out. */
  generate(count: number, seed?: number): readonly Inputs[];
  /** Frees what the engine holds. */
  close(): Promise<void>;
}

/** What generated types promise of a model, as data. */
export interface Contract {
  readonly name: string;
  readonly inputs: Readonly<Record<string, ContractInput>>;
  readonly tasks: Readonly<Record<string, ContractTask>>;
}

export interface ContractInput {
  /** `f32[B, 734]`, or `id[B] of 20`. */
  readonly type: string;
  readonly optional: boolean;
}

export interface ContractTask {
  readonly kind: "binary" | "classes" | "regression" | "embedding";
  readonly width: number;
}
