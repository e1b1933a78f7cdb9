"""Stores in S3, Google Cloud Storage and Azure: `objects` has `ObjectStore`, `azure` zarr 2's `ABSStore`.

`buckets` says how buckets are named and configured, `profiles` reads the files of AWS's tools, `obstore`
calls the library.
"""
