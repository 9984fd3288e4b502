import { eachObservation, type Monitor } from "./monitor.ts";

export const expertDead: Monitor = {
  name: "expert-dead",
  what: "An expert gives zeros for every row, or no task's loss gives its parameters a gradient: it takes no part in the model.",
  threshold: 1e-8,
  unit: "number",
  patience: 1,
  remedy:
    "Look at its inputs first (all absent?), then at its last activation (a rectifier that is shut for every row), then at the gates' weights on it (shut gates pass no gradient); a smaller learning rate keeps rectifiers alive, and silu has no dead half.",
  watch: eachObservation(({ experts }) =>
    Object.entries(experts).flatMap(([expert, { output, gradient }]) => {
      const silent = output <= expertDead.threshold;
      if (!silent && !(gradient <= expertDead.threshold)) return [];
      const both = silent && gradient <= expertDead.threshold;
      const what = both ? "gives zeros for every row and gets no gradient" : silent ? "gives zeros for every row" : "gets no gradient";
      return [{ subject: expert, value: silent ? output : gradient, message: `expert ${expert} ${what}` }];
    }),
  ),
};
