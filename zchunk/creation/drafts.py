"""Drafts: arrays whose metadata are held back, so that nobody opens them before their chunks are there.

A draft touches nothing. Every new array is one that is published: at once, or when its data are stored.
Several processes that make a draft of the same parameters have the same array, without a message between
them: all write chunks to it, and one of them publishes it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from zchunk.codecs.registry import trusted_ids
from zchunk.core.access import Access, access_to
from zchunk.core.array import Array
from zchunk.core.properties import find_array
from zchunk.creation import h5py_names
from zchunk.creation.nodes import Placement, check_above, format_for, new_array
from zchunk.creation.parameters import make_metadata
from zchunk.creation.recipe import ArrayRecipe
from zchunk.errors import StoreError
from zchunk.metadata.array import ArrayMetadata
from zchunk.runtime.settings import config as settings
from zchunk.spec.keys import join
from zchunk.spec.regular_grid import lists_lengths
from zchunk.spec.versions import check_unsupported
from zchunk.storage.marks import Mark, being_made


class Draft(NamedTuple):
    """An array that is in no store yet: how it will be accessed, and what will put it there.

    It pickles, so that one process can make it for all.
    """

    access: Access
    placement: Placement

    @property
    def array(self) -> Array:
        """A new object for the array, which reads and writes its chunks; its metadata are nowhere.

        Raises
        ------
        StoreError
            Its metadata depend on the store: they are known once they are there.
        """
        metadata = self.placement.metadata
        if metadata is None:
            raise StoreError(
                f"{self.access.store!r} may change the metadata that are stored in it, so that chunks cannot "
                "be written before them; create the array first"
            )
        # There are no metadata yet that could be read before every operation.
        array = Array._of(self.access._replace(cache_metadata=True), metadata)
        array._chunked = array._chunked.unpublished
        return array

    @property
    def documents(self) -> dict[str, bytes]:
        """The metadata by their keys in the store, the one that makes the array last."""
        return {join(self.access.path, name): value for name, value in self.placement.items.items()}

    def prepare(self, overwrite: bool = False) -> None:
        """Make the groups above the array, and erase what is in its place if `overwrite`.

        Raises
        ------
        ContainsArrayError, ContainsGroupError
            Something is there, and `overwrite` is false.
        ForeignFilesError
            What `overwrite` would replace is no node.
        MixedFormatsError
            A group above is of the other format.
        """
        mark = self.placement.prepare(overwrite, self.access.chunk_store)
        if mark is not None:
            # What was left is cleared away.
            mark.remove()

    def publish(self, only_new: bool = False, mark: Mark | None = None) -> Array:
        """Store the metadata and return the array; if it is `only_new`, not over those of another process."""
        if not self.placement.publish(only_new, mark, self.access.chunk_store):
            raise being_made(self.access.store, self.access.path)
        return self._made

    @property
    def _made(self) -> Array:
        metadata = self.placement.metadata
        return Array._of(*find_array(self.access)) if metadata is None else Array._of(self.access, metadata)


def make_draft(recipe: ArrayRecipe, access: Access) -> Draft:
    """Return a draft of the array of a recipe. All that can be wrong with it is an error here."""
    if getattr(recipe.compressor, "codec_id", None) == "n5_wrapper":
        # It comes from an array in an N5 store, which wraps every compressor for its own chunks.
        recipe = recipe._replace(compressor=recipe.compressor.compressor)
    store, path, new_nodes = access.store, access.path, access.new_nodes
    is_open = _is(recipe.compressor, "default") and _is(recipe.compressors, "auto")
    if is_open and new_nodes.compressor is not None:
        recipe = recipe._replace(compressors=[new_nodes.compressor])
    # What only format 3 has means that format, where nothing says otherwise.
    means3 = recipe.dimension_names is not None or (recipe.shards is not None and recipe.shards is not False)
    means3 = means3 or lists_lengths(recipe.chunks)
    default = 3 if means3 else new_nodes.zarr_format
    version = format_for(store, path, access.version, default).version
    metadata = make_metadata(recipe, version, store._dimension_separator)
    if new_nodes.fill_by_type and type(recipe.fill_value) is int and not recipe.fill_value:
        metadata = _filled_by_type(metadata)
    if metadata.edges is not None and not settings.said("array.rectilinear_chunks", new_nodes.rectilinear):
        raise ValueError(
            "chunks or shards of listed lengths make a rectilinear chunk grid, which the setting "
            "'array.rectilinear_chunks' does not allow, as by default in zarr 3; allow it by "
            "config.set({'array.rectilinear_chunks': True})"
        )
    new = new_array(store, path, metadata, recipe.attributes)
    return Draft(access.at(path, version, trusted_ids(*metadata.codecs)), new)


def _filled_by_type(metadata: ArrayMetadata) -> ArrayMetadata:
    """Return metadata with the fill value that zarr 3 has where none is given, if that is not 0."""
    if metadata.dtype.kind in "mM":
        return metadata.replace_all(fill_value=np.array("NaT", metadata.dtype)[()])
    if metadata.zarr_format == 2 and metadata.object_codec in ("vlen-utf8", "vlen-bytes"):
        return metadata.replace_all(fill_value=metadata.fill_object)
    return metadata


def _is(value: object, name: str) -> bool:
    return isinstance(value, str) and value == name


def make_array(recipe: ArrayRecipe, access: Access, overwrite: bool) -> Array:
    """Make the array of a recipe, with the groups above it, and return it: all functions end here."""
    draft = make_draft(recipe, access)
    _check_above(draft, overwrite)
    draft.placement.put(overwrite, access.chunk_store)
    return draft._made


def _check_above(draft: Draft, overwrite: bool) -> None:
    if overwrite and draft.access.new_nodes.keep_arrays_above:
        check_above(draft.access.store, draft.access.path, draft.placement.fmt)


def draft_array(**kwargs: Any) -> Draft:
    """Return a draft of the array that `create` would make of these parameters, in a store that it can be in.

    Nothing is stored. Collectively, after all have made the same draft: one process calls `prepare`, all wait
    for it and write to `array`, one process calls `publish` after all have written.
    """
    recipe, access, _ = _records(kwargs)
    return make_draft(recipe, access)


class Started(NamedTuple):
    """An array that is being made: what is written to `array` is there for all once `publish` is called.

    Until then it is no array to anybody else, nor after a kill.
    """

    array: Array
    publish: Callable[[], Array]
    discard: Callable[[], None]


def started(**kwargs: Any) -> Started:
    """Begin to make an array, with the groups above it and with parameters of `create`."""
    recipe, access, overwrite = _records(kwargs)
    draft = make_draft(recipe, access)
    _check_above(draft, overwrite)
    new, chunk_store = draft.placement, access.chunk_store
    if new.metadata is None:
        # What the metadata will be is for the store to say, so they come first.
        new.put(overwrite, chunk_store)

        def discard() -> None:
            new.store.erase_many([*draft.documents][::-1])
            new.discard(None, chunk_store)

        try:
            array = draft._made
        except BaseException:
            discard()
            raise
        return Started(array, lambda: array, discard)
    mark = new.prepare(overwrite, chunk_store, filled=True)
    array = draft.array
    if mark is not None and mark.store.root is not None:
        array._chunked = array._chunked.held(mark.check)

    def publish() -> Array:
        try:
            if mark is not None:
                mark.check()
            made = draft.publish(True, mark)
        except BaseException:
            new.discard(mark, chunk_store)
            raise
        if mark is not None:
            mark.remove()
        return made

    return Started(array, publish, partial(new.discard, mark, chunk_store))


def _records(given: dict[str, Any]) -> tuple[ArrayRecipe, Access, bool]:
    """Return the parameters of `create` as a recipe, a record of access, and `overwrite`."""
    given = dict(given)
    check_unsupported(storage_transformers=given.pop("storage_transformers", ()))
    overwrite = given.pop("overwrite", False)
    what = {name: given.pop(name) for name in ArrayRecipe._fields if name in given}
    how = {name: given.pop(name) for name in _ACCESS if name in given}
    compressor, fill_value = h5py_names.translate(
        what.get("compressor", "default"), what.get("fill_value", 0), given
    )
    recipe = ArrayRecipe(**what | {"compressor": compressor, "fill_value": fill_value})
    return recipe, access_to(how.pop("store", None), how.pop("path", None), **how), overwrite


_ACCESS = (
    "store",
    "path",
    "storage_options",
    "read_only",
    "chunk_store",
    "synchronizer",
    "cache_metadata",
    "cache_attrs",
    "cache_bytes",
    "missing",
    "config",
    "write_empty_chunks",
    "zarr_version",
    "zarr_format",
    "meta_array",
)
