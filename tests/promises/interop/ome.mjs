// Print the sum of the items of every array in an image, plate or label of OME-Zarr, as zarrita.js reads them.

import FileSystemStore from "@zarrita/storage/fs";
import * as zarr from "zarrita";

const root = zarr.root(new FileSystemStore(process.argv[2]));
const sums = {};

async function visit(path) {
  const location = path ? root.resolve(path) : root;
  const { attrs } = await zarr.open(location, { kind: "group" });
  // From version 0.5 on in a member of its own.
  const found = attrs.ome ?? attrs;
  const below = (name) => (path ? `${path}/${name}` : name);
  for (const { datasets } of found.multiscales ?? []) {
    for (const dataset of datasets) {
      const array = await zarr.open(root.resolve(below(dataset.path)), { kind: "array" });
      const { data } = await zarr.get(array);
      sums[below(dataset.path)] = data.reduce((sum, item) => sum + item, 0);
    }
  }
  const members = [...(found.plate?.wells ?? []), ...(found.well?.images ?? [])].map(({ path: name }) => name);
  // The group of labels is not said in the image.
  if (found.multiscales && !found["image-label"]) members.push("labels");
  for (const name of [...members, ...(found.labels ?? [])]) await visit(below(name));
}

await visit("");
console.log(JSON.stringify(sums));
