"""An array with a rectilinear grid, made and changed with zarr 3.4.2 or with `zchunk.zarr3`.

Imported by both sides, also where there is no zchunk.
"""

from tests.promises.differential.results import canon, run_steps


class Machine:
    """The array, in a folder: what the operations work on."""

    def __init__(self, zarr, path, options):
        self.z = zarr.create_array(path, **options)

    def write(self, kind, selection, value):
        if kind == "item":
            self.z[selection] = value
        else:
            getattr(self.z, f"set_{kind}_selection")(selection, value)
        return facts(self.z)

    def read(self, kind, selection):
        return self.z[selection] if kind == "item" else getattr(self.z, f"get_{kind}_selection")(selection)

    def resize(self, shape):
        self.z.resize(shape)
        return facts(self.z)

    def append(self, value, axis):
        self.z.append(value, axis)
        return facts(self.z)


def facts(z):
    """Return what is said of the array, and what it holds."""
    sizes = z.shape, z.write_chunk_sizes, z.read_chunk_sizes, z.nchunks, z.cdata_shape, z.nchunks_initialized
    return sizes, z[...]


def run(zarr, path, options, program):
    """Make the array at `path`, run a program, and copy the array; return the results."""
    with zarr.config.set({"array.rectilinear_chunks": True}):
        machine = Machine(zarr, path, options)
        results = run_steps(machine, program)
        copied = zarr.from_array(f"{path}.copy", data=machine.z)
        return [*results, canon(facts(copied))]


def contents(zarr, path):
    """Return what an array that is opened at `path` is, and holds."""
    with zarr.config.set({"array.rectilinear_chunks": True}):
        return canon(facts(zarr.open_array(path, mode="r")))
