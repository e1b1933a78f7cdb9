"""What a process has once: worker threads, requests, locks, forks, progress, late imports.

`threads` is the pool (`get_threads`, `set_threads`), `workers` its threads and tasks, `requests` the windows
of requests to remote stores, `metadata_locks` the lock of each node's metadata, `fork` what each process
makes for itself. Imports nothing above it.
"""
