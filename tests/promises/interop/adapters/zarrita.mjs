// zarrita.js: reads both formats, also over HTTP, and writes format 3.

import FileSystemStore from "@zarrita/storage/fs";
import * as zarr from "zarrita";
import { decode, dense, rowMajor } from "./items.mjs";

async function open(store, theCase) {
  const http = store.startsWith("http");
  let files = http ? new zarr.FetchStore(store) : new FileSystemStore(store);
  if (theCase.consolidated) files = await zarr.withConsolidatedMetadata(files, { format: theCase.format === 2 ? "v2" : "v3" });
  const root = zarr.root(files);
  const openAs = theCase.format === 2 ? zarr.open.v2 : zarr.open.v3;
  const location = theCase.path ? new zarr.Location(files, `/${theCase.path}`) : root;
  const array = await openAs(location, { kind: "array" });
  return { array, group: async () => (theCase.path ? (await openAs(root, { kind: "group" })).attrs : null) };
}

const slices = (box) => box && box.map(([start, stop]) => zarr.slice(start, stop));

export async function read(store, theCase, box) {
  const { array } = await open(store, theCase);
  const found = await zarr.get(array, slices(box));
  if (array.shape.length === 0) {
    const type = decode(theCase, theCase.fill_items).constructor;
    return { items: type.of(theCase.numpy === "|b1" ? Number(found) : found), shape: [] };
  }
  let { data } = found;
  if (theCase.numpy === "|b1") data = Uint8Array.from(data, Number);
  return { items: dense(data, found.shape, found.stride), shape: found.shape };
}

export async function write(store, theCase, { data, shape }) {
  if (theCase.format === 2) throw new Error("it creates format 3");
  const files = new FileSystemStore(store);
  if (theCase.path) await zarr.create(zarr.root(files), { attributes: theCase.group });
  const { metadata } = theCase;
  const [fill] = decode(theCase, theCase.fill_items);
  const array = await zarr.create(new zarr.Location(files, `/${theCase.path}`), {
    shape,
    chunkShape: theCase.chunks,
    dtype: theCase.data_type,
    codecs: metadata.codecs,
    fillValue: theCase.numpy === "|b1" ? Boolean(fill) : fill,
    chunkSeparator: theCase.separator,
    dimensionNames: metadata.dimension_names,
    attributes: theCase.attributes,
  });
  await assign(array, null, theCase, { data, shape });
}

async function assign(array, box, theCase, { data, shape }) {
  if (theCase.numpy === "|b1") {
    const bools = new zarr.BoolArray(data.length);
    data.forEach((item, i) => bools.set(i, Boolean(item)));
    data = bools;
  }
  if (array.shape.length === 0) await zarr.set(array, null, data.get ? data.get(0) : data[0]);
  else await zarr.set(array, slices(box), { data, shape, stride: rowMajor(shape) });
}

export async function change(store, theCase, box, items) {
  await assign((await open(store, theCase)).array, box, theCase, items);
}

export async function attributes(store, theCase) {
  const { array, group } = await open(store, theCase);
  return { attributes: array.attrs ?? {}, group: await group() };
}
