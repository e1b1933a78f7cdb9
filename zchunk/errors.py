"""Errors: one tree, where every class is also the builtin that users of NumPy and zarr expect."""

from __future__ import annotations

from typing import Self


class ZchunkError(Exception):
    """Base of every error that zchunk raises on purpose."""

    def __str__(self) -> str:
        # KeyError would show the repr of the message.
        return Exception.__str__(self)


class MetadataError(ZchunkError, ValueError):
    """Metadata that is not JSON, lacks members, or says what no array can be."""


class InvalidKeyError(ZchunkError, ValueError):
    """A store key or node path that could escape the store or name nothing."""


class NodeNotFoundError(ZchunkError, ValueError, FileNotFoundError):
    """No array or group at a path. A ``ValueError`` as in zarr 2, a ``FileNotFoundError`` as in zarr 3."""

    def __new__(cls, *args: object) -> Self:
        # That of ValueError, which comes first, refuses; those who make errors without calling them ask it.
        return OSError.__new__(cls, *args)


class ArrayNotFoundError(NodeNotFoundError):
    """No array at a path."""


class GroupNotFoundError(NodeNotFoundError):
    """No group at a path."""


class PathNotFoundError(NodeNotFoundError):
    """Nothing at a path."""


class ConsolidatedMetadataNotFoundError(NodeNotFoundError, KeyError):
    """No consolidated metadata in a store. A ``KeyError`` as in zarr 2."""


class ContainsNodeError(ZchunkError, ValueError, FileExistsError):
    """A node stands where another was to be made."""

    def __new__(cls, *args: object) -> Self:
        # That of ValueError, which comes first, refuses; those who make errors without calling them ask it.
        return OSError.__new__(cls, *args)


class ContainsArrayError(ContainsNodeError):
    """An array stands where a node was to be made."""


class ContainsGroupError(ContainsNodeError):
    """A group stands where a node was to be made."""


class MixedFormatsError(ZchunkError, ValueError):
    """Nodes of formats 2 and 3 at one path, or one inside a group of the other."""


class CopyError(ZchunkError, RuntimeError):
    """Something stands where a copy was to go, or the copy would replace its own source."""


class ReadOnlyError(ZchunkError, PermissionError):
    """A write to an array, group or store that was opened for reading."""

    def __init__(self, message: str = "object is read-only") -> None:
        super().__init__(message)


class BoundsCheckError(ZchunkError, IndexError):
    """An index outside the array."""


class SelectionError(ZchunkError, IndexError):
    """A selection that is not one of the kinds that the method takes."""


class VindexInvalidSelectionError(SelectionError):
    """A selection through `vindex` that is neither points nor a mask."""


class ArrayIndexError(SelectionError):
    """A selection that no array can have. zarr 2's name."""


class NegativeStepError(SelectionError):
    """A slice with a negative step where only positive ones can be."""

    def __init__(self, message: str = "only slices with a step of 1 or more are possible here") -> None:
        super().__init__(message)


class CodecError(ZchunkError, ValueError):
    """An unknown codec, or parameters that the codec does not take."""


class BadCompressorError(CodecError):
    """A compressor that is no codec."""


class ChunkError(ZchunkError, RuntimeError):
    """A stored chunk that cannot be what the metadata says. Names array, key, codec and sizes."""


class StoreError(ZchunkError, OSError):
    """A store that cannot do what was asked: closed, damaged, or failing below."""


class ValueChangedError(StoreError):
    """A value that was replaced while it was read in several pieces."""


class ChangeInProgressError(StoreError):
    """A change of what the same thread is changing, by a signal handler that interrupted it."""


class KeyBelowValueError(StoreError, KeyError):
    """A key below one that has a value, in a store where that is a file. A ``KeyError`` as in zarr 2."""


class FSPathExistNotDir(GroupNotFoundError, StoreError):
    """A file where the folder of a store should be."""
