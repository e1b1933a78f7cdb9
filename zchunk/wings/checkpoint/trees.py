"""State trees: nested dicts, lists and tuples, as a JSON document and arrays that it names.

Arrays become arrays of the checkpoint, which any Zarr library reads. All else is in the document, exactly:
numbers that JSON has not, or that other readers would round, are text with their kind.
"""

from __future__ import annotations

import base64
import math
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

# At once: numpy itself imports it when it is used first, which loses a Ctrl-C that comes meanwhile.
from numpy.random import BitGenerator, Generator

from zchunk.wings.checkpoint.values import Block, Growing, LazyArray, PerRank, as_lazy, as_plain

if TYPE_CHECKING:
    from zchunk.typing import JSON

Leaf: TypeAlias = Block | LazyArray | np.ndarray[Any, Any]
# Fetches the array at a path for a leaf of a kind, "block" or "array".
Fetch: TypeAlias = Callable[[str, str], Any]
# Returns the value of a `PerRank` for this process, of the documents of all.
Choose: TypeAlias = Callable[[list[Any]], Any]

# What other readers of JSON hold in a float.
_EXACT = 2**53
_PLAIN = re.compile(r"(?!__)[A-Za-z0-9_][A-Za-z0-9_.+=~-]*")
_RESERVED = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


class Flat(NamedTuple):
    """A state as a document and leaves.

    Parameters
    ----------
    document : JSON
        The tree; see `decode`.
    leaves : dict
        The arrays by their paths.
    per_rank : dict
        The values of this process that every process has one of, by their paths. Their place in the document
        is empty.
    growing : dict
        What grows beside the checkpoint, by path; its length is in the document.
    """

    document: JSON
    leaves: dict[str, Leaf]
    per_rank: dict[str, PerRank]
    growing: dict[str, Growing]


def flatten(state: Any, path: str = "") -> Flat:
    """Take a state apart, or the part of one that is at a path.

    Raises
    ------
    TypeError
        Something in it cannot be stored.
    ValueError
        Two keys of a dict have the same text.
    """
    if not path and not isinstance(state, dict):
        raise TypeError(f"a state is a dict, not {type(state).__name__}")
    found = Flat(None, {}, {}, {})
    return found._replace(document=_encode(state, path, found))


def _encode(value: Any, path: str, into: Flat) -> JSON:
    if isinstance(value, dict):
        return {"dict": _encode_dict(value, path, into)}
    if isinstance(value, list | tuple):
        items = [_encode(item, _below(path, str(i)), into) for i, item in enumerate(value)]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {"namedtuple": [type(value).__name__, *map(list, zip(value._fields, items, strict=True))]}
        return {"tuple" if isinstance(value, tuple) else "list": items}
    if isinstance(value, PerRank):
        into.per_rank[path] = value
        return {"per_rank": path}
    if isinstance(value, Block):
        _check_dtype(value.array, path)
        into.leaves[path] = value
        return {"block": path}
    if isinstance(value, Growing):
        into.growing[path] = value
        return {"series": len(value)}
    if (lazy := as_lazy(value)) is not None:
        _check_lazy(lazy.array, path)
        into.leaves[path] = lazy
        return {"block" if lazy.array.ndim else "array": path}
    try:
        scalar: JSON = encode_scalar(value)
    except TypeError as error:
        raise TypeError(f"{_shown(path)} {error}") from None
    if scalar is not _NONE:
        return scalar
    array = _as_array(value, path)
    _check_dtype(array, path)
    into.leaves[path] = array
    return {"record" if isinstance(value, np.generic) else "array": path}


def _encode_dict(value: dict[Any, Any], path: str, into: Flat) -> list[JSON]:
    items: list[JSON] = []
    names: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str) and type(key) is not int:
            raise TypeError(f"{_shown(path)} has the key {key!r}; keys of a state are text or integers")
        name = quote(str(key))
        if name in names:
            raise ValueError(
                f"{_shown(path)} has the keys {names[name]!r} and {key!r}, which are stored alike"
            )
        names[name] = key
        items.append([key, _encode(item, _below(path, name), into)])
    return items


def _as_array(value: Any, path: str) -> np.ndarray[Any, Any]:
    # Also what has an array in it, such as a tensor of torch or jax.
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        try:
            return as_plain(value)
        except TypeError as error:
            raise TypeError(f"{_shown(path)}: {error}") from error
    raise TypeError(
        f"{_shown(path)} is of type {type(value).__name__}; a state holds dicts, lists, tuples, arrays, "
        "Block, PerRank, numbers, text, bytes, None and numpy.random.Generator"
    )


def _check_lazy(array: Any, path: str) -> None:
    _check_dtype(array, path)
    if any(math.isnan(length) for length in array.shape):
        raise ValueError(
            f"{_shown(path)}: dask does not know the shape of {array!r}: call its compute_chunk_sizes()"
        )


def _check_dtype(array: Any, path: str) -> None:
    if array.dtype.hasobject:
        raise TypeError(f"{_shown(path)} is an array of Python objects, which have no bytes to store")
    if array.dtype.kind == "V" and not array.dtype.itemsize:
        raise TypeError(f"{_shown(path)} is an array of {array.dtype}, whose items have no bytes to store")


def _shown(path: str) -> str:
    return repr(path) if path else "the state"


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def quote(key: str) -> str:
    """Return a key as the name of a node: as it is, if it can be one, else with ``%`` and hexadecimal
    digits."""
    if _PLAIN.fullmatch(key) and key not in _RESERVED and not key.endswith(".partial"):
        return key
    # The first character is among them, so that no name begins with "__" or is a reserved one.
    escaped = [
        char
        if number and re.fullmatch(r"[A-Za-z0-9_]", char)
        else "".join(f"%{byte:02x}" for byte in char.encode())
        for number, char in enumerate(key)
    ]
    return "".join(escaped) or "%"


# ---- scalars

_NONE = object()


def encode_scalar(value: Any) -> Any:
    """Return a value as JSON; `_NONE` if it is no scalar.

    Raises
    ------
    TypeError
        It is a generator that cannot be made again.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Generator):
        bits = type(value.bit_generator)
        if type(value) is not Generator or getattr(np.random, bits.__name__, None) is not bits:
            raise TypeError(
                f"is a {type(value).__name__} of {bits.__name__}, which is not of numpy.random and cannot be "
                "made again; save its bit_generator.state, a dict"
            )
        return {"generator": _encode_plain(value.bit_generator.state)}
    if isinstance(value, np.generic):
        # Those of ml_dtypes, bfloat16 for instance, are there as bytes without a type.
        if value.dtype.hasobject or value.dtype.names or np.dtype(value.dtype.str) != value.dtype:
            return _NONE
        return {"scalar": [value.dtype.str, value.tobytes().hex()]}
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, int):
        return int(value) if abs(value) < _EXACT else {"int": str(int(value))}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    return _NONE


def _encode_plain(value: Any) -> JSON:
    """Return what is in the state of a bit generator as JSON: dicts, arrays and scalars."""
    if isinstance(value, dict):
        return {"dict": [[key, _encode_plain(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"items": [value.dtype.str, list(value.shape), raw]}
    found = encode_scalar(value)
    if found is _NONE:
        raise TypeError(
            f"the state of a bit generator holds a {type(value).__name__}, which cannot be stored"
        )
    plain: JSON = found
    return plain


def _decode_items(value: Any) -> np.ndarray[Any, Any]:
    dtype, shape, raw = value
    return np.frombuffer(base64.b64decode(raw), np.dtype(dtype)).reshape(shape).copy()


def generator_from(state: dict[str, Any]) -> Generator:
    """Return a generator in this state of its bit generator."""
    kind = getattr(np.random, str(state["bit_generator"]), None)
    if not (isinstance(kind, type) and issubclass(kind, BitGenerator)):
        raise TypeError(f"numpy.random has no bit generator {state['bit_generator']!r}")
    bits = kind()
    bits.state = state
    return Generator(bits)


def _decode_scalar(value: Any) -> np.generic:
    dtype, raw = value
    data = bytes.fromhex(raw)
    # Those of arrays have no zeros at their end, but scalars have.
    if dtype[1] == "S":
        return np.bytes_(data)
    if dtype[1] == "U":
        return np.str_(data.decode("utf-32-be" if dtype[0] == ">" else "utf-32-le", "surrogatepass"))
    # An item of no bytes is in no buffer.
    found: np.generic = (np.frombuffer(data, dtype) if data else np.zeros(1, dtype))[0]
    return found


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "series": int,
    "float": float,
    "bytes": base64.b64decode,
    "complex": lambda parts: complex(float(parts[0]), float(parts[1])),
    "scalar": _decode_scalar,
    "items": _decode_items,
}


# ---- back


def decode(document: Any, fetch: Fetch, choose: Choose) -> Any:
    """Return the state of a document; `fetch` gives the arrays, and `choose` the one of `PerRank` to decode.

    An object of the document has one member, its kind: ``dict`` (pairs of key and value), ``list``,
    ``tuple``, ``namedtuple`` (its name, and pairs of field and value), ``block``, ``array`` and ``record`` (a
    path), ``per_rank`` (a value for each rank), ``generator``, ``series`` (its length), or a scalar.
    """
    if not isinstance(document, dict):
        return document
    ((kind, value),) = document.items()
    if kind == "dict":
        return {key: decode(item, fetch, choose) for key, item in value}
    if kind == "list":
        return [decode(item, fetch, choose) for item in value]
    if kind == "tuple":
        return tuple(decode(item, fetch, choose) for item in value)
    if kind == "namedtuple":
        name, *members = value
        # Its own class may be gone, or another one by now.
        fields = namedtuple("_", [field for field, _ in members], rename=True)  # type: ignore[misc]
        # Any text: that of a class is not always an identifier.
        fields.__name__ = fields.__qualname__ = name
        return fields(*[decode(item, fetch, choose) for _, item in members])
    if kind in ("block", "array"):
        return fetch(value, kind)
    if kind == "record":
        return fetch(value, "array")[()]
    if kind == "per_rank":
        return choose(value)
    if kind == "generator":
        return generator_from(decode(value, fetch, choose))
    return _SCALARS[kind](value)


def find(document: Any, name: str) -> Any:
    """Return the part of a document at a path such as ``"model/0/weight"``.

    Raises
    ------
    KeyError
        There is none.
    """
    for part in name.split("/"):
        kind, value = next(iter(document.items())) if isinstance(document, dict) else ("", ())
        if kind == "dict":
            members = {quote(str(key)): item for key, item in value}
        elif kind == "namedtuple":
            members = {str(number): item for number, (_, item) in enumerate(value[1:])}
            members |= dict(value[1:])
        elif kind in ("list", "tuple", "per_rank"):
            members = {str(number): item for number, item in enumerate(value)}
        else:
            members = {}
        found = members.get(part, members.get(quote(part), _NONE))
        if found is _NONE:
            raise KeyError(f"the checkpoint has no {name!r}; beside it are {_few(members)}")
        document = found
    return document


def growing_in(value: Any, path: str = "") -> dict[str, Growing]:
    """Return what grows in a state, by path."""
    if isinstance(value, Growing):
        return {path: value}
    below: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        below = ((quote(str(key)), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        below = ((str(number), item) for number, item in enumerate(value))
    return {at: found for name, item in below for at, found in growing_in(item, _below(path, name)).items()}


def _few(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(map(repr, names[:10])) + (" and more" if names[10:] else "") if names else "no names"


def insert_per_rank(document: Any, values: dict[str, list[JSON]]) -> Any:
    """Return a document with the values of all processes in the places that `flatten` has left for them."""
    if not isinstance(document, dict):
        return document
    ((kind, value),) = document.items()
    if kind == "dict":
        return {kind: [[key, insert_per_rank(item, values)] for key, item in value]}
    if kind in ("list", "tuple"):
        return {kind: [insert_per_rank(item, values) for item in value]}
    if kind == "namedtuple":
        return {kind: [value[0], *[[field, insert_per_rank(item, values)] for field, item in value[1:]]]}
    if kind == "per_rank":
        return {kind: values[value]}
    return document
