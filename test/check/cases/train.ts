import { type Case, model } from "../expect.ts";

/** A train block whose settings begin at 6:11. */
const train = (settings: string) => model(`train { ${settings} }`);

export const trainCases: readonly Case[] = [
  ["nothing", train("")],
  [
    "everything",
    train(
      "optimizer: adamw(lr: 5e-4), schedule: cosine_restarts(t0: 10, t_mult: 2), batch: 64, accumulate: 2, clip: 5.0, early_stop: 7, seed: 1, weighting: uncertainty(clamp: 4)",
    ),
  ],
  ["an option without parentheses", train("weighting: fixed")],
  ["an option's settings by position", train('phases: [phase("a", 3), phase("b", 4)]')],
  ["arithmetic", train("batch: 2 ^ 10, clip: 10 / 2")],
  ["two blocks", model("train { batch: 3 }\n  train { batch: 4 }"), "train/duplicate 7:3"],
  ["an unknown setting", train("bacth: 64"), "train/setting 6:11 `train` has no setting `bacth`"],
  ["a setting twice", train("batch: 64, batch: 32"), "train/setting 6:22 `batch` is set twice"],
  ["a batch by string", train('batch: "a"'), "train/setting 6:18"],
  ["a negative batch", train("batch: -1"), "train/setting 6:18"],
  ["a batch of nothing", train("batch: 0"), "train/setting 6:18"],
  ["a fraction of a batch", train("batch: 1.5"), "train/setting 6:18"],
  ["an unknown optimizer", train("optimizer: adamv(lr: 1)"), "train/setting 6:22 `optimizer` must be one of adamw, sgd"],
  ["an unknown setting of an optimizer", train("optimizer: adamw(momentum: 1)"), "train/setting 6:28 `adamw` has no setting `momentum`"],
  ["a setting of an optimizer by string", train('optimizer: adamw(lr: "fast")'), "train/setting 6:32"],
  ["a setting of an optimizer twice", train("optimizer: adamw(lr: 1, lr: 2)"), "train/setting 6:35"],
  ["too many settings by position", train("optimizer: sgd(1, 2, 3, 4)"), "train/setting 6:35 `sgd` has 3 settings, and this is one more"],
  ["a negative learning rate", train("optimizer: adamw(lr: -1)"), "train/setting 6:32"],
  ["an unknown weighting", train("weighting: uncertain"), "train/setting 6:22"],
  ["a number for a weighting", train("weighting: 3"), "train/setting 6:22"],
  ["phases that are no list", train('phases: phase("a", 3)'), "train/setting 6:19"],
  ["an unknown name to freeze", train('phases: [phase("a", 3, freeze: [nothing])]'), "train/setting 6:43"],
  ["a bank to freeze", model('experts b { e = linear(x, 4) }\n  output o = b.e\n  train { phases: [phase("a", 3, freeze: [b])] }')],
  [
    "a tag to freeze",
    model('param p: f32[8] = 0 { tag: "late" }\n  output o = x + p\n  train { phases: [phase("a", 3, freeze: [late])] }'),
  ],
  ["adaTT", train("adatt: adatt(warmup: 3, freeze: 12, every: 10)")],
  [
    "adaTT that freezes before it starts",
    train("adatt: adatt(warmup: 12, freeze: 3)"),
    "train/setting 6:18 adaTT freezes at epoch 3, before its warm-up of 12 epochs has ended",
  ],
  [
    "adaTT that freezes after the last epoch",
    train('adatt: adatt(warmup: 1, freeze: 30), phases: [phase("a", 10), phase("b", 10)]'),
    "train/setting 6:18 adaTT freezes at epoch 30, and the phases plan 20 epochs",
  ],
  ["adaTT that freezes in the last epoch", train('adatt: adatt(warmup: 1, freeze: 19), phases: [phase("a", 10), phase("b", 10)]')],
  ["phases that leave out their ten epochs", train('adatt: adatt(warmup: 1, freeze: 12), phases: [phase("a"), phase("b")]')],
  [
    "adaTT that freezes as its warm-up ends",
    train("adatt: adatt(warmup: 3, freeze: 3)"),
    "train/setting 6:18 adaTT freezes at epoch 3, before its warm-up of 3 epochs has ended",
  ],
  [
    "adaTT's factors the wrong way round",
    train("adatt: adatt(clamp_low: 4)"),
    "train/setting 6:18 adaTT keeps weights from 4 to 3, which is nothing",
  ],
  ["adaTT that would climb a task's loss", train("adatt: adatt(clamp_low: -1)"), "train/setting 6:35"],
  ["adaTT that never forgets", train("adatt: adatt(momentum: 1)"), "train/setting 6:34"],
  ["adaTT with every factor", train('adatt: adatt(inter: 0, clamp_low: 0, clamp_high: 0.5, negative_below: -0.5, mode: "direction")')],
  [
    "an unknown mode of adaTT",
    train('adatt: adatt(mode: "direct")'),
    'train/setting 6:30 `mode` must be one of "bounded", "source", "direction"',
  ],
  ["adaTT over something unknown", train("adatt: adatt(over: [nothing])"), "train/setting 6:31"],
  ["adaTT that freezes something unknown", train("adatt: adatt(freeze_with: [nothing])"), "train/setting 6:38"],
  ["a moment that never moves, which Adam's correction would divide by 0", train("optimizer: adamw(beta1: 1)"), "train/setting 6:35"],
  ["moments of one step", train("optimizer: adamw(beta1: 0, beta2: 0)")],
  [
    "a rate that would rise",
    train("optimizer: adamw(lr: 0.001), schedule: cosine_restarts(lr_min: 0.01)"),
    "train/setting 6:50 `lr_min` is 0.01, above the learning rate of 0.001 from which it is to fall",
  ],
  [
    "a phase whose rate would rise",
    train('schedule: cosine_restarts(lr_min: 1e-4), phases: [phase("a", 3), phase("b", 3, lr: 1e-5)]'),
    "train/setting 6:21 `lr_min` is 0.0001, above the learning rate of 0.00001 from which it is to fall",
  ],
  ["two phases of one name", train('phases: [phase("a", 3), phase("a", 4)]'), 'train/setting 6:19 two phases are called "a"'],
];
