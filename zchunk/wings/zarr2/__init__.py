"""zarr 2's names that no room of zchunk has under the same name.

`metadata`, `format1`, `util`, `indexing` and `store_functions` hold the functions of `zarr.meta`,
`zarr.meta_v1`, `zarr.util`, `zarr.indexing` and `zarr.storage`; `draft3` what zarr 2 had of format 3. Nothing
in zchunk imports them, except the faces that offer these names.
"""

from typing import TYPE_CHECKING

from zchunk.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from zchunk.wings.zarr2.draft3 import KVStoreV3, StoreV3, meta_root
else:
    __getattr__ = lazy_names(globals(), {"zchunk.wings.zarr2.draft3": "KVStoreV3 StoreV3 meta_root"})

__all__ = ["KVStoreV3", "StoreV3", "meta_root"]
