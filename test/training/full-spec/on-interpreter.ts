// A process that takes the twenty steps on the interpreter and sends what they reported and left, while its parent takes them on other engines.
import { run } from "./twenty-steps.ts";

const { state, reports, states } = await run("interpreter");
/** Of the states between the first and the last, what the total is made of. */
const weights = ["weighting/log_variance", "adatt/weights"];
const read = states.map((after, i) =>
  i === 0 || after === state ? after : new Map([...after].filter(([name]) => weights.includes(name))),
);
process.send?.({ state, reports, states: read });
