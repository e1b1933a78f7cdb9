"""The settings of the process: `config`, the one place for them, in the way of zarr 3's.

A setting is a value under a dotted key. It is what the program set, else what the environment says, else the
default. The modules that a setting is about define it and hear of changes, so that there is one value, by
whichever name it is set: ``zchunk.set_threads(4)`` is ``config.set({"threading.max_workers": 4})``.
"""

from __future__ import annotations

import ast
import operator
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO

from zchunk._ext.threads.guards import Guard
from zchunk.runtime.lazy import LazyModule
from zchunk.runtime.near_names import near

_pprint: Any = LazyModule("pprint")
_MISSING: Any = object()

# Settings that something in zchunk asks for.
_DEFAULTS: dict[str, Any] = {
    "default_zarr_format": 2,
    "durability": "atomic",
    "spare_memory": None,
    "array.max_chunk_bytes": None,
    "array.order": "C",
    "array.read_missing_chunks": True,
    # Whether arrays with such grids are made. Programs for zarr 3 turn it on.
    "array.rectilinear_chunks": True,
    "array.write_empty_chunks": True,
    "async.concurrency": None,
    "threading.max_workers": None,
}
# Variables of the environment that are older than `config`.
_VARIABLES = {"threading.max_workers": "ZCHUNK_THREADS"}


class _State:
    """What all views of the settings share: the values that were set, and what is told of changes."""

    def __init__(self) -> None:
        # Replaced as a whole, so that a reader needs no lock.
        self.values: dict[str, Any] = {}
        # What the environment says, as of when it was first asked.
        self.environment: dict[str, Any] = {}
        self.checks: dict[str, Callable[[Any], Any]] = {}
        self.listeners: dict[str, Callable[[Any], None]] = {}
        self.warned: set[str] = set()
        # A signal handler may set something while the code that it interrupts does.
        self.lock = Guard()


class Config:
    """Settings by dotted keys, as `zchunk.config` and `zchunk.zarr3.config`.

    Values hold for the whole process, in all threads.

    Parameters
    ----------
    defaults : mapping
        Values of what was not set.
    shared : Config, optional
        Another view: what is set in one is set in both. Only the defaults are this one's.

    Examples
    --------
    >>> import zchunk
    >>> zchunk.config.get("array.write_empty_chunks")
    True
    >>> with zchunk.config.set({"array.write_empty_chunks": False}):
    ...     z = zchunk.zeros(4, chunks=2)
    >>> z.write_empty_chunks
    False
    >>> zchunk.config.get("array")["order"]
    'C'
    """

    def __init__(self, defaults: Mapping[str, Any], shared: Config | None = None) -> None:
        self._defaults = dict(defaults)
        self._state: _State = _State() if shared is None else shared._state
        # Values that were asked for, and the settings of which they are: a change replaces those.
        self._known: tuple[dict[str, Any], dict[str, Any]] = ({}, {})

    # ---- reading

    def get(self, key: str, default: Any = _MISSING, override_with: Any = None) -> Any:
        """Return a value, or a dict of all values below a key.

        Parameters
        ----------
        key : str
            Names with dots between them. Hyphens are underscores.
        default : object, optional
            What to return if there is no such key.
        override_with : object, optional
            What to return if it is not None.

        Raises
        ------
        KeyError
            There is no such key, and no default is given.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.config.get("default_zarr_format")
        2
        """
        if override_with is not None:
            return override_with
        values, known = self._known
        if values is not (current := self._state.values):
            values, known = self._known = current, {}
        if (found := known.get(key, _MISSING)) is not _MISSING:
            return found
        name = _normal(key)
        found = self._value(name)
        if found is not _MISSING:
            known[key] = found
            return found
        key = name
        start = key + "."
        below = {name[len(start) :]: name for name in self._names() if name.startswith(start)}
        if below:
            return _nested({short: self._value(name) for short, name in below.items()})
        if default is not _MISSING:
            return default
        raise KeyError(f"there is no setting {key!r}{near(key, self._names())}")

    def _value(self, key: str) -> Any:
        return self.said(key, self._defaults.get(key, _MISSING))

    def said(self, key: str, default: Any) -> Any:
        """Return what the program or the environment says, or a default that is not that of this view.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.config.said("array.order", "F")
        'F'
        """
        found = self._state.values.get(key, _MISSING)
        if found is _MISSING:
            found = self._from_environment(key)
        return default if found is _MISSING else found

    def _from_environment(self, key: str) -> Any:
        found = self._state.environment.get(key)
        if found is None:
            found = self._state.environment[key] = self._read_environment(key)
        return found

    def _read_environment(self, key: str) -> Any:
        if key not in self._defaults:
            return _MISSING
        own = "ZCHUNK_" + key.upper().replace(".", "__")
        for variable in (own, _VARIABLES.get(key, own)):
            if text := os.environ.get(variable, ""):
                return _checked(self._state, key, _literal(text), variable)
        return _MISSING

    def _names(self) -> list[str]:
        return sorted({*self._defaults, *self._state.values})

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def __contains__(self, key: str) -> bool:
        return self.get(key, None) is not None or _normal(key) in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    @property
    def config(self) -> dict[str, Any]:
        """All values, as `to_dict` has them."""
        return self.to_dict()

    @property
    def flat_defaults(self) -> dict[str, Any]:
        """The defaults by whole keys."""
        return dict(self._defaults)

    @property
    def defaults(self) -> list[dict[str, Any]]:
        """The defaults, as a list of one nested dict (zarr 3's form)."""
        return [_nested(self._defaults)]

    def to_dict(self) -> dict[str, Any]:
        """Return all values as a nested dict, which is a copy.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.config.to_dict()["array"]["read_missing_chunks"]
        True
        """
        return _nested({name: self._value(name) for name in self._names()})

    def pprint(self, stream: TextIO | None = None, width: int = 80, **kwargs: Any) -> None:
        """Print all values; parameters are those of `pprint.pprint`.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.config.pprint(depth=1)  # doctest: +ELLIPSIS
        {'array': {...},
         ...
        """
        _pprint.pprint(self.to_dict(), stream=stream, width=width, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.to_dict()}>"

    # ---- setting

    def set(self, arg: Mapping[str, Any] | None = None, **kwargs: Any) -> Restoring:
        """Set values at once; as the context of a ``with`` statement only until its end.

        Parameters
        ----------
        arg : mapping, optional
            Values by key. A value that is a mapping sets keys below its own.
        **kwargs
            Values by key, with two underscores for a dot.

        Returns
        -------
        context manager
            Puts back what was there, of these keys alone.

        Raises
        ------
        ValueError
            One of the values is not valid. Then nothing is set.

        Warns
        -----
        UserWarning
            Nothing in zchunk asks for a key, such as zarr 3's ``codec_pipeline.path``: once for each.

        Examples
        --------
        >>> import zchunk
        >>> with zchunk.config.set({"array.order": "F"}, default_zarr_format=3):
        ...     zchunk.zeros((4, 4)).zarr_format
        3
        """
        given = _flat(arg or {}) | _flat({name.replace("__", "."): value for name, value in kwargs.items()})
        state = self._state
        values = {key: _checked(state, key, value) for key, value in given.items()}
        for key in values.keys() - _DEFAULTS.keys() - state.warned:
            state.warned.add(key)
            # zarr's own are known, and no slip of the pen.
            meant = "" if key in self._defaults else near(key, _DEFAULTS)
            warnings.warn(
                f"zchunk has no setting {key!r}, or does not need it: it is ignored{meant}", stacklevel=2
            )
        with state.lock:
            before = {key: state.values.get(key, _MISSING) for key in values}
            self._replace(values)
        return Restoring(self, before)

    def _replace(self, changes: Mapping[str, Any]) -> None:
        """Set values, or forget those that are `_MISSING`, and tell what depends on them."""
        state = self._state
        with state.lock:
            values = {**state.values, **changes}
            state.environment = {}
            # None says of a setting that it is not set.
            state.values = {
                key: value
                for key, value in values.items()
                if value is not _MISSING and not (value is None and key in self._defaults)
            }
            for key in changes:
                if key in state.listeners:
                    state.listeners[key](self._value(key))

    def update(self, new: Mapping[str, Any]) -> None:
        """Set values, as `set` does.

        Examples
        --------
        >>> import zchunk
        >>> zchunk.config.update({"array": {"order": "C"}})
        """
        self.set(new)

    def reset(self) -> None:
        """Forget all that was set: the environment and the defaults count again.

        Examples
        --------
        >>> import zchunk
        >>> _ = zchunk.config.set({"default_zarr_format": 3})
        >>> zchunk.config.reset()
        >>> zchunk.config.get("default_zarr_format")
        2
        """
        with self._state.lock:
            self._replace(dict.fromkeys(self._state.values, _MISSING))

    clear = refresh = reset

    def enable_gpu(self) -> None:
        """Raise an error: zarr 3 can keep arrays in the memory of a GPU, zchunk does not."""
        raise NotImplementedError("zchunk reads into NumPy arrays; cupy.asarray(z[...]) copies one to a GPU")

    # ---- for the modules that settings are about

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while values change and what depends on them is told."""
        return self._state.lock

    def define(
        self,
        key: str,
        check: Callable[[Any], Any] | None = None,
        changed: Callable[[Any], None] | None = None,
    ) -> None:
        """Say how a value is checked and brought to its one form, and what is called when it changes.

        Parameters
        ----------
        key : str
            A key that has a default.
        check : callable, optional
            Takes what a program sets, or the environment has; returns the value, or raises a `ValueError`
            that says what it is not.
        changed : callable, optional
            Takes the new value.

        Examples
        --------
        >>> from zchunk.runtime.settings import Config
        >>> config = Config({"level": 1})
        >>> config.define("level", changed=print)
        >>> with config.set({"level": 2}):
        ...     pass
        2
        1
        """
        if check is not None:
            self._state.checks[key] = check
        if changed is not None:
            self._state.listeners[key] = changed


class Restoring:
    """What `Config.set` returns: as the context of a ``with`` statement it puts back what was there."""

    def __init__(self, config: Config, before: Mapping[str, Any]) -> None:
        self._config, self._before = config, before

    def __enter__(self) -> dict[str, Any]:
        return self._config.to_dict()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._config._replace(self._before)


def _normal(key: str) -> str:
    return key.replace("-", "_")


def _flat(values: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Return values by their whole keys; mappings are taken apart."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = start + _normal(name)
        found |= _flat(value, key + ".") if isinstance(value, Mapping) else {key: value}
    return found


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        *above, last = key.split(".")
        at = found
        for name in above:
            at = at.setdefault(name, {})
        at[last] = value
    return found


def _literal(text: str) -> Any:
    """Return what a variable of the environment says, as donfig does: a literal of Python, or else text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _checked(state: _State, key: str, value: Any, where: str = "") -> Any:
    check = state.checks.get(key)
    try:
        return value if check is None else check(value)
    except ValueError as err:
        shown = os.environ[where] if where else value
        raise ValueError(f"{where or key} is {shown!r:.80}, {err}") from None


def one_of(*allowed: object) -> Callable[[Any], Any]:
    """Return a check that a value is one of a few.

    Examples
    --------
    >>> one_of("C", "F")("F")
    'F'
    """

    def check(value: Any) -> Any:
        if not any(value is known or (type(value) is type(known) and value == known) for known in allowed):
            raise ValueError(f"not {' or '.join(map(repr, allowed))}")
        return value

    return check


def at_least(least: int, what: str) -> Callable[[Any], Any]:
    """Return a check that a value is None or an integer, at least so many; `what` it is says the error.

    Examples
    --------
    >>> at_least(1, "an integer >= 1")(3)
    3
    """

    def check(value: Any) -> Any:
        number = None if isinstance(value, bool) or not hasattr(value, "__index__") else operator.index(value)
        if value is not None and (number is None or number < least):
            raise ValueError(f"not {what}")
        return number

    return check


config = Config(_DEFAULTS)
for _key in ("array.read_missing_chunks", "array.rectilinear_chunks", "array.write_empty_chunks"):
    config.define(_key, one_of(True, False))
config.define("array.max_chunk_bytes", at_least(1, "a number of bytes >= 1"))
config.define("array.order", one_of("C", "F"))
config.define("default_zarr_format", one_of(2, 3))
config.define("durability", one_of("none", "atomic", "fsync"))
config.define("async.concurrency", at_least(1, "an integer >= 1"))
