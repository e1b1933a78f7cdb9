"""zarr-python 3 on zchunk's engine: programs that import zarr stay as they are, and zchunk does their chunks.

- `pipeline` has `ZchunkCodecPipeline`, what zarr-python calls a codec pipeline: it is handed the chunks of a
  selection.
- `engine` takes the place of whole reads and writes of `zarr.Array`; `installation` turns both on and off.
- `arrays`, `stores` and `batches` say what an array, a store and a selection of zarr-python are to zchunk, or
  that they are none of its; then zarr-python's own code does the work.
"""

try:
    import zarr.abc.codec  # noqa: F401
except ImportError as err:
    raise ImportError("zchunk.zarr_pipeline needs zarr-python 3: pip install 'zarr>=3.1'") from err

from zchunk.wings.zarr_pipeline import versions

try:
    from zchunk.wings.zarr_pipeline.installation import install, uninstall
    from zchunk.wings.zarr_pipeline.pipeline import ZchunkCodecPipeline, calls
except (ImportError, AttributeError):
    if versions.is_known():
        raise
    from zchunk.wings.zarr_pipeline.unknown import (
        ZchunkCodecPipeline,
        calls,
        install,
        uninstall,
    )

__all__ = ["ZchunkCodecPipeline", "calls", "install", "uninstall"]
