"""zarr 3's errors by its names: zchunk's, of which some stand for several of zarr 3's."""

from zchunk.errors import (
    ArrayIndexError,
    ArrayNotFoundError,
    BoundsCheckError,
    ChunkNotFoundError,
    ContainsArrayError,
    ContainsGroupError,
    GroupNotFoundError,
    NegativeStepError,
    NodeNotFoundError,
    ReadOnlyError,
    VindexInvalidSelectionError,
)
from zchunk.errors import CodecError as UnknownCodecError
from zchunk.errors import ContainsNodeError as ContainsArrayAndGroupError
from zchunk.errors import MetadataError as MetadataValidationError
from zchunk.errors import ZchunkError as BaseZarrError

NodeTypeValidationError = MetadataValidationError
DataTypeValidationError = MetadataValidationError
PickleCodecDisabledError = UnknownCodecError
BaseZarrWarning = UserWarning


class ZarrUserWarning(UserWarning):
    """zarr 3's warning to users, so that programs may filter it; zchunk raises none."""


class ZarrFutureWarning(FutureWarning):
    """zarr 3's warning of changes, so that programs may filter it; zchunk raises none."""


class ZarrDeprecationWarning(DeprecationWarning):
    """zarr 3's warning of what will go, so that programs may filter it; zchunk raises none."""


class ZarrRuntimeWarning(RuntimeWarning):
    """A parameter has no effect, such as `order` for arrays of format 3."""


class UnstableSpecificationWarning(FutureWarning):
    """zarr 3's warning of data types without a specification, so that programs may filter it."""


__all__ = [
    "ArrayIndexError",
    "ArrayNotFoundError",
    "BaseZarrError",
    "BaseZarrWarning",
    "BoundsCheckError",
    "ChunkNotFoundError",
    "ContainsArrayAndGroupError",
    "ContainsArrayError",
    "ContainsGroupError",
    "DataTypeValidationError",
    "GroupNotFoundError",
    "MetadataValidationError",
    "NegativeStepError",
    "NodeNotFoundError",
    "NodeTypeValidationError",
    "PickleCodecDisabledError",
    "ReadOnlyError",
    "UnknownCodecError",
    "UnstableSpecificationWarning",
    "VindexInvalidSelectionError",
    "ZarrDeprecationWarning",
    "ZarrFutureWarning",
    "ZarrRuntimeWarning",
    "ZarrUserWarning",
]
