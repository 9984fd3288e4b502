import { testRule } from "./expect.ts";

const first = `module Block(x: f32[B, n], hidden: int = 8) -> f32[B, 4] {
  let h = x |> linear(hidden) |> relu
  return h |> linear(4)
}`;

testRule("lint/duplicate-definition", {
  valid: [
    ["another number", `${first}\n${first.replace("Block", "Other").replace("linear(4)", "linear(5)").replace("f32[B, 4]", "f32[B, 5]")}`],
    ["another default", `${first}\n${first.replace("Block", "Other").replace("= 8", "= 9")}`],
    ["another order", `${first}\n${first.replace("Block", "Other").replace("linear(hidden) |> relu", "relu |> linear(hidden)")}`],
    ["too small to matter", "module a(x: f32[..]) -> f32[..] { return relu(x) }\nmodule b(x: f32[..]) -> f32[..] { return relu(x) }"],
    [
      "a comment allows it",
      `${first}\n// plec-allow duplicate-definition: the two will differ once the second has its own norm\n${first.replace("Block", "Other")}`,
    ],
  ],
  invalid: [
    ["another name", `${first}\n${first.replace("Block", "Other")}`, ["5:8 `Other` is the same definition as `Block`"]],
    [
      "other names of locals, layout and comments",
      `${first}\n/// Says more.\n${first.replace("Block", "Other").replace("let h", "let k").replace("return h", "return k").replace("let k", "// a layer\n  let k")}`,
      ["6:8 `Other` is the same definition as `Block`"],
    ],
    [
      "other names of dims and of parameters",
      `${first}\n${first.replace("Block", "Other").replace("n]", "k]").replaceAll("hidden", "wide")}`,
      ["5:8 `Other` is the same definition as `Block`"],
    ],
    [
      "a copy of the library",
      `import { Tower } from "std/layers"
tower Ours(x: f32[B, _], out: int, widths: [int] = [64, 32], dropout: float = 0, bias: module = zero) -> f32[B, out] {
  return x |> mlp(widths, dropout: dropout) |> linear(out, bias: bias)
}
tower Both(x: f32[B, _], out: int) -> f32[B, out] {
  return Tower(x, out) + Ours(x, out)
}`,
      ["2:7 `Ours` is the same definition as `Tower` of std/layers.ple"],
    ],
    ["three of them", `${first}\n${first.replace("Block", "Other")}\n${first.replace("Block", "Third")}`, ["5:8 `Other`", "9:8 `Third`"]],
  ],
});
