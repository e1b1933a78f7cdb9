"""`Checkpoint`: a committed step, as any number of processes read it. Reading takes no communication."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from zchunk.core.array import Array
from zchunk.errors import CheckpointError, ZchunkError
from zchunk.runtime.lazy import LazyModule
from zchunk.storage.local.trees import is_absence
from zchunk.wings.checkpoint import trees
from zchunk.wings.checkpoint.communicators import Communicator
from zchunk.wings.checkpoint.values import Block, Growing, LazyArray, PerRank, as_lazy
from zchunk.wings.checkpoint.verification import RECORD, NewerVersionError, Step
from zchunk.wings.checkpoint.vote import together

if TYPE_CHECKING:
    import zchunk.wings.dask as dask
    from zchunk.typing import BasicSelection
else:
    dask = LazyModule("zchunk.wings.dask")

# What is checked of a step.
Verify: TypeAlias = Literal["none", "quick", "full"]
OnResize: TypeAlias = Callable[[list[Any], int, int], Any]

# The attributes that zchunk sets; a caller's have other names.
OWN_ATTRIBUTES = (RECORD, "step", "time", "wall_clock", "zchunk_version")


class Checkpoint(Mapping[str, Any]):
    """A committed step: a mapping of the names of its state to values.

    Arrays that were saved as `Block` are `zchunk.Array`, of the global shape: nothing is read before they are
    sliced. `CheckpointManager.restore` returns one.

    Examples
    --------
    >>> import numpy as np
    >>> from zchunk.checkpoint import CheckpointManager
    >>> with CheckpointManager("run.ckpt") as manager:
    ...     _ = manager.save(10, {"u": np.arange(4.0), "dt": 0.1}, time=1.0)
    ...     checkpoint = manager.restore()
    >>> checkpoint.step, checkpoint.time, checkpoint["dt"]
    (10, 1.0, 0.1)
    >>> checkpoint.read("u", slice(1, 3))
    array([1., 2.])
    """

    def __init__(self, found: Step, rank: int = 0, size: int = 1) -> None:
        self._found = found
        self._rank, self._size = rank, size
        # What the manager that has restored it does with later steps, by the number of this one.
        self._before_cut: Callable[[int], None] | None = None
        self._document: Any = found.record["state"]
        self.state: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The manager stays in its process.
        return self.__dict__ | {"_before_cut": None}

    @property
    def step(self) -> int:
        """Number of the step."""
        return self._found.step

    @property
    def time(self) -> float | None:
        """The simulated time that `save` was told, if any."""
        time: float | None = self._found.attributes.get("time")
        return time

    @property
    def path(self) -> str:
        """The folder: a Zarr group."""
        return self._found.path

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes that `save` was given."""
        return {name: value for name, value in self._found.attributes.items() if name not in OWN_ATTRIBUTES}

    @property
    def arrays(self) -> list[str]:
        """Paths of all arrays."""
        return list(self._found.names)

    @property
    def ranks(self) -> int:
        """How many processes saved it."""
        ranks: int = self._found.record["ranks"]
        return ranks

    def __getitem__(self, name: str) -> Any:
        """Return the value at a path such as ``"model/weights"``; of `PerRank` that of this process."""
        return self._value(trees.find(self._document, name), name)

    def __iter__(self) -> Iterator[str]:
        return iter([str(key) for key, _ in self._document["dict"]])

    def __len__(self) -> int:
        return len(self._document["dict"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} step {self.step}: {', '.join(self)}>"

    def read(
        self,
        name: str,
        selection: BasicSelection | None = None,
        out: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """Read an array, or a part of it, such as the interior of a `partition`.

        Parameters
        ----------
        name : str
            Its path in the state.
        selection : slices, optional
            The part, as for an array of the global shape; all of it by default.
        out : numpy.ndarray, optional
            Read into this array.

        Returns
        -------
        numpy.ndarray
            `out`, if given.

        Raises
        ------
        CheckpointError
            The step was deleted while it was read.
        ChunkError
            A chunk is not what was written.
        KeyError
            There is no such array.
        TypeError
            `out` cannot hold all its values, by NumPy's rule "safe": ``int32`` does not hold ``int64``, nor
            ``float32`` ``float64``.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.checkpoint import CheckpointManager, partition
        >>> with CheckpointManager("run.ckpt") as manager:
        ...     _ = manager.save(1, {"u": np.arange(6)})
        ...     part = partition(6, 3, rank=2)
        ...     manager.restore().read("u", part.interior)
        array([4, 5])
        """
        if name not in self._found.names:
            found = self[name]
            if not isinstance(found, Array | np.ndarray):
                raise KeyError(
                    f"{name!r} is no array of step {self.step} but {found!r:.80}; its arrays are "
                    f"{self.arrays}"
                )
        array = self._found.array(name)
        if selection is None:
            selection = Ellipsis
        # Of a step that is being deleted, missing files would read as fill values.
        with self._found.reading():
            if out is None:
                return np.asarray(array[selection])
            _check_holds(out.dtype, array.dtype, name)
            array.get_basic_selection(selection, out=out)
            return out

    def fill(self, like: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of the state that `like` has, read into its arrays.

        Parameters
        ----------
        like : mapping
            A state such as `save` takes: what is in it is restored. Arrays of NumPy, of a `Block` too, and
            generators of random numbers are changed in place; of `Block` with the parts of this process
            today, of `PerRank` where shape and dtype are those that were saved. All else, such as numbers
            and tensors of other libraries, is in the result alone. With a `Series`, which is cut to the
            length that it had, this is collective.

        Returns
        -------
        dict
            `like` with the values of the checkpoint. In place of a dask array, and in an array of xarray that
            has one, it has one with the same chunks, which are read when they are computed.

        Raises
        ------
        CheckpointError, ChunkError
            As for `read`.
        KeyError
            Something in `like` is not in the checkpoint.
        TypeError
            An array of `like` cannot hold all values, as for `read`.
        ValueError
            An array has another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from zchunk.checkpoint import CheckpointManager
        >>> u = np.arange(3)
        >>> with CheckpointManager("run.ckpt") as manager:
        ...     _ = manager.save(1, {"u": u, "dt": 0.5})
        ...     u[:] = 0
        ...     state = manager.restore().fill({"u": u, "dt": None})
        >>> state["dt"], u
        (0.5, array([0, 1, 2]))
        """
        filled: dict[str, Any] = self._fill(like, self._document, "")
        self._cut(like)
        return filled

    def _fill_state(self, like: Mapping[str, Any]) -> None:
        """Fill a state, but cut nothing: this may not be the step that is restored."""
        self.state = self._fill(like, self._document, "")

    def _cut(self, like: Mapping[str, Any] | None) -> None:
        """Cut each `Series` of a state to its length at this step."""
        found = [
            (series, self._value(trees.find(self._document, path), path))
            for path, series in sorted(trees.growing_in(like).items())
        ]
        # All of them can be cut, or none is.
        for series, length in found:
            series._check_length(length)
        # With a series that is shorter, no later step can be restored: a restart must not find one.
        if self._before_cut is not None and any(len(series) > length for series, length in found):
            self._before_cut(self.step)
        for series, length in found:
            series.truncate(length)

    # ---- values

    def _value(self, document: Any, path: str, on_resize: OnResize | None = None) -> Any:
        def choose(documents: list[Any]) -> Any:
            if len(documents) == self._size:
                return self._value(documents[self._rank], path)
            if on_resize is not None:
                return on_resize([self._value(one, path) for one in documents], self._rank, self._size)
            raise CheckpointError(
                f"{path!r} has values of {len(documents)} processes, and there are {self._size} now: "
                "give a like= with PerRank(..., on_resize=...), which says what each gets"
            )

        return trees.decode(document, self._fetch, choose)

    def _fetch(self, path: str, kind: str) -> Any:
        return self._found.array_for_later(path) if kind == "block" else self.read(path)

    def _fill(self, like: Any, document: Any, path: str) -> Any:
        kind = next(iter(document)) if isinstance(document, dict) else ""
        if isinstance(like, Mapping) and kind == "dict":
            return {
                key: self._fill_member(item, document, trees.quote(str(key)), path)
                for key, item in like.items()
            }
        if isinstance(like, list | tuple) and kind in ("list", "tuple", "namedtuple"):
            there = len(document[kind]) - (kind == "namedtuple")
            if len(like) != there:
                raise ValueError(f"{path!r} has {len(like)} items; step {self.step} has {there}")
            items = [self._fill_member(item, document, str(i), path) for i, item in enumerate(like)]
            return type(like)(*items) if hasattr(like, "_fields") else type(like)(items)
        if isinstance(like, Growing):
            return like
        if isinstance(like, PerRank):
            return _put(self._value(document, path, like.on_resize), like.value)
        if isinstance(like, Block) and kind in ("block", "array"):
            self._check_shape(like.global_shape, document[kind], path)
            if like.array.size:
                self._read_into(document[kind], like.box.slices, like.array)
            return like.array
        if kind in ("block", "array") and (lazy := as_lazy(like)) is not None:
            found = self._lazy(lazy, document[kind], path)
            # An array of xarray keeps its names, coordinates and attributes.
            return found if lazy.array is like else like.copy(data=found)
        if isinstance(like, np.ndarray) and kind in ("block", "array"):
            self._check_shape(like.shape, document[kind], path)
            self._read_into(document[kind], (slice(None),) * like.ndim, like)
            return like
        return _put(self._value(document, path), like)

    def _fill_member(self, like: Any, document: Any, name: str, path: str) -> Any:
        below = f"{path}/{name}" if path else name
        return self._fill(like, trees.find(document, name), below)

    def _check_shape(self, shape: tuple[int, ...], name: str, path: str) -> None:
        found = self._found.array(name).shape
        if found != shape:
            raise ValueError(f"{path!r} has shape {shape}; in step {self.step} it has {found}")

    def _lazy(self, like: LazyArray, name: str, path: str) -> Any:
        """Return a dask array with the chunks of another one, which is read when it is computed."""
        self._check_shape(like.array.shape, name, path)
        array = self._found.array_for_later(name)
        _check_holds(like.array.dtype, array.dtype, path)
        found: Any = dask.from_zchunk(array, like.array.chunks)
        return found.astype(like.array.dtype)

    def _read_into(self, name: str, selection: tuple[slice, ...], out: npt.NDArray[Any]) -> None:
        dtype = self._found.array(name).dtype
        if out.dtype == dtype and out.flags.writeable:
            self.read(name, selection, out)
        else:
            _check_holds(out.dtype, dtype, name)
            np.copyto(out, self.read(name, selection))


def _check_holds(dtype: np.dtype[Any], stored: np.dtype[Any], name: str) -> None:
    """Raise `TypeError` unless all values of a data type are values of another one."""
    if not np.can_cast(stored, dtype, "safe"):
        raise TypeError(
            f"{name!r} is of {stored}, which {dtype} cannot hold: give an array of {stored}, or read it "
            "without one and call astype"
        )


def _put(value: Any, like: Any) -> Any:
    """Return a value, with the arrays and generators of `like` in place of its own where they fit."""
    if isinstance(value, dict) and isinstance(like, Mapping):
        return {key: _put(item, like.get(key)) for key, item in value.items()}
    if isinstance(value, list | tuple) and isinstance(like, list | tuple) and len(value) == len(like):
        items = map(_put, value, like)
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, np.ndarray) and isinstance(like, np.ndarray):
        if (value.shape, value.dtype) == (like.shape, like.dtype) and like.flags.writeable:
            np.copyto(like, value)
            return like
    elif isinstance(value, np.random.Generator) and isinstance(like, np.random.Generator):
        like.bit_generator.state = value.bit_generator.state
        return like
    return value


def examine(
    comm: Communicator, root: str, step: int, how: Verify, like: Mapping[str, Any] | None
) -> tuple[Checkpoint | None, str]:
    """Return a step if all processes find it whole, else None and what is wrong. All processes call it.

    Parameters
    ----------
    comm : Communicator
        Of all processes.
    root, step
        The folder of all steps, and the number of the step.
    how : {"quick", "full", "none"}
        What to check.
    like : mapping or None
        What to read: a process that cannot finds that the step is not whole.

    Raises
    ------
    CheckpointError
        The step is of a newer version.
    OSError
        The system refuses, which says nothing of the step: nobody may go on without it by mistake.
    """
    checkpoint: Checkpoint | None = None

    def look() -> str:
        nonlocal checkpoint
        try:
            found = Step(root, step)
            if how != "none" and comm.rank == 0:
                found.check_quickly()
            if how == "full":
                found.check_fully(comm.rank, comm.size)
            checkpoint = Checkpoint(found, comm.rank, comm.size)
            if like is not None:
                checkpoint._fill_state(like)
        except NewerVersionError:
            raise
        except CheckpointError as error:
            return str(error)
        except (ZchunkError, OSError) as error:
            if not isinstance(error, ZchunkError) and not is_absence(error):
                raise
            return f"step {step} in {root!r} cannot be read: {error}"
        return ""

    reasons = [reason for reason in together(comm, look) if reason]
    return (None, reasons[0]) if reasons else (checkpoint, "")
