import type { CheckedModel, TaskKind } from "../../compiler/model.ts";
import { describeModel, type InputDescription, type ModelDescription } from "../description.ts";

/** What a model takes: inputs, and labels when it is trained. */
export interface DataContract {
  readonly inputs: readonly InputDescription[];
  readonly labels: readonly LabelDescription[];
}

export interface LabelDescription {
  readonly task: string;
  readonly kind: TaskKind;
  readonly width: number;
}

/** The name under which the label of a task is fed. */
export function labelName(task: string): string {
  return `label/${task}`;
}

/** What training feeds: every input, and a label for each enabled task that has a loss. */
export function contractOf(model: CheckedModel): DataContract {
  const labels = model.tasks.filter(({ enabled, loss }) => enabled && loss !== null);
  return { inputs: describeModel(model).inputs, labels: labels.map(({ name, kind, width }) => ({ task: name, kind, width })) };
}

/** What prediction feeds: the inputs alone. */
export function predictionContract({ inputs }: Pick<ModelDescription, "inputs">): DataContract {
  return { inputs, labels: [] };
}
