"""A program of zarr operations, run with zarr 3.4.2 or with `zchunk.zarr3`: what both must do alike.

Imported by both sides, also where there is no zchunk.
"""

import json
from pathlib import Path

import numcodecs
import numpy as np

from tests.promises.differential.results import canon, run_steps

# Of format 2: the consolidated metadata, which repeat the others.
REPEATED = ".zmetadata"


def codec(config):
    """Return what both take for a codec: of format 2 an object of numcodecs, of format 3 JSON."""
    return numcodecs.get_codec(dict(config)) if "id" in config else config


def is_array(node):
    return hasattr(node, "chunks")


def native(value):
    """Return items in the machine's byte order: in format 3 that is the codec's affair, not the dtype's."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "OT":
        value = value.astype(value.dtype.newbyteorder("="))
    # One item may be an array without axes there.
    return value[()] if isinstance(value, np.ndarray) and not value.ndim else value


def type_of(dtype):
    # Texts are objects here, and of NumPy's type for texts there.
    return "text" if dtype.kind in "OT" else dtype.newbyteorder("=").descr


def facts(z):
    """Return what is said of an array."""
    return {
        "shape": z.shape,
        "chunks": z.chunks,
        "shards": z.shards,
        "dtype": type_of(z.dtype),
        "fill_value": native(z.fill_value),
        "sizes": (z.ndim, z.size, z.nchunks, z.cdata_shape),
        "lengths": (z.read_chunk_sizes, z.write_chunk_sizes),
        "names": getattr(z.metadata, "dimension_names", None),
        "place": (z.path, z.name, z.basename, z.metadata.zarr_format),
        "order": z.order,
        "attrs": attributes(z),
    }


def attributes(node):
    return json.dumps(node.attrs.asdict(), sort_keys=True)


def members(group, depth):
    found = group.members(max_depth=depth)
    return sorted((path, is_array(node)) for path, node in found), group.nmembers(max_depth=depth)


class Machine:
    """A hierarchy in a folder: what the operations work on."""

    def __init__(self, zarr, path, version):
        self.zarr, self.path = zarr, path
        self.root = zarr.open_group(path, mode="w", zarr_format=version)

    def array(self, name):
        node = self.root[name]
        if not is_array(node):
            raise TypeError(name)
        return node

    # ---- nodes

    def create(self, name, options):
        options = dict(options)
        for key in ("compressors", "filters"):
            if options.get(key):
                options[key] = [codec(c) for c in options[key]]
        return facts(self.root.create_array(name, **options))

    def group(self, name, attrs):
        return self.root.create_group(name, attributes=attrs).path

    def require_group(self, name):
        return self.root.require_group(name).path

    def require_array(self, name, shape, dtype):
        return facts(self.root.require_array(name, shape=shape, dtype=dtype))

    def like(self, source, target, function):
        z = getattr(self.root, function)(name=target, data=self.array(source))
        return facts(z), native(z[...])

    def from_array(self, source, target):
        z = self.zarr.from_array(self.path, data=self.array(source), name=target)
        return facts(z), native(z[...])

    def assign(self, name, value):
        self.root[name] = value
        return facts(self.array(name))

    def delete(self, name):
        del self.root[name]
        return name in self.root

    # ---- items

    def write(self, name, kind, selection, value, by_index):
        z = self.array(name)
        if by_index or kind == "item":
            index(z, kind)[selection] = value
        else:
            getattr(z, f"set_{kind}_selection")(selection, value)

    def read(self, name, kind, selection, by_index):
        z = self.array(name)
        if by_index or kind == "item":
            return native(index(z, kind)[selection])
        return native(getattr(z, f"get_{kind}_selection")(selection))

    def resize(self, name, shape):
        z = self.array(name)
        z.resize(shape)
        return facts(z)

    def append(self, name, value, axis):
        return self.array(name).append(value, axis)

    def load(self, name):
        # Of groups zarr cannot do it.
        self.array(name)
        return native(self.zarr.load(self.path, path=name))

    def initialized(self, name):
        return self.array(name).nchunks_initialized

    # ---- attributes

    def set_attr(self, name, key, value):
        self.root[name].attrs[key] = value

    def delete_attr(self, name, key):
        del self.root[name].attrs[key]

    def update_attrs(self, name, values):
        return attributes(self.root[name].update_attributes(values))

    def attrs(self, name):
        node = self.root[name]
        return attributes(node), sorted(node.attrs), len(node.attrs)

    # ---- what is there

    def members(self, name, depth):
        node = self.root[name] if name else self.root
        keys = sorted(node.array_keys()), sorted(node.group_keys()), sorted(node), len(node)
        return keys, members(node, depth)

    def look_up(self, name):
        found = [name in self.root, self.root.get(name) is None]
        for get in (self.root.get_array, self.root.get_group):
            try:
                found.append(get(name).path)
            except Exception:
                found.append(None)
        return found

    def open(self, function, name, mode):
        node = getattr(self.zarr, function)(self.path, path=name, mode=mode)
        return facts(node) if is_array(node) else (node.path, attributes(node), node.read_only)

    def consolidate(self):
        self.zarr.consolidate_metadata(self.path)
        found = self.zarr.open_consolidated(self.path)
        kept = found.metadata.consolidated_metadata.metadata
        return members(found, None), sorted(kept), [attributes(node) for _, node in ordered(found)]

    def reopen(self, mode):
        self.root = self.zarr.open_group(self.path, mode=mode, use_consolidated=False)


def index(z, kind):
    return {"basic": z, "item": z, "orthogonal": z.oindex, "block": z.blocks}.get(kind, z.vindex)


def ordered(group):
    return sorted(group.members(max_depth=None), key=lambda member: member[0])


def run(zarr, path, version, program):
    """Run a program in a new hierarchy at `path`, and return the results."""
    return run_steps(Machine(zarr, path, version), program)


def contents(zarr, path):
    """Return all that is in the hierarchy at `path`, by name."""
    found = {}
    for name, node in ordered(zarr.open_group(path, mode="r", use_consolidated=False)):
        if is_array(node):
            found[name] = canon([facts(node), node.nchunks_initialized, native(node[...])])
        else:
            found[name] = attributes(node)
    return found


def is_idle(codec):
    """Whether a codec leaves axes where they are: zchunk does not store such ones."""
    order = codec.get("configuration", {}).get("order")
    return codec["name"] == "transpose" and order == sorted(order)


def plain(codec):
    """Return a codec without the byte order, which of big-endian dtypes is little there, and big here."""
    if codec["name"] == "sharding_indexed":
        inner = codec["configuration"]["codecs"]
        codec["configuration"]["codecs"] = [plain(c) for c in inner if not is_idle(c)]
    return {"name": "bytes"} if codec["name"] == "bytes" else codec


def stored(path):
    """Return the names of all files below `path`: of metadata with what they say, of chunks alone."""
    found = {}
    for file in sorted(Path(path).rglob("*")):
        key = file.relative_to(path).as_posix()
        if file.is_dir() or file.name == REPEATED:
            continue
        if file.name not in ("zarr.json", ".zarray", ".zgroup", ".zattrs"):
            found[key] = None
            continue
        document = json.loads(file.read_text())
        document.pop("consolidated_metadata", None)
        if document.get("dimension_separator") == ".":
            # Which is meant where it is not said.
            del document["dimension_separator"]
        if isinstance(document.get("data_type"), dict) and "fields" in document["data_type"]["configuration"]:
            # Records have two names, and fill values of two forms: see what is read.
            del document["data_type"], document["fill_value"]
        if "codecs" in document:
            document["codecs"] = [plain(c) for c in document["codecs"] if not is_idle(c)]
        if file.name != ".zattrs" or document:
            found[key] = document
    return found
