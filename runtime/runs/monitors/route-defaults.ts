import { eachObservation, type Monitor, percent } from "./monitor.ts";

export const routeDefaults: Monitor = {
  name: "route-defaults",
  what: "A route has no input in most rows, so that its tasks see the learned default there and not the row.",
  threshold: 0.5,
  unit: "share",
  patience: 1,
  remedy: "Check the mapping of the route's inputs and the join that fills them, or send the group by a route whose inputs are there.",
  watch: eachObservation(({ routes }) =>
    Object.entries(routes).flatMap(([route, { defaults }]) =>
      defaults > routeDefaults.threshold
        ? [{ subject: route, value: defaults, message: `route ${route} gives its default to ${percent(defaults)} of the rows` }]
        : [],
    ),
  ),
};
