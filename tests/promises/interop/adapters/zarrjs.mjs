// zarr.js: format 2.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { KeyError, NestedArray, create, openArray, openGroup } from "zarr";
import { decode, dense } from "./items.mjs";

// It has no store of files of its own.
class Folder {
  constructor(path) {
    this.path = path;
  }
  getItem(key) {
    if (!this.containsItem(key)) throw new KeyError(key);
    return Uint8Array.from(readFileSync(join(this.path, key))).buffer;
  }
  setItem(key, value) {
    const file = join(this.path, key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof value === "string" ? value : Buffer.from(value));
    return true;
  }
  containsItem(key) {
    return existsSync(join(this.path, key));
  }
  keys() {
    return [];
  }
  deleteItem() {
    throw new Error("not needed");
  }
}

const open = (store, theCase, mode) => openArray({ store: new Folder(store), path: theCase.path, mode });

export async function read(store, theCase, box) {
  const array = await open(store, theCase, "r");
  const found = await array.getRaw(box && box.map(([start, stop]) => ({ start, stop, step: 1, _slice: true })));
  if (array.shape.length === 0) {
    const items = decode(theCase, theCase.fill_items);
    items[0] = typeof found === "object" ? found.data[0] : found;
    return { items, shape: [] };
  }
  return { items: dense(found.data, found.shape, found.strides), shape: found.shape };
}

export async function write(store, theCase, { data, shape }) {
  const folder = new Folder(store);
  if (theCase.path) {
    const root = await openGroup(folder, "", "a");
    for (const [name, value] of Object.entries(theCase.group)) await root.attrs.setItem(name, value);
  }
  const { metadata } = theCase;
  const fill = metadata.fill_value;
  const array = await create({
    store: folder,
    path: theCase.path,
    shape,
    chunks: theCase.chunks,
    dtype: metadata.dtype,
    compressor: metadata.compressor,
    order: theCase.order,
    fillValue: typeof fill === "string" ? Number(fill) : fill,
    filters: metadata.filters ?? undefined,
    dimensionSeparator: theCase.separator,
  });
  for (const [name, value] of Object.entries(theCase.attributes)) await array.attrs.setItem(name, value);
  await array.set(null, new NestedArray(data, shape, metadata.dtype));
}

export async function change(store, theCase, box, { data, shape }) {
  const array = await open(store, theCase, "r+");
  const selection = box && box.map(([start, stop]) => ({ start, stop, step: 1, _slice: true }));
  await array.set(selection, new NestedArray(data, shape, theCase.metadata.dtype));
}

export async function attributes(store, theCase) {
  const array = await open(store, theCase, "r");
  const root = theCase.path ? await openGroup(new Folder(store), null, "r") : null;
  return { attributes: await array.attrs.asObject(), group: root && (await root.attrs.asObject()) };
}
