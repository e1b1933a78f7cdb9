"""What a process has once: worker threads, requests, locks, forks, progress, late imports.

`threads` is the pool (`get_threads`, `set_threads`), `workers` its threads and tasks, `requests` the windows
of requests to remote stores, `metadata_locks` the lock of each node's metadata, `fork` what each process
makes for itself. `absent_modules` and `near_names` say in errors what to use instead. Imports nothing above
it.
"""
