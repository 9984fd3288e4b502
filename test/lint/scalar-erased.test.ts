import { testRule } from "./expect.ts";

const model = (edge: string, definitions = "") => `import { bce, nll } from "std/losses"
import { Residual } from "std/layers"
${definitions}
model M {
  input x: f32[B, 8]
  task a: binary { loss: bce }
  task b: binary { loss: bce }
  task c: classes(4) { loss: nll }
  transfer a -> b = ${edge}
  flow per task {
    output hidden = linear(x, 16) |> silu
    return hidden |> transfers |> linear(task.width)
  }
}`;

/** What is made of p before and in the normalisation decides. */
const edge = (made: string) => `module Edge(x: f32[B, d], source: record) -> f32[B, d] {
  let p = source.prediction
  return x + ${made}
}`;

// LN(w p + b) = LN(w) for b = 0 and every p > 0, up to eps: modules.md of the system says the same in numbers
testRule("lint/scalar-erased", {
  valid: [
    ["the library's edge, whose bias is drawn", model("Residual()")],
    ["an edge without a normalisation", model("Edge()", edge("linear(p, d)"))],
    ["a bias that does not start at zero", model("Edge()", edge("(p |> linear(d, bias: () => uniform(-1, 1)) |> layer_norm)"))],
    ["what the source's hidden state says", model("Edge()", edge("(source.hidden |> linear(d) |> layer_norm)"))],
    ["several probabilities", model("Edge()", edge("(p |> linear(d) |> layer_norm)")).replace("a -> b", "c -> b")],
    ["a scalar beside other values", model("Edge()", edge("(concat([p, x]) |> linear(d) |> layer_norm)"))],
    ["a scalar that shifts others", model("Edge()", edge("layer_norm(linear(p, d) + source.hidden)"))],
    ["division of one thing by another", model("Edge()", edge("linear(p / (1 + p), d)"))],
  ],
  invalid: [
    [
      "a zero bias",
      model("Edge()", edge("(p |> linear(d) |> layer_norm)")),
      ["12:3 the transfer `a -> b` normalises what is made of a single number: all of its positive values come out alike"],
    ],
    ["no bias", model("Edge()", edge("(p |> linear(d, bias: none) |> layer_norm |> silu)")), ["12:3 the transfer `a -> b`"]],
    ["the complement", model("Edge()", edge("(1 - p |> linear(d) |> layer_norm)")), ["12:3 the transfer `a -> b`"]],
    ["a root mean square", model("Edge()", edge("(p |> linear(d) |> rms_norm)")), ["12:3 the transfer `a -> b`"]],
    ["a length of 1", model("Edge()", edge("(p |> linear(d) |> l2_normalize)")), ["12:3 the transfer `a -> b`"]],
    ["a normalisation of the number itself", model("Edge()", edge("linear(layer_norm(p), d)")), ["12:3 the transfer `a -> b`"]],
    [
      "an input of one column, outside of any edge",
      model("Residual()").replace("model M {\n", "model M {\n  input age: f32[B, 1]\n  output aged = age |> linear(8) |> layer_norm\n"),
      ["6:37 `aged/layer_norm"],
    ],
  ],
});
