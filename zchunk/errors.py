"""Errors: one tree, where every class is also the builtin that users of NumPy and zarr expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self


class ZchunkError(Exception):
    """Base of every error that zchunk raises on purpose.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.open_array("nothing.zarr", mode="r")
    ... except zchunk.errors.ZchunkError as err:
    ...     print(type(err).__name__)
    ArrayNotFoundError
    """

    def __str__(self) -> str:
        # KeyError would show the repr of the message.
        return Exception.__str__(self)


class MetadataError(ZchunkError, ValueError):
    """Metadata that is not JSON, lacks members, or says what no array can be.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.open_array({".zarray": b"{}"}, mode="r")
    ... except zchunk.errors.MetadataError as err:
    ...     print(type(err).__name__)
    MetadataError
    """


class LengthTypeError(ZchunkError, ValueError, TypeError):
    """A length in a shape that is no integer. A ``ValueError`` as in zarr 2, a ``TypeError`` as in zarr 3.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.zeros((4, 1.5))
    ... except zchunk.errors.LengthTypeError as err:
    ...     print(type(err).__name__)
    LengthTypeError
    """


class InvalidKeyError(ZchunkError, ValueError):
    """A store key or node path that could escape the store or name nothing.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.MemoryStore()["../secret"]
    ... except zchunk.errors.InvalidKeyError as err:
    ...     print(type(err).__name__)
    InvalidKeyError
    """


class NodeNotFoundError(ZchunkError, ValueError, FileNotFoundError):
    """No array or group at a path. A ``ValueError`` as in zarr 2, a ``FileNotFoundError`` as in zarr 3.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.open_group("nothing.zarr", mode="r")
    ... except zchunk.errors.NodeNotFoundError as err:
    ...     print(type(err).__name__)
    GroupNotFoundError
    """

    def __new__(cls, *args: object) -> Self:
        # `ValueError.__new__`, which comes first, refuses; code that makes errors by `__new__` needs it.
        return OSError.__new__(cls, *args)


class ArrayNotFoundError(NodeNotFoundError):
    """No array at a path.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.open_array("nothing.zarr", mode="r")
    ... except zchunk.errors.ArrayNotFoundError as err:
    ...     print(type(err).__name__)
    ArrayNotFoundError
    """


class GroupNotFoundError(NodeNotFoundError):
    """No group at a path.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.open_group("nothing.zarr", mode="r")
    ... except zchunk.errors.GroupNotFoundError as err:
    ...     print(type(err).__name__)
    GroupNotFoundError
    """


class PathNotFoundError(NodeNotFoundError):
    """Nothing at a path.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.open("nothing.zarr", mode="r")
    ... except zchunk.errors.PathNotFoundError as err:
    ...     print(type(err).__name__)
    PathNotFoundError
    """


class ConsolidatedMetadataNotFoundError(NodeNotFoundError, KeyError):
    """No consolidated metadata in a store. A ``KeyError`` as in zarr 2.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.open_consolidated({})
    ... except zchunk.errors.ConsolidatedMetadataNotFoundError as err:
    ...     print(type(err).__name__)
    ConsolidatedMetadataNotFoundError
    """


class MemberNotFoundError(ZchunkError, KeyError):
    """No member of a group at a path. A ``KeyError``, as a mapping raises.

    Parameters
    ----------
    message : str
        What is not there.
    hint : callable, optional
        Gives what else to say. Called only if somebody reads the message: it may have to list a store, and
        most programs that catch this error do not care.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.group()
    >>> z = group.zeros("temperature", shape=4)
    >>> try:
    ...     group["temprature"]
    ... except zchunk.errors.MemberNotFoundError as err:
    ...     print(err)
    no member 'temprature' in group '/'; did you mean 'temperature'?
    """

    def __init__(self, message: str, hint: Callable[[], str] | None = None) -> None:
        super().__init__(message)
        self._hint = hint

    def __str__(self) -> str:
        hint, self._hint = self._hint, None
        if hint is not None:
            try:
                self.args = (f"{self.args[0]}{hint()}",)
            except Exception:
                # What is not there is told even where the store does not tell what is.
                pass
        return super().__str__()

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        # Another process gets the message: it may not have the store.
        return type(self), (str(self),)


class ContainsNodeError(ZchunkError, ValueError, FileExistsError):
    """A node stands where another was to be made.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.group()
    >>> z = group.zeros("a", shape=4)
    >>> try:
    ...     group.zeros("a", shape=4)
    ... except zchunk.errors.ContainsNodeError as err:
    ...     print(type(err).__name__)
    ContainsArrayError
    """

    def __new__(cls, *args: object) -> Self:
        # `ValueError.__new__`, which comes first, refuses; code that makes errors by `__new__` needs it.
        return OSError.__new__(cls, *args)


class ContainsArrayError(ContainsNodeError):
    """An array stands where a node was to be made.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.group()
    >>> z = group.zeros("a", shape=4)
    >>> try:
    ...     group.zeros("a", shape=4)
    ... except zchunk.errors.ContainsArrayError as err:
    ...     print(type(err).__name__)
    ContainsArrayError
    """


class BeingMadeError(ContainsArrayError):
    """Another process, or thread, makes a node where one was to be made.

    Examples
    --------
    >>> from zchunk.errors import BeingMadeError
    >>> issubclass(BeingMadeError, FileExistsError)
    True
    """


class ContainsGroupError(ContainsNodeError):
    """A group stands where a node was to be made.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.group()
    >>> member = group.create_group("a")
    >>> try:
    ...     group.zeros("a", shape=4)
    ... except zchunk.errors.ContainsGroupError as err:
    ...     print(type(err).__name__)
    ContainsGroupError
    """


class ForeignFilesError(ZchunkError, FileExistsError):
    """A node was to replace a folder that is no node, but holds files of other programs.

    Examples
    --------
    >>> import zchunk
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "notes.txt").write_text("not Zarr")
    >>> try:
    ...     zchunk.open_group(folder, mode="w")
    ... except zchunk.errors.ForeignFilesError as err:
    ...     print(type(err).__name__)
    ForeignFilesError
    """


class MixedFormatsError(ZchunkError, ValueError):
    """Nodes of formats 2 and 3 at one path, or one inside a group of the other.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.group()
    >>> try:
    ...     zchunk.create(4, store=group.store, path="a", zarr_format=3)
    ... except zchunk.errors.MixedFormatsError as err:
    ...     print(type(err).__name__)
    MixedFormatsError
    """


class CopyError(ZchunkError, RuntimeError, ValueError):
    """Something stands where a copy was to go, or the copy would replace its own source.

    A ``RuntimeError`` as in zarr 2, a ``ValueError`` as in zarr 3.

    Examples
    --------
    >>> import zchunk
    >>> group = zchunk.group()
    >>> members = group.zeros("a", shape=4), group.zeros("b", shape=4)
    >>> try:
    ...     zchunk.copy(group["a"], group, name="b")
    ... except zchunk.errors.CopyError as err:
    ...     print(type(err).__name__)
    CopyError
    """


class ReadOnlyError(ZchunkError, PermissionError, ValueError):
    """A write to an array, group or store that was opened for reading. A ``ValueError`` as in zarr 3.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(4, read_only=True)
    >>> try:
    ...     z[:] = 1
    ... except zchunk.errors.ReadOnlyError as err:
    ...     print(type(err).__name__)
    ReadOnlyError
    """

    def __init__(self, message: str = "object is read-only") -> None:
        super().__init__(message)


class BoundsCheckError(ZchunkError, IndexError):
    """An index outside the array.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(4)
    >>> try:
    ...     z[4]
    ... except zchunk.errors.BoundsCheckError as err:
    ...     print(type(err).__name__)
    BoundsCheckError
    """


class SelectionError(ZchunkError, IndexError):
    """A selection that is not one of the kinds that the method takes.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(4)
    >>> try:
    ...     z[1, 2]
    ... except zchunk.errors.SelectionError as err:
    ...     print(type(err).__name__)
    SelectionError
    """


class VindexInvalidSelectionError(SelectionError):
    """A selection through `vindex` that is neither points nor a mask.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(4)
    >>> try:
    ...     z.vindex["x"]
    ... except zchunk.errors.VindexInvalidSelectionError as err:
    ...     print(type(err).__name__)
    VindexInvalidSelectionError
    """


class ArrayIndexError(SelectionError):
    """A selection that no array can have. zarr 2's name.

    Examples
    --------
    >>> from zchunk.errors import ArrayIndexError
    >>> issubclass(ArrayIndexError, IndexError)
    True
    """


class NegativeStepError(SelectionError):
    """A slice with a negative step where only positive ones can be.

    Examples
    --------
    >>> from zchunk.errors import NegativeStepError
    >>> issubclass(NegativeStepError, IndexError)
    True
    """

    def __init__(self, message: str = "only slices with a step of 1 or more are possible here") -> None:
        super().__init__(message)


class CodecError(ZchunkError, ValueError):
    """An unknown codec, or parameters that the codec does not take.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.zeros(4, compressor={"id": "unknown"})
    ... except zchunk.errors.CodecError as err:
    ...     print(type(err).__name__)
    CodecError
    """


class BadCompressorError(CodecError):
    """A compressor that is no codec.

    Examples
    --------
    >>> import zchunk
    >>> try:
    ...     zchunk.zeros(4, compression=5)
    ... except zchunk.errors.BadCompressorError as err:
    ...     print(type(err).__name__)
    BadCompressorError
    """


class ChunkError(ZchunkError, RuntimeError):
    """A stored chunk that cannot be what the metadata says. Names array, key, codec and sizes.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.ones(4, chunks=4)
    >>> z.store["0"] = b"no chunk"
    >>> try:
    ...     z[:]
    ... except zchunk.errors.ChunkError as err:
    ...     print(type(err).__name__)
    ChunkError
    """


class ChunkNotFoundError(ChunkError, ValueError):
    """A chunk that is read but not stored, of an array that was opened with ``missing="error"``.

    A ``ValueError`` as in zarr 3.

    Examples
    --------
    >>> import zchunk
    >>> z = zchunk.zeros(4, chunks=2, missing="error")
    >>> z[:2] = 1
    >>> try:
    ...     z[:]
    ... except zchunk.errors.ChunkNotFoundError as err:
    ...     print(str(err).partition(" of array")[0])
    chunk '1' at (1,)
    """


class StoreError(ZchunkError, OSError):
    """A store that cannot do what was asked: closed, damaged, or failing below.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.SQLiteStore("run.db")
    >>> store.close()
    >>> try:
    ...     store["key"]
    ... except zchunk.errors.StoreError as err:
    ...     print(type(err).__name__)
    StoreError
    """


class ValueChangedError(StoreError):
    """A value that was replaced while it was read in several pieces.

    Examples
    --------
    >>> from zchunk.errors import ValueChangedError
    >>> issubclass(ValueChangedError, OSError)
    True
    """


class ChangeInProgressError(StoreError):
    """A change of what the same thread is changing, by a signal handler that interrupted it.

    Examples
    --------
    >>> from zchunk.errors import ChangeInProgressError
    >>> issubclass(ChangeInProgressError, OSError)
    True
    """


def change_in_progress(what: str) -> ChangeInProgressError:
    """Return the error for a change inside a change of the same, or of what a thread may wait for.

    Parameters
    ----------
    what : str
        What is being changed.

    Examples
    --------
    >>> from zchunk.errors import change_in_progress
    >>> raise change_in_progress("chunk '0'")
    Traceback (most recent call last):
    zchunk.errors.ChangeInProgressError: chunk '0' is being changed by the code that ...
    """
    return ChangeInProgressError(
        f"{what} is being changed by the code that this change interrupts, and would undo it, or by another "
        "thread that may wait for that code; a signal handler can read, change something else, or set a flag "
        "so that the change is made later; a program that holds the lock of a chunk can let go of it before "
        "it changes metadata"
    )


class CheckpointError(StoreError):
    """A checkpoint that cannot be saved or read: it exists already, is not whole, or another process failed.

    Examples
    --------
    >>> from zchunk.errors import CheckpointError
    >>> issubclass(CheckpointError, OSError)
    True
    """


class KeyBelowValueError(StoreError, KeyError):
    """A key below one that has a value, in a store where that is a file. A ``KeyError`` as in zarr 2.

    Examples
    --------
    >>> import zchunk
    >>> store = zchunk.DirectoryStore("run.zarr")
    >>> store["a"] = b"value"
    >>> try:
    ...     store["a/b"] = b"other"
    ... except zchunk.errors.KeyBelowValueError as err:
    ...     print(type(err).__name__)
    KeyBelowValueError
    """


class FSPathExistNotDir(GroupNotFoundError, StoreError):
    """A file where the folder of a store should be.

    Examples
    --------
    >>> import zchunk
    >>> with open("file", "w") as file:
    ...     _ = file.write("no folder")
    >>> try:
    ...     zchunk.DirectoryStore("file")
    ... except zchunk.errors.FSPathExistNotDir as err:
    ...     print(type(err).__name__)
    FSPathExistNotDir
    """
