// Builds the page and serves it. Usage: node examples/browser/serve.mjs [--port 8080] [--model DIR]
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildPage } from "./build.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Serves the page and the model's folder; resolves with the server once it listens. */
async function servePage({ port, model }) {
  await buildPage();
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    const file = path.startsWith(`${sep}model${sep}`) ? join(model, path.slice(7)) : join(folder, path === sep ? "index.html" : path);
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": types[extname(file)] ?? "application/octet-stream",
      "cache-control": "no-cache",
      // Threads of WebAssembly need a page that is isolated from others.
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    if (request.method === "HEAD") response.end();
    else createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return server;
}

const { values } = parseArgs({
  options: { port: { type: "string", default: "8080" }, model: { type: "string", default: join(folder, "model") } },
});
try {
  const server = await servePage({ port: Number(values.port), model: values.model });
  console.log(`http://localhost:${server.address().port}/  (Ctrl-C ends it)`);
} catch (error) {
  if (error.code !== "EADDRINUSE") throw error;
  console.error(`port ${values.port} is taken; name another one with --port`);
  process.exitCode = 2;
}
