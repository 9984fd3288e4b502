// Compiles every architecture in specs/, in float32, in float16 and with its weights beside it, and checks each ONNX file with the checker of Debian's
// python3-onnx, shape inference included.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import "./ensure-installed.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const checker = `
import sys, onnx
from onnx import shape_inference
for path in sys.argv[1:]:
    onnx.checker.check_model(path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    known = {value.name for value in list(inferred.graph.value_info) + list(inferred.graph.output)}
    missing = [name for node in model.graph.node for name in node.output if name and name not in known]
    assert not missing, f"{path}: no inferred type for {missing[:5]}"
    print(f"ok {path.rsplit('/', 1)[-1]}: {len(model.graph.node)} nodes, {len(model.graph.initializer)} initializers")
`;

// The python3 of the PATH may be another one than Debian's, which is the one that has the package.
const pythons = [process.env.PLEC_PYTHON, "/usr/bin/python3", "python3"].filter((name) => name !== undefined);
const python = pythons.find((name) => spawnSync(name, ["-c", "import onnx"]).status === 0);
if (python === undefined) {
  console.error("test:onnx needs the ONNX checker. On Debian: apt-get install -y python3-onnx");
  console.error("Elsewhere: pip install onnx, and set PLEC_PYTHON to that python when it is not the python3 of the PATH.");
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), "plec-onnx-"));
let failed = 0;
let passed = 0;
try {
  const specs = readdirSync(join(root, "specs")).filter((name) => name.endsWith(".ple"));
  if (specs.length === 0) throw new Error("no spec found in specs/");
  const forms = { single: [], half: ["--precision", "fp16"], external: ["--external-data"] };
  for (const [spec, form] of specs.flatMap((name) => Object.keys(forms).map((key) => [name, key]))) {
    const target = join(folder, spec.replace(/\.ple$/, `-${form}.onnx`));
    const compiled = spawnSync(process.execPath, ["bin/plec.cjs", "compile", join("specs", spec), "-o", target, ...forms[form]], {
      cwd: root,
      encoding: "utf8",
    });
    const checked = compiled.status === 0 ? spawnSync(python, ["-c", checker, target], { encoding: "utf8" }) : compiled;
    if (checked.status === 0) {
      passed += 1;
      process.stdout.write(checked.stdout);
    } else {
      failed += 1;
      console.error(`FAILED ${spec} ${form}\n${checked.stdout}${checked.stderr}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`test:onnx: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
