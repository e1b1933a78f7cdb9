"""What the process has once: worker threads, requests, locks, what survives no fork, progress, late imports.

`threads` is the pool (`get_threads`, `set_threads`), `workers` its threads and tasks, `requests` the window
of requests to far stores, `locks` the locks of metadata, `fork` what each process makes for itself. Imports
nothing above it.
"""
