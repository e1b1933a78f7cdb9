"""zarr 2's stores of its draft of format 3, which `zchunk.attrs.Attributes` takes."""

from zchunk.wings.zarr2 import KVStoreV3, StoreV3, meta_root

__all__ = ["KVStoreV3", "StoreV3", "meta_root"]

# Pickles name modules that were in it when it was a package (`zchunk.runtime.former_names`).
__path__: list[str] = []
