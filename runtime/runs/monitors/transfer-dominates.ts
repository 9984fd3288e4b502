import { eachObservation, formatFactor, type Monitor } from "./monitor.ts";

export const transferDominates: Monitor = {
  name: "transfer-dominates",
  what: "What a transfer edge adds is louder (root mean square) than the target's own representation, so that the target repeats its source.",
  threshold: 1,
  unit: "number",
  patience: 1,
  remedy:
    "Lower the edge's `strength`, normalise the target's representation before `transfers`, or detach the source, so that the edge tells and does not lead.",
  watch: eachObservation(({ transfers }) =>
    Object.entries(transfers).flatMap(([edge, { share }]) => {
      if (!(share > transferDominates.threshold)) return [];
      const [source, target] = edge.split("->");
      return [
        {
          subject: edge,
          value: share,
          message: `transfer ${source} -> ${target} adds ${formatFactor(share)} times what ${target} has of its own`,
        },
      ];
    }),
  ),
};
