/** A small model for tests of the command line, in the formatter's own layout. */
export const good = `import { WeightedSum } from "std/gates"
import { Dense, Tower } from "std/layers"
import { bce, nll } from "std/losses"

/// Two tasks over three experts.
model Small {
  input x: f32[B, 6] { base: 4 { rfm: 3, age: 1 }, extra: 2 }
  input cluster: id[B] of 3
  input more: f32[B, 2]?

  let joined = concat([x, embedding(cluster, 4), more])

  experts shared {
    dense[3] = Dense(joined, [8])
  }

  task ctr: binary { loss: bce }
  task stage: classes(3) { loss: nll }

  let mixed per task = WeightedSum(shared, by: joined)

  flow per task {
    return mixed |> Tower(task.width, [4])
  }

  output gates per task = mixed.attention
}
`;

/** One warning with a safe fix. */
export const withUnusedImport = good.replace("{ bce, nll }", "{ bce, huber, nll }");

/** One error: the stated width is not what the slice has. */
export const withError = good.replace("let joined = concat", "let _wrong: f32[B, 5] = x.base\n  let joined = concat");

export const withSyntaxError = good.replace("task ctr: binary", "task ctr binary:");

export const twoModels = `${good}\n${good.slice(good.indexOf("model Small")).replace("model Small", "model Other")}`;
