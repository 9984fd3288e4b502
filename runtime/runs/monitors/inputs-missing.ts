import { eachObservation, type Monitor, percent } from "./monitor.ts";

export const inputsMissing: Monitor = {
  name: "inputs-missing",
  what: "All that an expert reads is absent (zeros, or the fill of an optional input) in most rows, so that it has nothing to say about them.",
  threshold: 0.5,
  unit: "share",
  patience: 1,
  remedy:
    "Check the mapping of the expert's inputs and the join that fills them. Where the data is truly that sparse, give its place to another expert, or train it on the rows that have it.",
  watch: eachObservation(({ experts }) =>
    Object.entries(experts).flatMap(([expert, { missing }]) =>
      missing > inputsMissing.threshold
        ? [{ subject: expert, value: missing, message: `the inputs of expert ${expert} are all absent in ${percent(missing)} of the rows` }]
        : [],
    ),
  ),
};
