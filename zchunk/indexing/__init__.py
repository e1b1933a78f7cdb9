"""Selections: what stands between the brackets becomes a `Plan` (in `plans`), or an error.

What stands in ``z[...]`` means what it does in NumPy (`brackets`). It is a `composition`, of which more may
be selected before it is planned; `pieces` cuts one at the edges of chunks or arrays.

`fields` selects fields of structured items, `values` makes items of what is assigned. zarr 2's helpers for
selections have their names here, too; they are imported from `zchunk.wings.zarr2.indexing` when they are
first read.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk._ext.selection.slices import ChunkPart, Plan
    from zchunk.errors import BoundsCheckError, VindexInvalidSelectionError
    from zchunk.indexing.brackets import plan_items
    from zchunk.indexing.fields import field_dtype, pop_fields
    from zchunk.indexing.plans import (
        normalize_integer_selection,
        oindex,
        oindex_set,
        plan_basic,
        plan_blocks,
        plan_coordinates,
        plan_mask,
        plan_orthogonal,
        plan_vindex,
        plan_within,
        replace_ellipsis,
    )
    from zchunk.wings.zarr2.indexing import (
        ArrayIndexError as ArrayIndexError,
    )
    from zchunk.wings.zarr2.indexing import (
        BlockIndex as BlockIndex,
    )
    from zchunk.wings.zarr2.indexing import (
        NegativeStepError as NegativeStepError,
    )
    from zchunk.wings.zarr2.indexing import (
        OIndex as OIndex,
    )
    from zchunk.wings.zarr2.indexing import (
        PartialChunkIterator as PartialChunkIterator,
    )
    from zchunk.wings.zarr2.indexing import (
        VIndex as VIndex,
    )
    from zchunk.wings.zarr2.indexing import (
        boundscheck_indices as boundscheck_indices,
    )
    from zchunk.wings.zarr2.indexing import (
        ceildiv as ceildiv,
    )
    from zchunk.wings.zarr2.indexing import (
        check_fields as check_fields,
    )
    from zchunk.wings.zarr2.indexing import (
        check_no_multi_fields as check_no_multi_fields,
    )
    from zchunk.wings.zarr2.indexing import (
        check_selection_length as check_selection_length,
    )
    from zchunk.wings.zarr2.indexing import (
        ensure_tuple as ensure_tuple,
    )
    from zchunk.wings.zarr2.indexing import (
        is_basic_selection as is_basic_selection,
    )
    from zchunk.wings.zarr2.indexing import (
        is_bool_array as is_bool_array,
    )
    from zchunk.wings.zarr2.indexing import (
        is_contiguous_selection as is_contiguous_selection,
    )
    from zchunk.wings.zarr2.indexing import (
        is_contiguous_slice as is_contiguous_slice,
    )
    from zchunk.wings.zarr2.indexing import (
        is_coordinate_selection as is_coordinate_selection,
    )
    from zchunk.wings.zarr2.indexing import (
        is_integer as is_integer,
    )
    from zchunk.wings.zarr2.indexing import (
        is_integer_array as is_integer_array,
    )
    from zchunk.wings.zarr2.indexing import (
        is_integer_list as is_integer_list,
    )
    from zchunk.wings.zarr2.indexing import (
        is_mask_selection as is_mask_selection,
    )
    from zchunk.wings.zarr2.indexing import (
        is_positive_slice as is_positive_slice,
    )
    from zchunk.wings.zarr2.indexing import (
        is_pure_fancy_indexing as is_pure_fancy_indexing,
    )
    from zchunk.wings.zarr2.indexing import (
        is_pure_orthogonal_indexing as is_pure_orthogonal_indexing,
    )
    from zchunk.wings.zarr2.indexing import (
        is_scalar as is_scalar,
    )
    from zchunk.wings.zarr2.indexing import (
        is_slice as is_slice,
    )
    from zchunk.wings.zarr2.indexing import (
        is_total_slice as is_total_slice,
    )
    from zchunk.wings.zarr2.indexing import (
        ix_ as ix_,
    )
    from zchunk.wings.zarr2.indexing import (
        make_slice_selection as make_slice_selection,
    )
    from zchunk.wings.zarr2.indexing import (
        replace_lists as replace_lists,
    )
    from zchunk.wings.zarr2.indexing import (
        slice_to_range as slice_to_range,
    )
    from zchunk.wings.zarr2.indexing import (
        wraparound_indices as wraparound_indices,
    )
else:
    __getattr__ = lazy_names(
        globals(),
        {
            "zchunk._ext.selection.slices": "ChunkPart Plan",
            "zchunk.errors": "BoundsCheckError VindexInvalidSelectionError",
            "zchunk.indexing.brackets": "plan_items",
            "zchunk.indexing.fields": "field_dtype pop_fields",
            "zchunk.indexing.plans": (
                "normalize_integer_selection oindex oindex_set plan_basic plan_blocks"
                " plan_coordinates plan_mask plan_orthogonal plan_vindex plan_within"
                " replace_ellipsis"
            ),
            "zchunk.wings.zarr2.indexing": (
                "ArrayIndexError BlockIndex NegativeStepError OIndex PartialChunkIterator VIndex "
                "boundscheck_indices ceildiv check_fields check_no_multi_fields check_selection_length "
                "ensure_tuple is_basic_selection is_bool_array is_contiguous_selection is_contiguous_slice "
                "is_coordinate_selection is_integer is_integer_array is_integer_list is_mask_selection "
                "is_positive_slice is_pure_fancy_indexing is_pure_orthogonal_indexing is_scalar is_slice "
                "is_total_slice ix_ make_slice_selection replace_lists slice_to_range wraparound_indices "
            ),
        },
    )

__all__ = [
    "BoundsCheckError",
    "ChunkPart",
    "Plan",
    "VindexInvalidSelectionError",
    "field_dtype",
    "normalize_integer_selection",
    "oindex",
    "oindex_set",
    "plan_basic",
    "plan_blocks",
    "plan_coordinates",
    "plan_items",
    "plan_mask",
    "plan_orthogonal",
    "plan_vindex",
    "plan_within",
    "pop_fields",
    "replace_ellipsis",
]
