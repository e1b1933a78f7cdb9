// The side of an implementation in JavaScript: calls come as lines of JSON, and so do answers. What `serve.py` is
// for those in Python. Called with the name of a module in `adapters`.

import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { decode, encode } from "./adapters/items.mjs";

async function run(adapter, call) {
  const { store, box } = call;
  const theCase = call.case;
  if (call.do === "read") {
    const { items, shape } = await adapter.read(store, theCase, box);
    writeFileSync(call.items, encode(theCase, items));
    return { shape, ...(await adapter.attributes(store, theCase)) };
  }
  const items = { data: decode(theCase, readFileSync(call.items, "utf-8")), shape: call.shape };
  if (call.do === "write") await adapter.write(store, theCase, items);
  else await adapter.change(store, theCase, box, items);
  return {};
}

const adapter = await import(`./adapters/${process.argv[2]}.mjs`);
// Nothing that a library prints gets among the answers.
const answers = process.stdout.write.bind(process.stdout);
console.log = console.error;
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await run(adapter, JSON.parse(line));
  } catch (error) {
    answer = { error: `${error?.name}: ${error?.message} ${error?.cause ?? ""}`.slice(0, 500) };
  }
  answers(JSON.stringify(answer) + "\n");
}
