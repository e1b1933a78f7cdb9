"""Fixtures for all tests: both executors of the engine, kinds of arrays, and the number of examples."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

import zchunk
from tests import choice, variants
from zchunk.engine import execute

pytest_plugins = ["tests.servers.fixtures"]
pytest.register_assert_rewrite("tests.store_conformance")

pytest_addoption = choice.pytest_addoption
pytest_collection_modifyitems = choice.pytest_collection_modifyitems
EXAMPLES = 200


def pytest_configure(config: pytest.Config) -> None:
    """Set how many examples hypothesis tries.

    There is no deadline, since machines that run CI stall. CI tries the same examples every time, so that a
    red build is about the change at hand; other runs try new ones, and many if asked to.
    """
    choice.pytest_configure(config)
    quiet = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
    examples = choice.rounds(EXAMPLES)
    settings.register_profile("default", max_examples=examples, deadline=None, suppress_health_check=quiet)
    default = settings.get_profile("default")
    settings.register_profile("ci", default, derandomize=True, database=None, print_blob=True)
    settings.register_profile("thorough", default, max_examples=25 * EXAMPLES)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from modules and cases, which live as long as the run.

    There are millions of objects: to look through them takes a second, in every test that asks for it.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(params=["native", "generic"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the native executor, and again with the generic one."""
    monkeypatch.setattr(execute, "native_enabled", request.param == "native")
    return str(request.param)


@pytest.fixture(params=[2, 3], ids=["v2", "v3"])
def zarr_format(request: pytest.FixtureRequest) -> Iterator[int]:
    """Run the test with format 2 as the default of new nodes, and again with format 3."""
    version: int = request.param
    if version == 3 and request.node.get_closest_marker("format2") is not None:
        pytest.skip("about format 2")
    with zchunk.config.set({"default_zarr_format": version}):
        yield version


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    variants.parametrize(metafunc)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[object]) -> None:
    variants.note_outcome(item, call)


@pytest.fixture
def variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[variants.Variant]:
    """Run the test for format 2, format 3, and format 3 with shards (see `tests.variants`)."""
    yield from variants.use(request, monkeypatch)
