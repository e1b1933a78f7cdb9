"""What ``import zarr`` finds when zarr 2's tests run against zchunk: zchunk under zarr's names.

A name that zchunk does not have becomes a placeholder, which fails the test that uses it.
"""

import importlib
import sys
import types

FIXED = {
    "v3_api_available": False,
    "DEFAULT_ZARR_VERSION": 2,
    "__version__": "2.18.7",
    "version": "2.18.7",
}
PUBLIC = ("storage", "errors", "codecs", "indexing", "sync", "attributes", "api", "group", "array", "compat")
MODULES = [
    "core", "hierarchy", "storage", "creation", "convenience", "indexing", "attrs", "errors", "util", "meta",
    "sync", "codecs", "n5", "types", "context", "version", "meta_v1", "_storage", "_storage.store",
    "_storage.v3", "_storage.absstore", "_storage.v3_storage_transformers",
]  # fmt: skip


def find(name, module):
    """Return what zchunk has under `name`, in the module of zarr's name first."""
    for part in (module, "", *PUBLIC):
        try:
            found = importlib.import_module(f"zchunk.{part}" if part else "zchunk")
        except ImportError:
            continue
        if hasattr(found, name):
            return getattr(found, name)
    return placeholder(name)


def placeholder(name):
    def fail(self, *args, **kwargs):
        raise NotImplementedError(f"zchunk has no {name}")

    base = Exception if name.endswith(("Error", "Warning")) else object
    return type(name, (base,), {"__init__": fail, "__module__": "zarr"})


class Module(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith(("__", "pytest", "setUp", "setup", "teardown", "tearDown", "collect")):
            raise AttributeError(name)
        if name in FIXED:
            return FIXED[name]
        found = find(name, self.__name__.partition(".")[2])
        setattr(self, name, found)
        return found


for path in MODULES:
    module = Module(f"zarr.{path}")
    module.__path__ = []
    sys.modules[module.__name__] = module
    parent, _, last = module.__name__.rpartition(".")
    setattr(sys.modules[parent], last, module)
zarr = sys.modules["zarr"]
zarr.__class__ = Module
zarr.__version__ = FIXED["__version__"]


# The tests skip what there is no module for. Debian has this one, which raises another error without its
# package.
try:
    importlib.import_module("dbm.gnu")
except ImportError:
    sys.modules["dbm.gnu"] = None
