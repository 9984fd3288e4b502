import { type Case, model } from "../expect.ts";

const importing = (statement: string, use = "") =>
  `${statement}\n${model("").replace("linear(x, task.width)", use === "" ? "linear(x, task.width)" : use)}`;

export const importCases: readonly Case[] = [
  ["a module of the library", importing('import { Tower } from "std/layers"', "Tower(x, task.width)")],
  ["with the extension", importing('import { Tower } from "std/layers.ple"', "Tower(x, task.width)")],
  ["from a folder", importing('import { RawScale } from "std/experts"', "linear(RawScale(x), 1)")],
  ["under another name", importing('import { Tower as End } from "std/layers"', "End(x, task.width)")],
  [
    "a file that does not exist",
    importing('import { Tower } from "std/layer"', "Tower(x, task.width)"),
    "import/not-found 1:23 cannot find `std/layer`",
  ],
  [
    "a file beside this one that does not exist",
    importing('import { Tower } from "./nothing"', "Tower(x, task.width)"),
    "import/not-found 1:23",
  ],
  ["a bare path", importing('import { Tower } from "layers"', "Tower(x, task.width)"), "import/not-found 1:23"],
  ["an absolute path", importing('import { Tower } from "/etc/passwd"', "Tower(x, task.width)"), "import/not-found 1:23"],
  ["an empty path", importing('import { Tower } from ""', "Tower(x, task.width)"), "import/not-found 1:23"],
  ["out of the library", importing('import { Tower } from "std/../../package"', "Tower(x, task.width)"), "import/outside 1:23"],
  ["out of the project", importing('import { Tower } from "../../../../../../elsewhere"', "Tower(x, task.width)"), "import/outside 1:23"],
  [
    "a name that the file does not have",
    importing('import { Towr } from "std/layers"', "Towr(x, task.width)"),
    "import/no-such-name 1:10 `std/layers` has no definition `Towr`",
  ],
  [
    "a name that the folder does not have",
    importing('import { Rawscal } from "std/experts"', "linear(Rawscal(x), 1)"),
    "import/no-such-name 1:10",
  ],
  [
    "a name that another file imports",
    importing('import { symlog } from "std/experts/raw_scale"', "symlog(x)"),
    "import/no-such-name 1:10",
  ],
  ["an unused name", importing('import { Tower } from "std/layers"'), "import/unused 1:10 `Tower` is imported and never used"],
  ["an unused name of two", importing('import { Tower, Dense } from "std/layers"', "Tower(x, task.width)"), "import/unused 1:17"],
  ["an unused alias", importing('import { Tower as End } from "std/layers"'), "import/unused 1:10 `End` is imported and never used"],
  ["a name used in a definition alone", `${importing('import { Tower } from "std/layers"')}module F(x: f32[B, n]) { return Tower(x, 1) }`],
];
