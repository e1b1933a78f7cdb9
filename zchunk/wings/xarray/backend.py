"""The engine ``"zchunk"`` of `xarray.open_dataset`, `xarray.open_datatree` and the like."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from xarray import Dataset, DataTree

from zchunk.hierarchy.groups import Group
from zchunk.storage.base import Store
from zchunk.wings.xarray.store import ZchunkStore, open_group
from zchunk.wings.xarray.xarray_internals import (
    BACKEND_ENTRYPOINTS,
    BackendEntrypoint,
    StoreBackendEntrypoint,
    close_on_error,
    datatree_from_dict_with_io_cleanup,
    normalize_path,
)

if TYPE_CHECKING:
    from zchunk.typing import ZarrFormat


class ZchunkBackendEntrypoint(BackendEntrypoint):
    """Opens Zarr hierarchies, formats 2 and 3, with zchunk.

    With this engine, xarray's functions take these parameters beside their own:

    - ``group``: path of the group below the root;
    - ``consolidated``: True insists on consolidated metadata, False leaves them alone; by default the engine
      uses them if there are some;
    - ``storage_options``: options of the file system, for a URL;
    - ``zarr_format``: 2 or 3, where there are nodes of both formats;
    - ``use_zarr_fill_value_as_mask``: whether fill values stand for missing items; by default they do so in
      format 2 only.

    Examples
    --------
    >>> import xarray as xr
    >>> import zchunk
    >>> store = zchunk.MemoryStore()
    >>> _ = zchunk.open_group(store).create("a", shape=3, attributes={"_ARRAY_DIMENSIONS": ["t"]})
    >>> xr.open_dataset(store, engine="zchunk").sizes["t"]
    3
    """

    description = "Open Zarr hierarchies (formats 2 and 3) with zchunk"
    supports_groups = True

    def guess_can_open(self, filename_or_obj: object) -> bool:
        """Return whether xarray may take this engine if the caller names none.

        It may for paths that end in ``.zarr`` or ``.zarr.zip``, and for zchunk's groups and stores. xarray
        asks its own engine for Zarr first.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> engine = zchunk.xarray.ZchunkBackendEntrypoint()
        >>> engine.guess_can_open("run.zarr"), engine.guess_can_open("run.nc")
        (True, False)
        """
        if isinstance(filename_or_obj, str | os.PathLike):
            return os.fspath(filename_or_obj).rstrip("/").endswith((".zarr", ".zarr.zip"))
        return isinstance(filename_or_obj, Group | Store)

    def open_dataset(
        self,
        filename_or_obj: object,
        *,
        mask_and_scale: object = True,
        decode_times: object = True,
        concat_characters: object = True,
        decode_coords: object = True,
        drop_variables: str | Iterable[str] | None = None,
        use_cftime: object = None,
        decode_timedelta: object = None,
        group: str | None = None,
        consolidated: bool | None = None,
        storage_options: dict[str, Any] | None = None,
        zarr_format: ZarrFormat | None = None,
        use_zarr_fill_value_as_mask: bool | None = None,
    ) -> Dataset:
        """Open one group. `xarray.open_dataset` calls this; the class has the parameters.

        Examples
        --------
        >>> import xarray as xr
        >>> import zchunk
        >>> import zchunk.xarray
        >>> store = zchunk.MemoryStore()
        >>> _ = zchunk.xarray.to_zarr(xr.Dataset({"a": ("t", [1, 2, 3])}), store)
        >>> engine = zchunk.xarray.ZchunkBackendEntrypoint()
        >>> engine.open_dataset(store)["a"].values
        array([1, 2, 3])
        """
        decoding = {
            "mask_and_scale": mask_and_scale,
            "decode_times": decode_times,
            "concat_characters": concat_characters,
            "decode_coords": decode_coords,
            "use_cftime": use_cftime,
            "decode_timedelta": decode_timedelta,
        }
        store = _open(
            filename_or_obj,
            group,
            consolidated,
            storage_options,
            zarr_format,
            use_zarr_fill_value_as_mask,
            drop_variables,
        )
        return _decode(store, decoding)

    def open_groups_as_dict(
        self,
        filename_or_obj: object,
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
        consolidated: bool | None = None,
        storage_options: dict[str, Any] | None = None,
        zarr_format: ZarrFormat | None = None,
        use_zarr_fill_value_as_mask: bool | None = None,
        **decoding: Any,
    ) -> dict[str, Dataset]:
        """Open a group and all groups below it, by their paths from there. `xarray.open_groups` calls this.

        Examples
        --------
        >>> import xarray as xr
        >>> import zchunk
        >>> import zchunk.xarray
        >>> store = zchunk.MemoryStore()
        >>> tree = xr.DataTree.from_dict({"/ocean": xr.Dataset({"a": ("t", [1, 2, 3])})})
        >>> _ = zchunk.xarray.to_zarr(tree, store)
        >>> engine = zchunk.xarray.ZchunkBackendEntrypoint()
        >>> list(engine.open_groups_as_dict(store))
        ['/', '/ocean']
        """
        top = _open(
            filename_or_obj,
            group,
            consolidated,
            storage_options,
            zarr_format,
            use_zarr_fill_value_as_mask,
            drop_variables,
        )
        found = {"/": _decode(top, decoding)}
        levels = [("", top)]
        while levels:
            path, store = levels.pop()
            for name in store.group.group_keys():
                child = store.child(name)
                found[f"{path}/{name}"] = _decode(child, decoding)
                levels.append((f"{path}/{name}", child))
        return found

    def open_datatree(self, filename_or_obj: object, **kwargs: Any) -> DataTree:
        """Open a group and all groups below it as a tree. `xarray.open_datatree` calls this.

        Examples
        --------
        >>> import xarray as xr
        >>> import zchunk
        >>> import zchunk.xarray
        >>> store = zchunk.MemoryStore()
        >>> tree = xr.DataTree.from_dict({"/ocean": xr.Dataset({"a": ("t", [1, 2, 3])})})
        >>> _ = zchunk.xarray.to_zarr(tree, store)
        >>> engine = zchunk.xarray.ZchunkBackendEntrypoint()
        >>> engine.open_datatree(store)["ocean/a"].values
        array([1, 2, 3])
        """
        groups = self.open_groups_as_dict(filename_or_obj, **kwargs)
        return datatree_from_dict_with_io_cleanup(groups)


def _open(
    source: Any,
    group: str | None,
    consolidated: bool | None,
    storage_options: dict[str, Any] | None,
    zarr_format: ZarrFormat | None,
    mask: bool | None,
    drop_variables: str | Iterable[str] | None,
) -> ZchunkStore:
    source = normalize_path(source)
    found = open_group(source, "r", group, consolidated, storage_options, zarr_format)
    if not isinstance(drop_variables, str) and drop_variables is not None:
        drop_variables = list(drop_variables)
    # A store that the user opened stays open.
    return ZchunkStore(found, mask, isinstance(source, str), drop_variables)


def _decode(store: ZchunkStore, decoding: dict[str, Any]) -> Dataset:
    open_store: Callable[..., Dataset] = StoreBackendEntrypoint().open_dataset
    with close_on_error(store):
        return open_store(store, **decoding)


# xarray finds the engine by its entry point where zchunk is installed.
# Elsewhere, importing this module registers it.
BACKEND_ENTRYPOINTS["zchunk"] = (None, ZchunkBackendEntrypoint)
