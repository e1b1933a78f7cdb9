"""Stores in S3, Google Cloud Storage and Azure: `objects` has `ObjectStore`, `azure` zarr 2's `ABSStore`."""
