"""What ``import zarr`` finds when zarr 3's tests run against zchunk: `zchunk.zarr3`, and stand-ins for more.

A name of a public module is that of `zchunk.zarr3`, or is missing, which fails the tests that use it. Private
modules of zarr have the classes that are public elsewhere, and stand-ins for the few helpers that mean
something for any library. Every other name of theirs, and all coroutines, skip the tests that use them.
"""

import functools
import importlib
import importlib.abc
import importlib.util
import sys
import types

import numpy as np
import pytest

import zchunk.indexing
import zchunk.zarr3
from zchunk.spec.keys import normalize_path
from zchunk.storage import Store
from zchunk.zarr3 import storage

PUBLIC = {
    "zarr.api": "zchunk.zarr3.api",
    "zarr.api.synchronous": "zchunk.zarr3",
    "zarr.codecs": "zchunk.zarr3.codecs",
    "zarr.codecs.numcodecs": "zchunk.zarr3.codecs.numcodecs",
    "zarr.dtype": "zchunk.zarr3.dtype",
    "zarr.errors": "zchunk.zarr3.errors",
    "zarr.metadata": "zchunk.zarr3.metadata",
    "zarr.registry": "zchunk.zarr3.registry",
    "zarr.storage": "zchunk.zarr3.storage",
}
# Where classes are public that zarr's tests import from private modules.
HOMES = ("zarr.dtype", "zarr.metadata", "zarr.codecs", "zarr.errors", "zarr.storage")


# ---- what there is no meaning of


class Meta(type):
    """Of a private name: nothing happens while tests are collected, and a test that uses it is skipped."""

    def __call__(cls, *args, **kwargs):
        return cls._use()

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls._use()

    def __instancecheck__(cls, value):
        cls._use()
        return False

    def __iter__(cls):
        cls._use()
        return iter(())

    def __getitem__(cls, item):
        return cls

    def _use(cls):
        if Running.test:
            pytest.skip(f"{cls.__module__}.{cls.__name__} is private, or a coroutine")
        return cls


class Running:
    """Whether a test runs, or is collected."""

    test = False


@functools.cache
def placeholder(module, name):
    base = (Exception,) if name.endswith(("Error", "Warning")) else ()
    return Meta(name, base, {"__module__": module})


# ---- stand-ins


class Prototype:
    """Makes what zarr calls buffers: values are bytes, and results NumPy arrays."""

    class Items(np.ndarray):
        """A NumPy array with the methods of zarr's."""

        @classmethod
        def from_numpy_array(cls, array):
            return np.asarray(array).view(cls)

        def as_numpy_array(self):
            return self.view(np.ndarray)

        as_ndarray_like = as_numpy_array

    class Value(storage.Buffer):
        """Bytes with the methods of zarr's."""

        @classmethod
        def from_bytes(cls, value):
            return cls(value)

    nd_buffer, buffer = Items, Value


class Coroutines:
    """zarr's coroutines of stores, which its tests use to see what was stored."""

    @classmethod
    async def open(cls, *args, **kwargs):
        return cls(*args, **kwargs)

    def get(self, key, default=None, prototype=None, byte_range=None):
        if not isinstance(default, Prototype) and prototype is None:
            return super().get(key, default)

        async def found():
            value = super(Coroutines, self).get(key)
            return None if value is None else Prototype.Value(value)

        return found()

    async def set(self, key, value):
        self[key] = value

    async def delete(self, key):
        self.pop(key, None)

    async def exists(self, key):
        return key in self

    async def list(self):
        for key in sorted(self):
            yield key

    async def list_prefix(self, prefix):
        for key in sorted(self):
            if key.startswith(prefix):
                yield key


class MemoryStore(Coroutines, storage.MemoryStore):
    """It reads and writes values by methods that the tests derive from."""

    def get_sync(self, key, *, prototype=None, byte_range=None):
        return super().__getitem__(key)

    def set_sync(self, key, value):
        super().__setitem__(key, value)

    def __getitem__(self, key):
        return self.get_sync(key)

    def __setitem__(self, key, value):
        self.set_sync(key, value)

    @property
    def _store_dict(self):
        return self._mutable_mapping


class LocalStore(Coroutines, storage.LocalStore):
    pass


class ZipStore(Coroutines, storage.ZipStore):
    pass


def sync(coroutine):
    """Return what a coroutine returns that waits for nothing, as those above."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError(f"{coroutine} waits")


STAND_INS = {
    "AnyArray": zchunk.zarr3.Array,
    "Array": zchunk.zarr3.Array,
    "Attributes": lambda node: node.attrs,
    "Group": zchunk.zarr3.Group,
    "NDArrayLike": np.ndarray,
    "NDArrayLikeOrScalar": np.ndarray | np.generic,
    "Store": Store,
    "ceildiv": lambda a, b: -(-a // b),
    "ceildiv_int": lambda a, b: -(-a // b),
    "config": zchunk.zarr3.config,
    "default_buffer_prototype": Prototype,
    "normalize_path": normalize_path,
    "sync": sync,
}
INDEXING = "make_slice_selection normalize_integer_selection oindex oindex_set replace_ellipsis"
STAND_INS |= {name: getattr(zchunk.indexing, name) for name in INDEXING.split()}
STORES = {"MemoryStore": MemoryStore, "LocalStore": LocalStore, "ZipStore": ZipStore}
# What a dict becomes.
storage.MemoryStore = MemoryStore


# Private in all but the names of their modules.
INTERNAL = {"AsyncArray", "AsyncGroup", "get_ndbuffer_class"}


# ---- the modules


class Public(types.ModuleType):
    def __getattr__(self, name):
        if f"{self.__name__}.{name}" in PUBLIC:
            return importlib.import_module(f"{self.__name__}.{name}")
        if self.__name__ == "zarr.storage" and name in STORES:
            return STORES[name]
        if name in INTERNAL or (name.startswith("_") and not name.startswith("__")):
            return placeholder(self.__name__, name)
        return getattr(importlib.import_module(PUBLIC.get(self.__name__, "zchunk.zarr3")), name)


class Private(types.ModuleType):
    def __setattr__(self, name, value):
        if Running.test and not isinstance(value, types.ModuleType) and not name.startswith("__"):
            pytest.skip(f"{self.__name__}.{name} is private, and replaced")
        super().__setattr__(name, value)

    def __getattr__(self, name):
        if name.startswith(("__", "pytest", "setUp", "setup", "teardown", "tearDown")):
            raise AttributeError(name)
        if "asynchronous" in self.__name__:
            return placeholder(self.__name__, name)
        if name in STAND_INS:
            return STAND_INS[name]
        for home in HOMES:
            found = getattr(importlib.import_module(home), name, None)
            if isinstance(found, type):
                return subscripted(found)
        return placeholder(self.__name__, name)


def subscripted(cls):
    """Return a class that can be subscripted, as zarr's are: what is in the brackets is for type checkers."""
    if not hasattr(cls, "__class_getitem__"):
        cls.__class_getitem__ = classmethod(lambda cls, item: cls)
    return cls


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        # Of a class `mock.patch` asks first whether it is a module.
        if not name.startswith("zarr.") or name.rpartition(".")[2][0].isupper():
            return None
        return importlib.util.spec_from_loader(name, self, is_package=True)

    def create_module(self, spec):
        return (Public if spec.name in PUBLIC else Private)(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Finder())
sys.modules[__name__].__class__ = Public
