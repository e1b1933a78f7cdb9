"""The settings of the process, in the way of zarr 3's."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

import zchunk
from zchunk.runtime.settings import Config


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    zchunk.config.reset()


def in_program(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import zchunk; {code}"],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_get() -> None:
    assert zchunk.config.get("array.order") == zchunk.config["array"]["order"] == "C"
    assert zchunk.config.get("array.read-missing-chunks") is True
    assert zchunk.config.get("no.such", 5) == 5
    assert zchunk.config.get("array.order", override_with="F") == "F"
    assert "array.order" in zchunk.config
    assert "array" in zchunk.config
    assert "no.such" not in zchunk.config
    with pytest.raises(KeyError, match=r"no\.such"):
        zchunk.config.get("no.such")


def test_set_in_all_ways() -> None:
    zchunk.config.set({"array.order": "F", "array": {"write_empty_chunks": False}}, default_zarr_format=3)
    zchunk.config.set(array__read_missing_chunks=False)
    found = zchunk.config.to_dict()
    assert found["array"]["order"] == "F"
    assert found["array"]["write_empty_chunks"] is found["array"]["read_missing_chunks"] is False
    assert found["default_zarr_format"] == 3
    zchunk.config.reset()
    assert zchunk.config.get("array.order") == "C"


def test_with_puts_back_its_own_keys_alone() -> None:
    with zchunk.config.set({"array.order": "F"}) as values:
        assert values["array"]["order"] == "F"
        zchunk.config.set({"default_zarr_format": 3})
        with zchunk.config.set({"array.order": "C"}):
            assert zchunk.config.get("array.order") == "C"
        assert zchunk.config.get("array.order") == "F"
    assert zchunk.config.get("array.order") == "C"
    assert zchunk.config.get("default_zarr_format") == 3


def test_a_value_that_is_not_valid_changes_nothing() -> None:
    with pytest.raises(ValueError, match=r"array\.order is 'K', not 'C' or 'F'"):
        zchunk.config.set({"default_zarr_format": 3, "array.order": "K"})
    assert zchunk.config.get("default_zarr_format") == 2
    for key, value in (("threading.max_workers", 0), ("spare_memory", -1), ("durability", "much")):
        with pytest.raises(ValueError, match=f"{key} is {value!r}, not "):
            zchunk.config.set({key: value})


def test_a_name_that_is_near_to_a_setting_says_which_was_meant() -> None:
    zchunk.config._state.warned.discard("array.ordr")
    with pytest.warns(UserWarning, match=r"no setting 'array\.ordr'.*did you mean 'array\.order'\?"):
        zchunk.config.set({"array.ordr": "F"}).__enter__()
    zchunk.config.reset()
    with pytest.raises(KeyError, match=r"no setting 'array\.oder'; did you mean 'array\.order'\?"):
        zchunk.config.get("array.oder")


def test_what_nothing_asks_for_warns_once() -> None:
    key = "codec_pipeline.batch_size"
    zchunk.config._state.warned.discard(key)
    with pytest.warns(UserWarning, match=r"'codec_pipeline\.batch_size'") as caught:
        zchunk.config.set({"codec_pipeline": {"batch_size": 2}})
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zchunk.config.set({key: 3})
    assert zchunk.config.get(key) == 3


def test_threads_and_memory_are_settings() -> None:
    zchunk.set_threads(3)
    assert zchunk.config.get("threading.max_workers") == 3
    with zchunk.config.set({"threading.max_workers": 2, "spare_memory": 1 << 20}):
        assert zchunk.get_threads() == 2
        assert zchunk.get_spare_memory()[0] == 1 << 20
    assert zchunk.get_threads() == 3
    zchunk.set_threads(None)
    assert zchunk.config.get("threading.max_workers") is None


def test_environment() -> None:
    code = "print(zchunk.config.get('array.order'), zchunk.config.get('array.write_empty_chunks'))"
    env = {"ZCHUNK_ARRAY__ORDER": "F", "ZCHUNK_ARRAY__WRITE_EMPTY_CHUNKS": "False"}
    assert in_program(code, **env) == "F False"
    code = "print(zchunk.get_threads(), zchunk.config['threading.max_workers'])"
    assert in_program(code, ZCHUNK_THREADS="3") == "3 3"
    assert in_program(code, ZCHUNK_THREADING__MAX_WORKERS="3") == "3 3"
    # What the program sets comes first.
    code = "zchunk.config.set({'default_zarr_format': 2}); print(zchunk.config.get('default_zarr_format'))"
    assert in_program(code, ZCHUNK_DEFAULT_ZARR_FORMAT="3") == "2"
    code = "zchunk.config.get('default_zarr_format')"
    assert "ZCHUNK_DEFAULT_ZARR_FORMAT is '4', not 2 or 3" in in_program(code, ZCHUNK_DEFAULT_ZARR_FORMAT="4")


def test_two_views_share_what_is_set_and_differ_in_defaults() -> None:
    one = Config({"a": 1, "b": 1})
    two = Config({"a": 2, "b": 1}, one)
    assert (one.get("a"), two.get("a")) == (1, 2)
    with pytest.warns(UserWarning, match="'a'"), two.set({"a": 3}):
        assert (one.get("a"), two.get("a")) == (3, 3)
    assert (one.get("a"), two.get("a")) == (1, 2)
    assert one.defaults == [{"a": 1, "b": 1}]


def test_said() -> None:
    assert zchunk.config.said("array.order", "F") == "F"
    with zchunk.config.set({"array.order": "C"}):
        assert zchunk.config.said("array.order", "F") == "C"


def test_threads_lose_no_setting() -> None:
    config = Config({f"k{i}": 0 for i in range(8)})
    config._state.warned.update(f"k{i}" for i in range(8))

    def change(key: str) -> None:
        for n in range(200):
            config.set({key: n + 1})

    threads = [threading.Thread(target=change, args=(f"k{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(config.to_dict().values()) == {200}


def test_a_gpu_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"cupy\.asarray"):
        zchunk.config.enable_gpu()
