"""The contract of stores as tests: subclass `StoreConformance` and define how the store is made."""

from __future__ import annotations

import os
import pickle
import threading
import traceback
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.choice import rounds
from zchunk.errors import InvalidKeyError, KeyBelowValueError, StoreError, ValueChangedError
from zchunk.storage import Store

LEGAL_KEYS = [
    ".zattrs",
    "0",
    "0.0",
    "a.b",
    "a b/c d",
    "a/b/c/0.0.0",
    "ünïcode/日本語/🙂",
    "-rf",
    "~",
    "%2e%2e",
    "...",
    "a..b",
    "*?[x]",
    "new\nline",
    "c:d",
    "x" * 240,
    "x" * 255,
    "/".join(["deep"] * 50),
]
ILLEGAL_KEYS = [
    "",
    "/",
    "/x",
    "x/",
    "a//b",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "a/..",
    "x\0",
    "a\\b",
    b"x",
    5,
    None,
]
ILLEGAL_PATHS = ["..", "../x", "a/../b", "a/./b", "x\0"]

segments = st.sampled_from(["a", "b", "0", ".zarray"])
keys = st.lists(segments, min_size=1, max_size=3).map("/".join)
steps = st.one_of(
    st.tuples(st.just("set"), keys, st.binary(max_size=20)),
    st.tuples(st.sampled_from(["del", "get", "list", "erase"]), keys, st.just(b"")),
)


def one_thread_sets_what_is_new(store: Store) -> None:
    """Show that of several threads that set the same new key one does so."""
    threads = 4
    barrier = threading.Barrier(threads)

    def work(number: int) -> list[bool]:
        done = []
        for at in range(20):
            barrier.wait(60)
            done.append(store.set_new(f"new/{at}", b"%d" % number))
        return done

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(work, range(threads)))
    for at in range(20):
        (winner,) = [number for number in range(threads) if results[number][at]]
        assert store[f"new/{at}"] == b"%d" % winner


def in_child(function: Callable[[], Any]) -> Any:
    """Return what `function` returns in a forked child, which ends without running exit handlers."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            result = pickle.dumps((True, function()))
        except BaseException:
            result = pickle.dumps((False, traceback.format_exc()))
        with open(write, "wb") as stream:
            stream.write(result)
        os._exit(0)
    os.close(write)
    with open(read, "rb") as stream:
        done, result = pickle.loads(stream.read())
    os.waitpid(pid, 0)
    assert done, result
    return result


def model_list(model: dict[str, bytes], path: str) -> list[str]:
    prefix = f"{path}/" if path else ""
    return sorted({key[len(prefix) :].split("/")[0] for key in model if key.startswith(prefix)})


def below_a_value(model: dict[str, bytes], key: str) -> bool:
    """Whether a key in the model would be a folder of `key`."""
    return any(key.startswith(f"{k}/") for k in model)


def without_below(model: dict[str, bytes], key: str) -> dict[str, bytes]:
    return {k: v for k, v in model.items() if not k.startswith(f"{key}/")}


# Python 3.12 warns of a fork beside threads, which is what `test_fork` is about.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
class StoreConformance:
    """The tests of a store. Subclasses define `make`, and where their store differs.

    `folders`: a key is a value or a folder; writing or deleting it erases what is below.
    `atomic`: readers see whole values. `child_writes`: a forked child may write. `pickles_share`: a copy has
    the same values ever after.
    """

    folders = True
    atomic = True
    child_writes = True
    pickles_share = True

    def make(self, path: Path) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Any:
        store = self.make(tmp_path / "outer" / "store")
        yield store
        store.close()

    # --- the mapping

    def test_set_get_delete(self, store: Store) -> None:
        assert "a/0" not in store
        with pytest.raises(KeyError, match="a/0"):
            store["a/0"]
        with pytest.raises(KeyError, match="a/0"):
            del store["a/0"]
        store["a/0"] = b"one"
        assert "a/0" in store
        assert store["a/0"] == b"one"
        assert type(store["a/0"]) is bytes
        assert store.get("a/1") is None
        store["a/0"] = b"another"
        assert store["a/0"] == b"another"
        assert (list(store), len(store)) == (["a/0"], 1)
        del store["a/0"]
        assert "a/0" not in store
        assert (list(store), len(store)) == ([], 0)

    def test_empty_value_is_not_missing(self, store: Store) -> None:
        store["a"] = b""
        assert store["a"] == b""
        assert "a" in store
        assert store.size("a") == 0

    @pytest.mark.parametrize("key", LEGAL_KEYS, ids=lambda k: ascii(k[:12]))
    def test_legal_keys(self, store: Store, key: str) -> None:
        store[key] = b"value"
        store[key] = b"again"
        assert list(store) == [key]
        assert store[key] == b"again"
        assert store.list_dir() == [key.split("/")[0]]
        assert store.list_dir(key.rpartition("/")[0]) == [key.split("/")[-1]]
        del store[key]
        assert key not in store

    @pytest.mark.parametrize("key", ILLEGAL_KEYS, ids=repr)
    def test_illegal_keys_are_refused(self, store: Store, tmp_path: Path, key: Any) -> None:
        store["x"] = b"x"
        assert key not in store
        (tmp_path / "x").write_bytes(b"outside")
        (tmp_path / "outer").mkdir(exist_ok=True)
        (tmp_path / "outer" / "x").write_bytes(b"outside")
        before = sorted(p for p in tmp_path.rglob("*") if p.name != "store")
        operations: list[Callable[[], Any]] = [
            lambda: store[key],
            lambda: store.get(key),
            lambda: store.__setitem__(key, b"v"),
            lambda: store.__delitem__(key),
            lambda: store.pop(key, None),
            lambda: store.setdefault(key, b"v"),
            lambda: store.size(key),
            lambda: store.get_range(key, 0, 1),
            lambda: store.get_many(["x", key]),
            lambda: store.set_many({key: b"v"}),
            lambda: store.erase_many([key]),
            lambda: store.update({key: b"v"}),
        ]
        if key != "":
            operations += [
                lambda: store.list_dir(key),
                lambda: store.is_empty(key),
                lambda: store.erase_prefix(key),
            ]
        for operation in operations:
            with pytest.raises(InvalidKeyError):
                operation()
        assert dict(store) == {"x": b"x"}
        assert sorted(p for p in tmp_path.rglob("*") if p.name != "store") == before
        assert (tmp_path / "outer" / "x").read_bytes() == b"outside"

    @pytest.mark.parametrize("path", ILLEGAL_PATHS, ids=repr)
    def test_illegal_paths_are_refused(self, store: Store, path: str) -> None:
        store["x"] = b"x"
        for operation in (
            lambda: store.listdir(path),
            lambda: store.rmdir(path),
            lambda: store.getsize(path),
            lambda: store.rename(path, "y"),
            lambda: store.rename("x", path),
        ):
            with pytest.raises(InvalidKeyError):
                operation()
        assert dict(store) == {"x": b"x"}

    @pytest.mark.parametrize(
        "value",
        [
            b"\0\1",
            bytearray(b"abc"),
            memoryview(b"abcdef")[1:4],
            memoryview(b"abcdef")[::2],
            array("d", [1.5, 2.5]),
            np.bytes_(b"abc"),
            np.arange(6, dtype=">i4").reshape(2, 3),
            np.array(3.5),
            np.zeros((0, 3)),
            np.arange(3).astype("M8[s]"),
            np.arange(24.0).reshape(2, 3, 4)[::-1, :, ::2],
            np.zeros(3, [("O", "<f4"), ("b", ">i2", (2,))]),
            np.array([True, False]),
            np.array(["ab", "c"]),
        ],
        ids=lambda v: f"{type(v).__name__}-{getattr(v, 'dtype', '')}",
    )
    def test_bytes_like_values(self, store: Store, value: Any) -> None:
        store["k"] = value
        assert store["k"] == (value.tobytes() if hasattr(value, "tobytes") else bytes(value))

    def test_fortran_arrays_are_stored_as_they_lie(self, store: Store) -> None:
        value = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        store["k"] = value
        assert store["k"] == value.tobytes("A") != value.tobytes("C")

    @pytest.mark.parametrize(
        "value", ["text", None, 5, [1, 2], np.array([None]), np.zeros(1, [("a", "O")])], ids=repr
    )
    def test_other_values_are_refused(self, store: Store, value: Any) -> None:
        store["k"] = b"old"
        with pytest.raises(TypeError):
            store["k"] = value
        assert store["k"] == b"old"

    def test_values_do_not_alias(self, store: Store) -> None:
        value = np.arange(5)
        expected = value.tobytes()
        store["k"] = value
        value[:] = -1
        assert store["k"] == expected

    @settings(max_examples=rounds(40), deadline=None, suppress_health_check=list(HealthCheck))
    @given(script=st.lists(steps, max_size=25))
    def test_behaves_as_a_dict(self, tmp_path_factory: pytest.TempPathFactory, script: list[Any]) -> None:
        model: dict[str, bytes] = {}
        with self.make(tmp_path_factory.mktemp("model") / "store") as store:
            for action, key, value in script:
                if action == "set" and self.folders and below_a_value(model, key):
                    with pytest.raises(KeyBelowValueError):
                        store[key] = value
                elif action == "set":
                    if self.folders:
                        model = without_below(model, key)
                    store[key] = model[key] = value
                elif action == "del":
                    assert store.pop(key, None) == model.pop(key, None)
                elif action == "get":
                    assert store.get(key) == model.get(key)
                    assert (key in store) == (key in model)
                elif action == "list":
                    assert store.is_empty(key) == (not model_list(model, key))
                    assert set(store.list_dir(key)) >= set(model_list(model, key))
                else:
                    store.erase_prefix(key)
                    model = without_below(model, key)
                assert dict(store) == model
                assert len(store) == len(model)

    # --- the optional methods

    def test_get_range(self, store: Store) -> None:
        value = bytes(range(100))
        store["k"] = value
        for start, stop in [
            (0, 0),
            (0, 100),
            (3, 7),
            (99, 200),
            (100, 101),
            (500, 600),
            (10, None),
            (0, None),
        ]:
            assert store.get_range("k", start, stop) == value[start:stop]
        for start, stop in [(-1, 5), (5, 4), (-5, None)]:
            with pytest.raises(ValueError, match="byte range"):
                store.get_range("k", start, stop)
        with pytest.raises(KeyError):
            store.get_range("missing", 0, 1)

    def test_pieces(self, store: Store) -> None:
        value = bytes(range(100))
        store["k"], store["empty"] = value, b""
        ranges = [(3, 5), (7, 7), (90, 200), (300, 301), (0, 0), (0, 100)]
        assert store.get_ranges("k", ranges) == [value[start:stop] for start, stop in ranges]
        assert store.get_ranges("k", [(1, 2)]) == [b"\1"]
        for nbytes in (0, 1, 100, 1000):
            assert store.get_piece("k", nbytes)[:2] == (value[:nbytes], 100)
            assert store.get_piece("k", nbytes, True)[:2] == (value[100 - min(nbytes, 100) :], 100)
        for at_end in (False, True):
            assert store.get_piece("empty", 10, at_end)[:2] == (b"", 0)
            with pytest.raises(KeyError):
                store.get_piece("missing", 10, at_end)
        with pytest.raises(KeyError):
            store.get_ranges("missing", [(0, 1)])

    def test_pieces_of_a_version(self, store: Store) -> None:
        store["k"] = b"old value"
        version = store.get_piece("k", 3).version
        assert store.get_ranges("k", [(0, 3), (4, 9)], version) == [b"old", b"value"]
        if version is None:
            return
        store["k"] = b"new value"
        with pytest.raises(ValueChangedError, match="'k'"):
            store.get_ranges("k", [(0, 3), (4, 9)], version)
        del store["k"]
        with pytest.raises(ValueChangedError, match="'k'"):
            store.get_ranges("k", [(0, 3)], version)

    def test_batches(self, store: Store) -> None:
        store.set_many({f"a/{i}": b"%d" % i for i in range(0, 100, 3)})
        keys = [*(f"a/{i}" for i in range(100)), "a"]
        for nbytes in (1, 10**8):
            found = [value for batch in store.batches(iter(keys), nbytes) for value in batch]
            assert [None if value is None else bytes(value) for value in found] == [
                *(b"%d" % i if i % 3 == 0 else None for i in range(100)), None
            ]  # fmt: skip
        assert list(store.batches([], 1)) == []

    def test_existing(self, store: Store) -> None:
        store.set_many({"a/0": b"0", "b": b""})
        assert store.existing(["a/0", "a/1", "a", "b", "c"]) == {"a/0", "b"}
        assert store.existing([]) == set()

    def test_what_is_vacant_has_nothing_below(self, store: Store) -> None:
        assert store.is_vacant() in (False, store.root is not None)
        store["a/b/0"] = b"value"
        for path in ("", "a", "a/b", "a/b/0"):
            assert not store.is_vacant(path)
        # Not a place for anything, but not known to be empty either.
        assert not store.is_vacant("a/b/0/c")
        assert store.is_vacant("a/c") in (False, store.root is not None)

    def test_set_new(self, store: Store) -> None:
        assert store.set_new("a/new", b"first")
        assert store["a/new"] == b"first"
        assert store.set_new("a/b/new", b"below")
        assert sorted(store) == ["a/b/new", "a/new"]
        if store.root is not None:
            assert not store.set_new("a/new", b"second")
            assert store["a/new"] == b"first"

    def test_modify(self, store: Store) -> None:
        store.modify("k", lambda old: b"new" if old is None else b"?")
        store.modify("k", lambda old: None if old is None else old + b"er")
        assert store["k"] == b"newer"
        for _ in range(2):
            store.modify("k", lambda old: None)
            assert "k" not in store
        store["k"] = b"kept"
        with pytest.raises(ZeroDivisionError):
            store.modify("k", lambda old: b"%d" % (1 // 0))
        assert store["k"] == b"kept"

    def test_many(self, store: Store) -> None:
        store.set_many({"a/0": b"0", "a/1": bytearray(b"1")})
        assert store.get_many(["a/1", "a/2", "a/0", "a"]) == {"a/0": b"0", "a/1": b"1"}
        assert store.get_many([]) == {}
        store.set_many({"a/2": b"2", "b": b"3"})
        store.erase_many(key for key in ["a/1", "a/9", "a", "b", "b/x", "a/1"])
        assert dict(store) == {"a/0": b"0", "a/2": b"2"}
        store.erase_many([])

    def test_size(self, store: Store) -> None:
        store["a/k"] = b"12345"
        assert store.size("a/k") == 5
        for missing in ("a", "b", "a/k/x"):
            with pytest.raises(KeyError):
                store.size(missing)

    def test_folders_are_no_keys(self, store: Store) -> None:
        store["a/b/c"] = b"v"
        for missing in ("a", "a/b", "a/b/c/d"):
            assert missing not in store
            with pytest.raises(KeyError):
                store[missing]
        store.erase_many(["a", "a/b", "a/b/c/d"])
        assert store["a/b/c"] == b"v"
        with pytest.raises(KeyError):
            del store["a/b/c/d"]
        assert store["a/b/c"] == b"v"

    @pytest.mark.parametrize("path", ["a", "a/b"])
    def test_deleting_a_folder(self, store: Store, path: str) -> None:
        store["a/b/c"] = store["a/b/d/e"] = store["ab"] = b"v"
        if not self.folders:
            with pytest.raises(KeyError):
                del store[path]
            assert len(store) == 3
            return
        assert store["a/b/d/e"] == b"v"
        del store[path]
        assert dict(store) == {"ab": b"v"}
        assert "a/b/c" not in store
        with pytest.raises(KeyError):
            store["a/b/d/e"]
        with pytest.raises(KeyError):
            del store[path]

    def test_value_in_the_place_of_a_folder(self, store: Store) -> None:
        store["a/b/c"] = store["a/b/d/e"] = store["ab"] = b"v"
        assert store["a/b/d/e"] == b"v"
        store["a/b"] = b"w"
        assert store["a/b"] == b"w"
        if self.folders:
            assert dict(store) == {"a/b": b"w", "ab": b"v"}
            assert store.get("a/b/d/e") is None
        else:
            assert len(store) == 4

    def test_key_below_a_value(self, store: Store) -> None:
        store["a/b"] = b"v"
        for key in ("a/b/c", "a/b/c/d"):
            if self.folders:
                with pytest.raises(KeyBelowValueError) as caught:
                    store[key] = b"w"
                assert isinstance(caught.value, StoreError)
                assert isinstance(caught.value, KeyError)
                assert dict(store) == {"a/b": b"v"}
            else:
                store[key] = b"w"
                assert store["a/b"] == b"v"

    def test_list_dir(self, store: Store) -> None:
        assert store.list_dir() == []
        assert store.list_dir("nothing") == []
        assert store.is_empty()
        for key in (".zgroup", "b/.zarray", "b/0.0", "a/c/.zarray", "ab/.zgroup"):
            store[key] = b"v"
        assert store.list_dir() == [".zgroup", "a", "ab", "b"]
        assert store.list_dir("b") == store.listdir("/b/") == [".zarray", "0.0"]
        assert store.list_dir("a") == ["c"]
        assert store.list_dir(".zgroup") == []
        assert store.listdir() == store.listdir(None) == store.listdir("/") == store.list_dir()
        assert not store.is_empty()
        assert not store.is_empty("a")
        assert store.is_empty("c")
        assert store.is_empty(".zgroup")

    def test_erase_prefix(self, store: Store) -> None:
        for key in ("a/b/0", "a/b/1", "a/bc/0", "a/.zgroup", "d/0"):
            store[key] = b"v"
        store.erase_prefix("a/b")
        assert sorted(store) == ["a/.zgroup", "a/bc/0", "d/0"]
        store.erase_prefix("d/0")
        store.erase_prefix("nothing/there")
        assert "d/0" in store
        store.rmdir("/a/")
        assert list(store) == ["d/0"]
        store.erase_prefix()
        assert list(store) == []
        store["a/b"] = b"v"
        store.clear()
        assert list(store) == []
        store["a"] = b"v"
        assert dict(store) == {"a": b"v"}

    def test_sync_changes_nothing(self, store: Store) -> None:
        values = {key: key.encode() for key in ("a/b/0", "a/1", "k")}
        for key, value in values.items():
            store[key] = value
        store.sync("a/1")
        store.sync(["a", "k", "nothing/there"])
        store.sync()
        assert {key: store[key] for key in store} == values

    def test_rename(self, store: Store) -> None:
        for key in ("a/b/0", "a/b/c/1", "a/bc/0", "k"):
            store[key] = key.encode()
        store.rename("a/b", "x/y/z")
        assert sorted(store) == ["a/bc/0", "k", "x/y/z/0", "x/y/z/c/1"]
        assert store["x/y/z/c/1"] == b"a/b/c/1"
        store.rename("/k", "m/k/")
        assert store["m/k"] == b"k"
        store.rename("m/k", "m/k")
        with pytest.raises(KeyError):
            store.rename("gone", "n")
        for src, dst in [("m/k", "a/bc/0"), ("m", "a/bc"), ("a", "m/k"), ("m/k", "a")]:
            with pytest.raises(StoreError, match="exists"):
                store.rename(src, dst)
        for src, dst in [("a", "a/b/c"), ("a/bc", "a"), ("", "b"), ("a", "/")]:
            with pytest.raises(InvalidKeyError):
                store.rename(src, dst)
        assert sorted(store) == ["a/bc/0", "m/k", "x/y/z/0", "x/y/z/c/1"]

    def test_getsize(self, store: Store) -> None:
        for key, n in (("a/0", 3), ("a/1", 4), ("a/b/0", 50), ("c", 6)):
            store[key] = bytes(n)
        assert store.getsize("a") == 7
        assert store.getsize("a/b/") == 50
        assert store.getsize("c") == store.getsize() == 6
        assert store.getsize("none") == 0

    def test_iteration_survives_changes(self, store: Store) -> None:
        for i in range(50):
            store[f"a/{i}"] = b"v"
        for key in store:
            del store[key]
        assert len(store) == 0

    # --- threads, processes, pickles

    def test_threads_see_whole_values(self, store: Store) -> None:
        if not self.atomic:
            pytest.skip("writes in place")
        values = [bytes([i]) * (1000 + 7000 * i) for i in range(6)]
        store["a/k"] = values[0]
        stop = threading.Event()

        def write(value: bytes) -> None:
            for _ in range(40):
                store["a/k"] = value

        def read() -> None:
            while not stop.is_set():
                assert store["a/k"] in values
                assert "a/k" in store
                assert store.list_dir("a") == ["k"]

        with ThreadPoolExecutor(10) as pool:
            readers = [pool.submit(read) for _ in range(4)]
            writers = [pool.submit(write, value) for value in values]
            for writer in writers:
                writer.result()
            stop.set()
            for reader in readers:
                reader.result()
        assert dict(store) in [{"a/k": value} for value in values]

    def test_threads_lose_no_key(self, store: Store) -> None:
        def work(thread: int) -> None:
            for i in range(40):
                store[f"a/{i}/{thread}"] = f"{i} {thread}".encode()
                if i % 2:
                    del store[f"a/{i}/{thread}"]

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert dict(store) == {f"a/{i}/{t}": f"{i} {t}".encode() for i in range(0, 40, 2) for t in range(8)}

    def test_one_thread_sets_what_is_new(self, store: Store) -> None:
        one_thread_sets_what_is_new(store)

    def test_setting_what_is_new(self, store: Store) -> None:
        assert store.set_new("new/0", b"value")
        assert not store.set_new("new/0", b"other")
        assert store["new/0"] == b"value"
        assert store.set_new_many({"new/x": b"1", "new/y": b"2"})
        del store["new/y"]
        assert store.set_new_many({"new/x": b"3", "new/y": b"4"})
        assert not store.set_new_many({"new/z": b"5", "new/y": b"6"})
        assert (store["new/x"], store["new/y"]) == (b"3", b"4")

    def test_threads_write_what_others_erase(self, store: Store) -> None:
        def write(thread: int) -> None:
            for i in range(50):
                store[f"a/b/{thread}/{i}"] = b"v"

        def erase(_: int) -> None:
            for _ in range(50):
                store.erase_prefix("a")

        with ThreadPoolExecutor(6) as pool:
            jobs = [pool.submit(f, i) for i in range(3) for f in (write, erase)]
            for job in jobs:
                job.result()
        store.erase_prefix("a")
        assert len(store) == 0

    def test_pickle(self, store: Store) -> None:
        store["a/0"] = b"v"
        copy = pickle.loads(pickle.dumps(store))
        assert type(copy) is type(store)
        assert copy == store
        assert dict(copy) == {"a/0": b"v"}
        assert copy._dimension_separator == store._dimension_separator
        copy["a/1"] = b"w"
        assert copy["a/1"] == b"w"
        if self.pickles_share:
            assert store["a/1"] == b"w"
        copy.close()

    def test_fork(self, store: Store) -> None:
        store["a/0"] = b"v"
        held = threading.Event()
        release = threading.Event()

        def write() -> None:
            while not release.is_set():
                store["a/1"] = b"w" * 10_000
                held.set()

        thread = threading.Thread(target=write)
        thread.start()
        held.wait()
        try:
            for _ in range(rounds(5)):
                value, busy = in_child(lambda: (store["a/0"], store["a/1"]))
                assert value == b"v"
                assert busy == b"w" * 10_000 or not self.atomic

                def child_writes() -> bytes:
                    store["c"] = b"child"
                    return store["c"]

                if self.child_writes:
                    assert in_child(child_writes) == b"child"
        finally:
            release.set()
            thread.join()
        assert store["a/0"] == b"v"
        store["a/2"] = b"parent"
        assert store["a/2"] == b"parent"

    def test_context_manager_and_repr(self, tmp_path: Path) -> None:
        with self.make(tmp_path / "outer" / "store") as store:
            store["k"] = b"v"
            assert type(store).__name__ in repr(store)
            assert store != {"k": b"v"}
