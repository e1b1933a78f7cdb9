"""The configuration of an array while a program uses it: `ArrayConfig`, zarr 3's ``config=``.

None of it is stored. What a caller does not say comes from `zchunk.config`, when the array is made or opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from zchunk.runtime.settings import config as settings

if TYPE_CHECKING:
    from zchunk.typing import ArrayConfigLike, MemoryOrder, Missing

# zarr 3's, of how ranges of a shard are read: zchunk decides that by itself.
_IGNORED = {"sharding_coalesce_max_gap_bytes", "sharding_coalesce_max_bytes"}


_ALLOWED = {"order": ("C", "F"), "write_empty_chunks": (True, False), "read_missing_chunks": (True, False)}
_SETTINGS = [f"array.{name}" for name in _ALLOWED]


class NewNodes(NamedTuple):
    """What new nodes are where the caller leaves it open.

    Parameters
    ----------
    zarr_format : int or None
        Version of the format, where no group above has one; None: the setting ``default_zarr_format``.
    compressor : codec or None
        The compressor; None: that of `zchunk.create`.
    kinds : callable or None
        Returns the class of nodes for one of zchunk's: an interface may have classes derived from these.
    """

    zarr_format: int | None = None
    compressor: Any = None
    kinds: Callable[[type[Any]], type[Any]] | None = None

    @property
    def fill_by_type(self) -> bool:
        """Whether the fill value, where none is given, depends on the type, as in zarr 3."""
        return self.kinds is not None

    @property
    def zeros_are_fill(self) -> bool:
        """Whether zeros are not stored where there is no fill value, as in zarr 3; zarr 2 stores them."""
        return self.kinds is not None

    @property
    def keep_arrays_above(self) -> bool:
        """Whether an array above what overwrites is an error, as in zarr 3; in zarr 2 it becomes a group."""
        return self.kinds is not None

    @property
    def like_of_same_format(self) -> bool:
        """Whether arrays have the format of those they are like, and codecs of the same one, as in zarr 3."""
        return self.kinds is not None

    @property
    def rectilinear(self) -> bool:
        """Whether arrays may have rectilinear chunk grids where no setting says so, which zarr 3 forbids."""
        return self.kinds is None


class ArrayConfig(NamedTuple):
    """How an array is used in this program.

    Parameters
    ----------
    order : {"C", "F"}
        Layout in memory of what is read from arrays of format 3. In format 2 it is that of the chunks.
    write_empty_chunks : bool
        Store chunks that hold nothing but the fill value.
    read_missing_chunks : bool
        Read chunks that are not stored as fill values; if not, it is an error to read them.
    new_nodes : NewNodes
        Of a group: what is made in it.
    strings : bool
        Read text of any length as NumPy's `StringDType`, if NumPy has it, and not as objects.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros((4, 4), zarr_format=3, config={"order": "F"})
    >>> z.config.order, z[...].flags.f_contiguous
    ('F', True)
    """

    order: MemoryOrder = "C"
    write_empty_chunks: bool = True
    read_missing_chunks: bool = True
    new_nodes: NewNodes = NewNodes()
    strings: bool = False

    @property
    def missing(self) -> Missing:
        """What chunks that are not stored are read as, as `zchunk.open` takes it."""
        return "fill" if self.read_missing_chunks else "error"

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as a dict, as ``config=`` takes it.

        Examples
        --------
        >>> from zchunk.core.array_config import ArrayConfig
        >>> ArrayConfig().to_dict()
        {'order': 'C', 'write_empty_chunks': True, 'read_missing_chunks': True}
        """
        return dict(zip(self._fields[:3], self[:3], strict=True))


def as_config(
    given: ArrayConfigLike = None,
    write_empty_chunks: bool | None = None,
    missing: Missing | None = None,
    base: ArrayConfig | None = None,
) -> ArrayConfig:
    """Return the whole configuration: what a caller says; of the rest what `base` or `zchunk.config` says.

    Raises
    ------
    TypeError
        There is no such name.
    ValueError
        A value is not valid, or the same thing is said twice.

    Examples
    --------
    >>> as_config({"order": "F"}).order
    'F'
    """
    if missing not in (None, "fill", "error"):
        raise ValueError(f"missing chunks are read as 'fill' or 'error', not {missing!r:.80}")
    said: dict[str, Any] = {}
    if write_empty_chunks is not None:
        said["write_empty_chunks"] = bool(write_empty_chunks)
    if missing is not None:
        said["read_missing_chunks"] = missing == "fill"
    if isinstance(given, ArrayConfig):
        base, given = given, None
    if given is not None:
        values = _valid(given)
        if twice := values.keys() & said.keys():
            raise ValueError(f"{min(twice)} is given by config and by a parameter of its own; give it once")
        said |= values
    if base is None:
        base = _as_set or _read_settings()
    return base._replace(**said) if said else base


# What the settings say, for most arrays are made or opened without a word about it; None after a change.
_as_set: ArrayConfig | None = None


def _read_settings() -> ArrayConfig:
    global _as_set
    with settings.lock:
        # No other thread changes one between reading and keeping them.
        _as_set = found = ArrayConfig(*map(settings.get, _SETTINGS))
    return found


def _forget(value: object) -> None:
    global _as_set
    _as_set = None


for _key in _SETTINGS:
    settings.define(_key, changed=_forget)


def _valid(given: Any) -> dict[str, Any]:
    """Return what a caller says of the configuration, checked."""
    values = given.to_dict() if hasattr(given, "to_dict") else given
    if not isinstance(values, Mapping):
        raise ValueError(f"config is a mapping, such as {{'write_empty_chunks': False}}, not {given!r:.80}")
    found = {name: value for name, value in values.items() if name not in _IGNORED and value is not None}
    for name, value in found.items():
        if name not in _ALLOWED:
            raise TypeError(f"config has no {name!r}; it has {', '.join(_ALLOWED)}")
        if value not in _ALLOWED[name]:
            allowed = " or ".join(map(repr, _ALLOWED[name]))
            raise ValueError(f"{name} in config is {value!r:.80}, not {allowed}")
    return found
