"""zarr-python 3 on zchunk's engine: programs that import zarr stay as they are, and zchunk does their chunks.

::

    import zarr
    import zchunk.zarr_pipeline

    zchunk.zarr_pipeline.install()             # the codec pipeline
    zchunk.zarr_pipeline.install(engine=True)  # and whole reads and writes

The environment does the same, without an import: ``ZARR_CODEC_PIPELINE__PATH`` with the value
``zchunk.zarr_pipeline.ZchunkCodecPipeline``, or ``ZCHUNK_ZARR_ENGINE=1``.
"""

from zchunk.wings.zarr_pipeline import ZchunkCodecPipeline, calls, install, uninstall

__all__ = ["ZchunkCodecPipeline", "calls", "install", "uninstall"]
