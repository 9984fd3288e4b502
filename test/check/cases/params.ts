import { type Case, model, output } from "../expect.ts";

/** A param `p` of width 8 used by an output; the type begins at 6:12. */
const param = (declaration: string) => model(`param ${declaration}\n  output o = x + p`);

export const paramCases: readonly Case[] = [
  ["a number fills", param("p: f32[8] = 0.5")],
  ["a definition initialises", param("p: f32[8] = zero")],
  ["a call initialises", param("p: f32[8] = zero()")],
  ["a lambda initialises", param("p: f32[8] = () => normal(0.1)")],
  ["random draws", param("p: f32[8] = uniform(-1, 1) * 2 + normal(1)")],
  ["a smaller initial value stretches", model("param p: f32[3, 8] = tensor(range(8))\n  output o = x + sum(p, axis: 0)")],
  ["a scalar param", param("p: f32[] = 0")],
  [
    "an initial value of another shape",
    param("p: f32[8] = zeros([7])"),
    "param/bad-initial 6:21 the initial value is f32[7], which does not fill [8]",
  ],
  ["an initial value of higher rank", param("p: f32[8] = zeros([2, 8])"), "param/bad-initial 6:21"],
  ["an initial value of ids", param("p: f32[8] = i32(zeros([8]))"), "param/bad-initial 6:21"],
  ["an initial value that is a string", param('p: f32[8] = "a"'), "type/mismatch 6:21"],
  ["an initial value that is none", param("p: f32[8] = none"), "type/mismatch 6:21"],
  ["an initialiser with a missing argument", param("p: f32[8] = normal"), "call/missing-argument 6:21"],
  ["an initial value by data", param("p: f32[8] = mean(x, axis: 0)"), "param/depends-on-data 6:21"],
  ["an initial value that is an input", param("p: f32[8] = x"), "param/depends-on-data 6:21"],
  ["an initial value by another param", param("q: f32[8] = 0\n  param p: f32[8] = q * 2"), "param/depends-on-data 7:21"],
  ["an initial value that is another param", param("q: f32[8] = 0\n  param p: f32[8] = q"), "param/depends-on-data 7:21"],
  ["an initial value by a tensor let", param("p: f32[8] = c\n  let c = zeros([8])"), "param/depends-on-data 6:21"],
  ["an initial value by a number let", param("p: f32[8] = c\n  let c = 2 * 3")],
  [
    "a draw outside of a param",
    output("x + normal(1)"),
    "param/outside-initial 6:18 `normal` has a meaning only in the initial value of a param",
  ],
  ["a fan outside of a param", output("x * fan_in()"), "param/outside-initial 6:18"],
  ["an initialiser called outside of a param", output("x + xavier_uniform()"), "param/outside-initial 6:18"],
  ["a param of ids", param("p: i32[8] = 0"), "type/mismatch 6:12"],
  ["a param of any width", param("p: f32[_] = 0"), "type/mismatch 6:12"],
  ["an optional param", param("p: f32[8]? = 0"), "type/mismatch 6:12"],
  ["a param of a named type", param("p: int = 0"), "type/mismatch 6:12"],
  [
    "a param of the batch",
    param("p: f32[B, 8] = 0"),
    "param/symbolic-shape 6:3 the parameter `p` has the shape [B, 8], which is not known while compiling",
  ],
  [
    "a param of the batch in a definition",
    output("F(x)", "module F(x: f32[B, n]) {\n  param p: f32[B, n] = 0\n  return x + p\n}"),
    "param/symbolic-shape 9:3",
  ],
  ["a negative param", param("p: f32[-1] = 0"), "dim/not-a-dim 6:16"],
  ["settings of a param", param('p: f32[8] = 0 { decay: true, frozen: true, tag: "a" }')],
  ["an unknown setting", param("p: f32[8] = 0 { deacy: true }"), "model/setting 6:25 a param has no setting `deacy`"],
  ["a setting of another kind", param("p: f32[8] = 0 { decay: 3 }"), "type/mismatch 6:32"],
  ["a tag of another kind", param("p: f32[8] = 0 { tag: 3 }"), "type/mismatch 6:30"],
  ["a setting twice", param("p: f32[8] = 0 { decay: true, decay: false }"), "name/duplicate 6:38"],
];
