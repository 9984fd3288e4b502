import { testRule } from "./expect.ts";

const model = (expert: string) => `import { bce } from "std/losses"
import { DeepFM } from "std/experts"
model M {
  input x: f32[B, 10] { base: 6 { rfm: 2, age: 4 }, extra: 3, last: 1 }
  let most = x[base .. extra]
  let activated = relu(x.extra)
  let both = concat([x.base, x.extra])
  let doubled = concat([x.base, x.base])
  experts shared { e = ${expert} }
  experts own { f = linear(x, 4) }
  task t: binary { loss: bce }
  flow per task { return linear(concat(shared ++ own), task.width) }
}`;

testRule("lint/slice-read-twice", {
  valid: [
    ["each slice once", model("DeepFM([x.base.rfm, x.base.age, x.extra, x.last])")],
    ["a range and what is outside of it", model("DeepFM([most, x.last])")],
    ["what is computed from a part, and the part", model("DeepFM([activated, x.extra])")],
    ["all leaves", model("DeepFM(leaves(x))")],
    ["an input as values and as a mask", model("linear(x * f32(x > 0), 4)")],
  ],
  invalid: [
    ["a slice and one inside of it", model("DeepFM([x.base, x.base.rfm])"), ["9:40 expert `e` reads columns 0 to 1 of `x` twice"]],
    ["a range by another name", model("DeepFM([most, x.extra, x.last])"), ["9:38 expert `e` reads columns 6 to 8 of `x` twice"]],
    ["the same one", model("linear(concat([x.last, x.last]), 4)"), ["9:47 expert `e` reads column 9 of `x` twice"]],
    ["two ranges that meet", model("DeepFM([x[base .. extra], x[extra .. last]])"), ["9:50 expert `e` reads columns 6 to 8 of `x` twice"]],
    ["behind a name", model("DeepFM([both, x.extra])"), ["9:38 expert `e` reads columns 6 to 8 of `x` twice"]],
    ["twice behind one name", model("linear(doubled, 4)"), ["9:31 expert `e` reads columns 0 to 5 of `x` twice"]],
    ["all of it and a part", model("DeepFM([x, x.base.age])"), ["9:35 expert `e` reads columns 2 to 5 of `x` twice"]],
  ],
});
