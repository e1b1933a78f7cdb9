"""One program per implementation: how it writes, reads and changes an array, by its own functions.

A module has ``write(store, case, items)``, ``read(store, case, box)`` and
``change(store, case, box, items)``, as far as the implementation can; ``attributes(store, case)`` returns
those of the array and of the root group, None for what it does not have. It imports only what is in its
environment.
"""
