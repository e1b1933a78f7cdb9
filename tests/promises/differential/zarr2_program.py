"""A program of zarr operations, run with zarr 2.18.7 or with zchunk: what both must do alike.

Imported by both sides, also where there is no zchunk.
"""

import json

import numcodecs

from tests.promises.differential.results import canon, run_steps


def codec(config):
    return None if config is None else numcodecs.get_codec(dict(config))


class Machine:
    """A hierarchy in a folder, and a node that is open: what the operations work on."""

    def __init__(self, zarr, path):
        self.zarr, self.path = zarr, path
        self.root = zarr.open_group(path, mode="w")

    def node(self, name):
        return self.root[name]

    def array(self, name):
        node = self.node(name)
        if not hasattr(node, "chunks"):
            raise TypeError(name)
        return node

    # ---- operations

    def create(self, name, options):
        options = dict(options)
        options["compressor"] = codec(options["compressor"])
        options["filters"] = [codec(c) for c in options["filters"]] or None
        if "object_codec" in options:
            options["object_codec"] = codec(options["object_codec"])
        z = self.root.create_dataset(name, **options)
        return z.shape, z.chunks, str(z.dtype), z.order

    def group(self, name):
        return self.root.create_group(name).path

    def require_group(self, name):
        return self.root.require_group(name).path

    def write(self, name, kind, selection, value, fields):
        z = self.array(name)
        if kind == "item":
            z[selection if fields is None else (fields, *_tuple(selection))] = value
        elif fields is None:
            getattr(z, f"set_{kind}_selection")(selection, value)
        else:
            getattr(z, f"set_{kind}_selection")(selection, value, fields=fields)

    def read(self, name, kind, selection, fields):
        z = self.array(name)
        if kind == "item":
            return z[selection if fields is None else (fields, *_tuple(selection))]
        return getattr(z, f"get_{kind}_selection")(selection, fields=fields)

    def resize(self, name, shape):
        z = self.array(name)
        z.resize(*shape)
        return z.shape

    def append(self, name, value, axis):
        return self.array(name).append(value, axis)

    def set_attr(self, name, key, value):
        self.node(name).attrs[key] = value

    def delete_attr(self, name, key):
        del self.node(name).attrs[key]

    def attrs(self, name):
        return json.dumps(self.node(name).attrs.asdict(), sort_keys=True)

    def delete(self, name):
        del self.root[name]

    def move(self, source, target):
        self.root.move(source, target)

    def copy(self, source, target):
        done = list(self.zarr.copy(self.node(source), self.root, name=target))
        # zarr 2 writes attributes where there are none, which is in the digest.
        self.node(target).attrs["copied"] = True
        return done

    def members(self, name):
        node = self.root[name] if name else self.root
        return sorted(node.array_keys()), sorted(node.group_keys()), sorted(node), len(node)

    def visit(self):
        found = []
        self.root.visit(found.append)
        return sorted(found)

    def digest(self, name):
        # It is one of the stored bytes, and encoders differ in theirs.
        z = self.array(name)
        return z.hexdigest() if z.compressor is None else len(z.digest())

    def islice(self, name, start, stop):
        return list(self.array(name).islice(start, stop))

    def iterate(self, name):
        return list(self.array(name))

    def initialized(self, name):
        return initialized(self.array(name))

    def consolidate(self):
        self.zarr.consolidate_metadata(self.path)
        return sorted(self.zarr.open_consolidated(self.path))

    def reopen(self):
        self.root = self.zarr.open_group(self.path, mode="r+")


def initialized(z):
    """Return how many chunks are stored; None where zarr 2 counts the folders of nested ones."""
    separator = getattr(z, "_dimension_separator", None) or getattr(z, "dimension_separator", ".")
    return z.nchunks_initialized if separator == "." else None


def _tuple(selection):
    return selection if isinstance(selection, tuple) else (selection,)


def run(zarr, path, program):
    """Run a program in a new hierarchy at `path`, and return the results."""
    return run_steps(Machine(zarr, path), program)


def contents(zarr, path):
    """Return all that is in the hierarchy at `path`, by name."""
    found = {}

    def visit(name, node):
        found[name] = json.dumps(node.attrs.asdict(), sort_keys=True)
        if hasattr(node, "chunks"):
            filters = [f.get_config() for f in node.filters or ()]
            config = dict(node.compressor.get_config()) if node.compressor is not None else {}
            # zchunk leaves the default out, which some readers do not know.
            if config.get("checksum") is False:
                del config["checksum"]
            found[name + ":"] = canon(
                [
                    node.shape,
                    node.chunks,
                    node.order,
                    config,
                    filters,
                    node.fill_value,
                    node[...],
                    initialized(node),
                ]
            )

    zarr.open_group(path, mode="r").visititems(visit)
    return found
