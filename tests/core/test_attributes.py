"""User attributes: write-through, caching as zarr 2.18, and no lost updates between threads."""

import json
import pickle
import threading
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest

import zchunk
from tests.nonsense import Nonsense
from zchunk.compat import KVStoreV3, StoreV3, meta_root
from zchunk.core.attributes import Attributes
from zchunk.errors import MetadataError, PathNotFoundError, ReadOnlyError


class CountingStore(dict):
    def __init__(self, *args):
        super().__init__(*args)
        self.reads = self.writes = 0

    def __getitem__(self, key):
        self.reads += 1
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self.writes += 1
        super().__setitem__(key, value)


def test_mapping():
    store = {}
    attrs = Attributes(store)
    assert dict(attrs) == {}
    assert len(attrs) == 0
    assert not store
    attrs["foo"] = "bar"
    attrs["baz"] = 42
    assert attrs["foo"] == "bar"
    assert "foo" in attrs
    assert "x" not in attrs
    assert 5 not in attrs
    assert list(attrs) == list(attrs.keys()) == ["baz", "foo"]
    assert sorted(attrs.items()) == [("baz", 42), ("foo", "bar")]
    assert attrs.asdict() == {"foo": "bar", "baz": 42}
    assert len(attrs) == 2
    del attrs["foo"]
    assert "foo" not in attrs
    assert attrs.pop("baz") == 42
    assert attrs.setdefault("n", 1) == 1
    assert attrs.get("m", 2) == 2
    assert repr(attrs) == "Attributes({'n': 1})"
    assert store == {".zattrs": b'{\n    "n": 1\n}'}


def test_missing_names():
    attrs = Attributes({})
    with pytest.raises(KeyError):
        attrs["x"]
    with pytest.raises(KeyError):
        del attrs["x"]


@pytest.mark.parametrize("cache", [True, False])
def test_changes_are_one_write_each(cache):
    store = CountingStore()
    attrs = Attributes(store, key="a/.zattrs", cache=cache)
    attrs.put({"a": 1, "b": 2, "c": 3})
    assert store.writes == 1
    attrs.update({"a": 10}, d=4)
    attrs.update([("e", 5)])
    assert store.writes == 3
    assert attrs.asdict() == {"a": 10, "b": 2, "c": 3, "d": 4, "e": 5}
    attrs.clear()
    assert store.writes == 4
    assert store["a/.zattrs"] == b"{}"


def test_cache():
    store = CountingStore({".zattrs": b'{"a": 1}'})
    attrs = Attributes(store)
    assert [attrs["a"], attrs["a"], len(attrs), list(attrs)] == [1, 1, 1, ["a"]]
    assert store.reads == 1
    store[".zattrs"] = b'{"a": 2, "b": 3}'
    assert attrs["a"] == 1
    attrs.refresh()
    assert attrs["a"] == 2
    # A change starts from what is stored, not from what is cached.
    store[".zattrs"] = b'{"a": 2, "b": 4}'
    attrs["c"] = 5
    assert attrs.asdict() == {"a": 2, "b": 4, "c": 5}
    reads = store.reads
    assert attrs["c"] == 5
    assert store.reads == reads


def test_no_cache():
    store = {".zattrs": b'{"a": 1}'}
    attrs = Attributes(store, cache=False)
    assert attrs["a"] == 1
    store[".zattrs"] = b'{"a": 2}'
    assert attrs["a"] == 2
    attrs.refresh()
    assert attrs["a"] == 2


def test_what_is_cached_is_what_is_stored():
    store = {}
    attrs = Attributes(store)
    values = [1, 2]
    attrs.put({"list": values, "tuple": (1, 2), "array": np.arange(3), "scalar": np.float32(0.5)})
    values.append(3)
    expected = {"list": [1, 2], "tuple": [1, 2], "array": [0, 1, 2], "scalar": 0.5}
    assert attrs.asdict() == expected == Attributes(store).asdict()
    attrs.asdict()["list"] = None
    assert attrs["list"] == [1, 2]


@pytest.mark.parametrize("value", [b"x", 1j, np.complex64(1), Nonsense()])
def test_values_without_a_json_form_change_nothing(value):
    store = {".zattrs": b'{"a": 1}'}
    attrs = Attributes(store)
    with pytest.raises(TypeError, match="has no JSON form"):
        attrs["a"] = value
    assert store == {".zattrs": b'{"a": 1}'}
    assert attrs.asdict() == {"a": 1}


def test_nan_is_written_as_by_zarr_2():
    store = {}
    Attributes(store)["n"] = float("nan")
    assert store[".zattrs"] == b'{\n    "n": NaN\n}'
    assert np.isnan(Attributes(store)["n"])


@pytest.mark.parametrize(
    "change",
    [
        lambda attrs: attrs.__setitem__(5, 2),
        lambda attrs: attrs.update({5: 2}),
        lambda attrs: attrs.put({5: 2}),
    ],
)
def test_names_that_are_no_strings_become_strings_with_a_warning(change):
    attrs = Attributes({".zattrs": b'{"5": 1}'})
    with pytest.warns(DeprecationWarning, match="become strings") as seen:
        change(attrs)
    assert [w.filename for w in seen] == [__file__]
    assert attrs.asdict() == {"5": 2}


def test_read_only():
    store = {".zattrs": b'{"a": 1}'}
    attrs = Attributes(store, read_only=True)
    for change in (
        lambda: attrs.__setitem__("a", 2),
        lambda: attrs.__delitem__("a"),
        lambda: attrs.put({}),
        lambda: attrs.update(a=2),
        lambda: attrs.pop("a"),
        attrs.clear,
    ):
        with pytest.raises(ReadOnlyError, match=r"attributes .* are read-only; open with mode"):
            change()
    assert attrs["a"] == 1
    assert store == {".zattrs": b'{"a": 1}'}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"5"])
@pytest.mark.parametrize("cache", [True, False])
def test_damaged_attributes_name_their_key(text, cache):
    store = {"a/.zattrs": text}
    attrs = Attributes(store, key="a/.zattrs", cache=cache)
    for use in (attrs.asdict, attrs.keys, lambda: attrs["x"], lambda: attrs.update(x=1)):
        with pytest.raises(MetadataError, match=r"^'a/\.zattrs' in .{1,80}: "):
            use()
    assert store == {"a/.zattrs": text}


def test_only_a_missing_key_means_no_attributes():
    class BrokenStore(dict):
        def __getitem__(self, key):
            raise OSError("disk on fire")

    with pytest.raises(OSError, match="disk on fire"):
        Attributes(BrokenStore())["x"] = 1


class SlowStore(dict):
    """Gives other threads a chance between the reading and the writing of a change."""

    def __getitem__(self, key):
        value = super().__getitem__(key)
        threading.Event().wait(0.0005)
        return value


def run_threads(n, work):
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("cache", [True, False])
def test_threads_that_share_attributes_lose_no_update(cache):
    attrs = Attributes(SlowStore(), cache=cache)

    def work(i):
        for j in range(20):
            attrs[f"{i}.{j}"] = j

    run_threads(8, work)
    assert len(attrs) == 160


def test_synchronizer_is_held_by_key_during_changes():
    lock, held = threading.Lock(), Counter()

    class Synchronizer:
        def __getitem__(self, key):
            @contextmanager
            def hold():
                with lock:
                    held[key] += 1
                    yield

            return hold()

    store = SlowStore()
    instances = [Attributes(store, key="a/.zattrs", synchronizer=Synchronizer()) for _ in range(4)]

    def work(i):
        for j in range(10):
            instances[i].update({f"{i}.{j}": j})

    run_threads(4, work)
    assert len(Attributes(store, key="a/.zattrs")) == 40
    assert held == {"a/.zattrs": 40}


def test_pickle():
    attrs = Attributes({"k": b'{"a": 1}'}, key="k", read_only=True, cache=False)
    back = pickle.loads(pickle.dumps(attrs))
    assert back.asdict() == {"a": 1}
    assert (back.key, back.read_only, back.cache, back.member) == ("k", True, False, None)
    assert pickle.loads(pickle.dumps(Attributes({}, member="attributes"))).member == "attributes"


# ---- a member of a document

DOCUMENT = {"zarr_format": 3, "node_type": "group", "attributes": {"b": 1, "a": []}, "x": {"z": 1, "y": 2}}


def rendered(document):
    return json.dumps(document, indent=2).encode()


def test_member_of_a_document():
    store = CountingStore({"g/zarr.json": rendered(DOCUMENT)})
    attrs = Attributes(store, key="g/zarr.json", member="attributes")
    assert attrs.asdict() == DOCUMENT["attributes"]
    attrs["c"] = np.arange(2)
    assert attrs["c"] == [0, 1]
    changed = DOCUMENT | {"attributes": {"b": 1, "a": [], "c": [0, 1]}}
    # Members and attributes stay in their order.
    assert store["g/zarr.json"] == rendered(changed)
    del attrs["b"]
    attrs.update(d="\u305f")
    changed = DOCUMENT | {"attributes": {"a": [], "c": [0, 1], "d": "\u305f"}}
    assert store["g/zarr.json"] == rendered(changed)
    attrs.put({"only": 1})
    assert store["g/zarr.json"] == rendered(DOCUMENT | {"attributes": {"only": 1}})
    attrs.clear()
    assert store["g/zarr.json"] == rendered(DOCUMENT | {"attributes": {}})
    assert store.writes == 5
    assert attrs.asdict() == {} == Attributes(store, key="g/zarr.json", member="attributes").asdict()


def test_member_that_is_missing():
    store = {"zarr.json": b'{"zarr_format": 3}'}
    attrs = Attributes(store, key="zarr.json", member="attributes")
    assert attrs.asdict() == {}
    with pytest.raises(KeyError):
        del attrs["x"]
    assert store == {"zarr.json": b'{"zarr_format": 3}'}
    attrs["x"] = 1
    assert json.loads(store["zarr.json"]) == {"zarr_format": 3, "attributes": {"x": 1}}
    gone: dict[str, bytes] = {}
    attrs = Attributes(gone, key="zarr.json", member="attributes")
    assert attrs.asdict() == {}
    with pytest.raises(PathNotFoundError, match="is gone"):
        attrs["x"] = 1
    assert gone == {}
    attrs = Attributes(gone, key="other", member="attributes")
    attrs["x"] = 1
    assert json.loads(gone["other"]) == {"attributes": {"x": 1}}


def test_changes_keep_members_that_others_changed_meanwhile():
    store = {"zarr.json": b'{"shape": [1], "attributes": {"a": 1}}'}
    attrs = Attributes(store, key="zarr.json", member="attributes")
    assert attrs["a"] == 1
    store["zarr.json"] = b'{"shape": [2], "attributes": {"a": 1}}'
    attrs["b"] = 2
    assert json.loads(store["zarr.json"]) == {"shape": [2], "attributes": {"a": 1, "b": 2}}


@pytest.mark.parametrize("value", ["null", "[]", "5", '"a"'])
def test_member_that_is_no_object(value):
    text = f'{{"attributes": {value}}}'.encode()
    store = {"a/zarr.json": text}
    attrs = Attributes(store, key="a/zarr.json", member="attributes")
    for use in (attrs.asdict, lambda: attrs.update(x=1)):
        with pytest.raises(MetadataError, match=r"^'a/zarr\.json' in .{1,80}: 'attributes' holds"):
            use()
    assert store == {"a/zarr.json": text}


def test_threads_lose_neither_attributes_nor_other_members():
    store = SlowStore({"zarr.json": b'{"other": {"0": 0}}'})
    both = [Attributes(store, key="zarr.json", member=m) for m in ("attributes", "other")]

    def work(i):
        for j in range(10):
            both[i % 2][f"{i}.{j}"] = j

    run_threads(8, work)
    assert [len(attrs) for attrs in both] == [40, 41]
    stored = json.loads(store["zarr.json"])
    assert [len(stored["attributes"]), len(stored["other"])] == [40, 41]


def test_stores_of_the_draft_of_format_3():
    mapping = {}
    store = KVStoreV3(mapping)
    assert isinstance(store, StoreV3)
    attrs = Attributes(store, key=meta_root + "attrs")
    assert attrs.store is store
    attrs["a"] = 1
    assert json.loads(mapping["meta/root/attrs"]) == {"attributes": {"a": 1}}
    assert Attributes(store, key="other", member="m").member == "m"


@pytest.mark.parametrize("use", [zchunk.group, zchunk.open, zchunk.Group, zchunk.open_array])
def test_no_arrays_or_groups_in_the_draft_of_format_3(use):
    mapping = {}
    with pytest.raises(ValueError, match="draft of format 3"):
        use(KVStoreV3(mapping))
    assert mapping == {}


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_value_without_a_json_form_is_named(zarr_format):
    z = zchunk.zeros(3, zarr_format=zarr_format)
    with pytest.raises(TypeError, match=r"the attribute 'when' cannot be stored: .*of type complex"):
        z.attrs.update(units="m", when={"nested": [1, 1j]})
    with pytest.raises(TypeError, match="the attribute 'when' cannot be stored"):
        zchunk.create(3, zarr_format=zarr_format, attributes={"units": "m", "when": b""})
    assert z.attrs.asdict() == {}
