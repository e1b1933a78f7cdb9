"""A group as a data store that xarray writes to."""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from xarray import Dataset, Variable

from zchunk.convenience import consolidation
from zchunk.core.array import Array
from zchunk.core.tokens import new_token
from zchunk.errors import ArrayNotFoundError
from zchunk.hierarchy.groups import Group
from zchunk.runtime.fork import is_shared
from zchunk.runtime.progress import Advance
from zchunk.spec.keys import join
from zchunk.spec.regular_grid import lists_lengths
from zchunk.wings.xarray import arrays, xarray_internals
from zchunk.wings.xarray.encoding import create_options
from zchunk.wings.xarray.exact import check_as_stored, encode_exactly, encoding_of
from zchunk.wings.xarray.regions import Region, RegionLike, find_region
from zchunk.wings.xarray.store import ZchunkStore

if TYPE_CHECKING:
    from zchunk.typing import Synchronizer


class WritableStore(ZchunkStore):
    """A group as a data store that xarray writes a data set to; `to_zarr` returns one.

    Parameters
    ----------
    group : Group
        The group, opened with `mode`: with ``w`` it is empty by now.
    mode : {"w", "w-", "a", "a-", "r+"}
        The mode of `to_zarr`.
    append_dim : hashable, optional
        Name of the axis that arrays grow along.
    region : mapping or "auto", optional
        The part of the arrays that is written.
    safe_chunks : bool, optional
        Refuse dask chunks if several of them lie in one stored chunk or shard.
    align_chunks : bool, optional
        Rechunk them instead.
    write_empty_chunks : bool, optional
        Store chunks that hold nothing but the fill value.
    synchronizer : optional
        The synchronizer of the arrays.
    close_group : bool, optional
        Close the stores of the group when this is closed.

    Examples
    --------
    >>> import xarray as xr
    >>> import zchunk
    >>> import zchunk.xarray
    >>> store = zchunk.xarray.to_zarr(xr.Dataset({"a": ("t", [1, 2, 3])}))
    >>> type(store).__name__, store.group["a"][:]
    ('WritableStore', array([1, 2, 3]))
    """

    def __init__(
        self,
        group: Group,
        mode: str,
        append_dim: Hashable | None = None,
        region: RegionLike | None = None,
        safe_chunks: bool = True,
        align_chunks: bool = False,
        write_empty_chunks: bool | None = None,
        synchronizer: Synchronizer | None = None,
        close_group: bool = False,
    ) -> None:
        super().__init__(group, None, close_group)
        self._mode = mode
        self._append_dim = append_dim
        self._region = region
        self._slices: Region = {}
        self._safe_chunks = safe_chunks
        self._align_chunks = align_chunks
        self._write_empty_chunks = write_empty_chunks
        self._synchronizer = synchronizer
        self.advance: Advance | None = None

    def child(self, name: str) -> Self:
        """Return the store of a group below this one, and make the group if there is none.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> store = zchunk.xarray.WritableStore(zchunk.group(), "a")
        >>> store.child("ocean").group.name
        '/ocean'
        """
        result = type(self)(
            self.group.require_group(name),
            self._mode,
            self._append_dim,
            self._region,
            self._safe_chunks,
            self._align_chunks,
            self._write_empty_chunks,
            self._synchronizer,
        )
        result.advance = self.advance
        return result

    # ---- before anything is written

    def prepare(self, dataset: Dataset, encoding: Mapping[Any, Any]) -> Dataset:
        """Return the part of a data set that is written: to a region, all but its indexes.

        Raises
        ------
        ValueError
            The region does not fit the arrays, or `encoding` is for a variable that is in the store.

        Examples
        --------
        >>> import xarray as xr
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.xarray.to_zarr(xr.Dataset({"a": ("t", [1, 2, 3])}, {"t": [10, 20, 30]})).group
        >>> store = zchunk.xarray.WritableStore(group, "r+", region="auto")
        >>> list(store.prepare(xr.Dataset({"a": ("t", [5])}, {"t": [20]}), {}).variables)
        ['a']
        """
        for name in encoding:
            if self._mode in ("a", "a-", "r+") and self._existing(name) is not None:
                raise ValueError(f"variable {name!r} already exists, but encoding was provided")
        if self._region is None:
            return dataset
        self._slices = find_region(dataset, self._region, self._mode, self._coordinate)
        if self._append_dim in self._slices:
            raise ValueError(
                "cannot list the same dimension in both ``append_dim`` and ``region`` with to_zarr(), got "
                f"{self._append_dim} in both"
            )
        return dataset.drop_vars(dataset.indexes)

    def _coordinate(self, dim: Hashable) -> Variable:
        array = self._existing(dim)
        if array is None:
            raise KeyError(f"no coordinate {dim!r} is in {self.group!r}, to find the region by")
        return xarray_internals.conventions.decode_cf_variable(dim, self.variable(array).compute())

    def _existing(self, name: Hashable) -> Array | None:
        """Return the stored array of a variable."""
        try:
            return Array(
                self.group.store,
                join(self.group.path, xarray_internals.stored_name(name)),
                chunk_store=self.group.chunk_store,
                synchronizer=self._synchronizer,
                write_empty_chunks=bool(self._write_empty_chunks),
                zarr_version=self.group.zarr_format,
            )
        except ArrayNotFoundError:
            return None

    # ---- xarray's protocol

    def encode(
        self, variables: Mapping[Any, Variable], attributes: Mapping[Any, Any]
    ) -> tuple[dict[Any, Variable], dict[Any, Any]]:
        """Return variables and attributes as they are stored.

        An error names the variable, which xarray's own method does not do.

        Examples
        --------
        >>> import xarray as xr
        >>> import zchunk
        >>> import zchunk.xarray
        >>> store = zchunk.xarray.WritableStore(zchunk.group(), "a")
        >>> packed = {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}
        >>> variables, _ = store.encode({"a": xr.Variable("t", [0.5, 1.0], encoding=packed)}, {})
        >>> variables["a"].values
        array([1, 2], dtype=int16)
        """
        encoded = {}
        for name, variable in variables.items():
            try:
                encoded[name] = self.encode_variable(variable, name)
            except Exception as err:
                err.add_note(f"Raised while encoding variable {name!r} with value {variable!r}")
                raise
        result: Any = super().encode({}, attributes)
        return encoded, result[1]

    def encode_variable(self, variable: Variable, name: object = None) -> Variable:
        """Return a variable with the items and attributes that are stored. `encode` calls this.

        Examples
        --------
        >>> import xarray as xr
        >>> import zchunk
        >>> import zchunk.xarray
        >>> store = zchunk.xarray.WritableStore(zchunk.group(), "a")
        >>> packed = {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}
        >>> store.encode_variable(xr.Variable("t", [0.5, 1.0], encoding=packed), "a").values
        array([1, 2], dtype=int16)
        """
        return encode_exactly(variable, name, xarray_internals.encode_variable)

    def encode_attribute(self, a: object) -> Any:
        """Return an attribute as Python's types, for JSON. `encode` calls this.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> import numpy as np
        >>> store = zchunk.xarray.WritableStore(zchunk.group(), "a")
        >>> store.encode_attribute(np.array([1, 2]))
        [1, 2]
        """
        return xarray_internals.encode_zarr_attr_value(a)

    def store(
        self,
        variables: Mapping[Any, Variable],
        attributes: Mapping[Any, Any],
        check_encoding_set: Collection[Any] = frozenset(),
        writer: object = None,
        unlimited_dims: object = None,
    ) -> None:
        """Make or resize arrays, set attributes, and hand the items of the variables to `writer`.

        xarray calls this with the variables of a data set. `writer.sync()` then writes dask arrays.

        Examples
        --------
        >>> import xarray as xr
        >>> import zchunk
        >>> import zchunk.xarray
        >>> from xarray.backends.common import ArrayWriter
        >>> store = zchunk.xarray.WritableStore(zchunk.group(), "a")
        >>> store.store({"a": xr.Variable("t", [1, 2])}, {"title": "run"}, writer=ArrayWriter())
        >>> store.group["a"][:], store.get_attrs()
        (array([1, 2]), {'title': 'run'})
        """
        if unlimited_dims:
            raise NotImplementedError("Zarr has no unlimited axes: any can grow, see append_dim")
        existing = {}
        for name in variables if self._mode != "w" else ():
            array = self._existing(name)
            if array is not None:
                existing[name] = array
        new = [name for name in variables if name not in existing]
        if self._mode == "r+" and new:
            raise ValueError(
                f"dataset contains non-pre-existing variables {new!r}, which is not allowed in to_zarr() "
                "with mode='r+'. To allow writing new variables, set mode='a'."
            )
        self._check_append_dim()
        encoded, attributes = self.encode({name: variables[name] for name in new}, attributes)
        encoded |= self._encode_like(existing, variables)
        if self._mode != "r+":
            with _attributes_of("the data set"):
                self.group.attrs.put(attributes)
        kept = self._mode == "a-" and self._append_dim is not None
        for name, variable in encoded.items():
            if kept and name in existing and self._append_dim not in variable.dims:
                continue
            self._write(name, variable, existing.get(name), name in check_encoding_set, writer)

    def _check_append_dim(self) -> None:
        dim = self._append_dim
        if dim is not None and self._existing(dim) is None:
            existing = self.get_dimensions()
            if dim not in existing:
                raise ValueError(
                    f"append_dim={dim!r} does not match any existing dataset dimensions {existing}"
                )

    def _encode_like(
        self, existing: Mapping[Any, Array], variables: Mapping[Any, Variable]
    ) -> dict[Any, Variable]:
        """Return the variables that are in the store already, encoded as the store has them."""
        if not existing:
            return {}
        raw = {name: self.variable(array) for name, array in existing.items()}
        stored = xarray_internals.conventions.decode_cf_variables(variables=raw, attributes={})[0]
        alike = {}
        for name in existing:
            xarray_internals.check_append_dtypes(name, stored[name], variables[name])
            alike[name] = variables[name].copy(deep=False)
            alike[name].encoding = encoding_of(stored[name], raw[name], variables[name])
        encoded, _ = self.encode(alike, {})
        for name in existing:
            encoded[name] = check_as_stored(alike[name], encoded[name], raw[name], name)
        fit: Any = xarray_internals.fit_to_existing
        region = self._slices if self._region is not None else None
        return {
            name: fit(name, variable, stored[name], region, self._append_dim)
            for name, variable in encoded.items()
        }

    # ---- one variable

    def _write(self, name: Any, v: Variable, array: Array | None, check: bool, writer: Any) -> None:
        if v.encoding.get("_FillValue") is not None:
            raise ValueError("Zarr does not support _FillValue in encoding.")
        v.encoding.pop("_FillValue", None)
        attrs, fill_value = self._fill_value(v)
        slices = {dim: self._slices.get(dim, slice(None)) for dim in v.dims}
        options: dict[str, Any] = {}
        if array is None:
            options = create_options(v, name, check, self.group.zarr_format)
            grid, shape = options["shards"] or options["chunks"], v.shape
        else:
            grid, shape = array.shards or array.chunks, array.shape
            if self._append_dim in slices:
                axis = v.dims.index(self._append_dim)
                slices[self._append_dim] = slice(shape[axis], None)
                shape = shape[:axis] + (shape[axis] + v.shape[axis],) + shape[axis + 1 :]
        region = tuple(slices.values())
        if v.chunks and isinstance(grid, tuple):
            v = self._aligned(v, name, grid, region, shape)
        if array is None:
            array = self._create(name, v, fill_value, attrs, options)
        elif array.shape != shape:
            array.resize(shape)
        writer.add(v.data, Target(array, self.advance), region)

    def _fill_value(self, v: Variable) -> tuple[dict[Any, Any], Any]:
        """Return the attributes to store, and the fill value of the array."""
        attrs = v.attrs.copy()
        if self.mask:
            return attrs, attrs.pop("_FillValue", None)
        fill_value = v.encoding.pop("fill_value", None)
        if fill_value is None and v.dtype.kind == "f":
            # xarray's default.
            fill_value = float("nan")
        missing = attrs.pop("_FillValue", None)
        if missing is not None:
            attrs["_FillValue"] = xarray_internals.FillValueCoder.encode(missing, v.dtype)
        return attrs, fill_value

    def _aligned(
        self, v: Variable, name: Any, grid: tuple[Any, ...], region: Any, shape: tuple[int, ...]
    ) -> Variable:
        """Return `v` in dask chunks that share no stored chunk; raise `ValueError` if they do share one."""
        if lists_lengths(grid):
            raise TypeError(
                f"variable {name!r} is a dask array, and the stored one has a rectilinear chunk grid, which "
                "xarray cannot align it to; compute it first, or use zchunk.dask.store"
            )
        if self._align_chunks:
            return xarray_internals.grid_rechunk(v=v, enc_chunks=grid, region=region)
        if self._safe_chunks:
            xarray_internals.validate_grid_chunks_alignment(
                nd_v_chunks=v.chunks,
                enc_chunks=grid,
                region=region,
                allow_partial_chunks=self._mode != "r+",
                name=name,
                backend_shape=shape,
            )
        return v

    def _create(
        self, name: object, v: Variable, fill_value: object, attrs: dict[Any, Any], options: dict[str, Any]
    ) -> Array:
        wanted = options.pop("write_empty_chunks", self._write_empty_chunks)
        if self._write_empty_chunks not in (None, wanted):
            raise ValueError(
                f'Differing "write_empty_chunks" values in encoding and parameters for variable {name!r}: '
                f"{wanted!r} and {self._write_empty_chunks!r}"
            )
        attributes = {key: self.encode_attribute(value) for key, value in attrs.items()}
        if self.group.zarr_format == 2:
            attributes[arrays.DIMENSION_KEY] = list(v.dims)
        else:
            options["dimension_names"] = v.dims
            missing = attributes.get("missing_value")
            if isinstance(missing, float) and missing != missing:
                # JSON has no NaN, which to xarray is missing in any case.
                del attributes["missing_value"]
        with _attributes_of(f"variable {name!r}"):
            return self.group.create(
                xarray_internals.stored_name(name),
                shape=v.shape,
                dtype=str if xarray_internals.is_text(v.dtype) else v.dtype,
                fill_value=fill_value,
                attributes=attributes,
                overwrite=self._mode == "w",
                write_empty_chunks=bool(wanted),
                synchronizer=self._synchronizer,
                **options,
            )

    # ---- afterwards

    def consolidate(self) -> None:
        """Consolidate the metadata of the group and of all that is below it.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> store = zchunk.xarray.WritableStore(zchunk.group(), "a")
        >>> store.consolidate()
        >>> ".zmetadata" in store.group.store
        True
        """
        version: Any = self.group.zarr_format
        consolidation.consolidate_metadata(self.group, zarr_format=version)

    def finish(self) -> None:
        """Touch the folder, by whose time xarray and dask tell data sets apart, and close the store.

        Examples
        --------
        >>> import zchunk
        >>> import zchunk.xarray
        >>> group = zchunk.open_group("run.zarr", mode="w")
        >>> zchunk.xarray.WritableStore(group, "a").finish()
        """
        root = self.group.chunk_store.root
        if root is not None:
            # The token that xarray gives to a data set opened by a path holds the time of the folder.
            os.utime(root)
        self.close()


@contextmanager
def _attributes_of(what: str) -> Iterator[None]:
    """Add to a `TypeError` that attributes cannot be stored, in xarray's words."""
    try:
        yield
    except TypeError as err:
        message = f"Invalid attribute in Dataset.attrs: those of {what} cannot be stored: {err}"
        raise TypeError(message) from err


class Target:
    """The array that a variable is written to, and a function that counts items. Only the array is pickled.

    Parameters
    ----------
    array : Array
        The array.
    advance : callable, optional
        Called with the number of items that were written, by several threads at once.
    """

    def __init__(self, array: Array, advance: Advance | None = None) -> None:
        self._array = array
        self._advance = advance
        self._token = new_token()

    def __setitem__(self, selection: Any, value: Any) -> None:
        self._array[selection] = value
        if self._advance is not None:
            self._advance(value.size)

    def __reduce__(self) -> tuple[Any, ...]:
        store = self._array.chunk_store
        if not store.many_writers or not is_shared(store):
            raise TypeError(
                f"array {self._array.name!r} in {store!r:.80} is in the memory of this process, or for one "
                "to write: what others write would be lost; use a folder or a URL, or dask's threads"
            )
        return type(self), (self._array,)

    def __dask_tokenize__(self) -> str:
        # The token of the array would take a look at all its files.
        return self._token
