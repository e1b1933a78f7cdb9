"""Checkpoints of a program's state: crash-safe, saved by any number of processes and restored by any other.

`CheckpointManager` saves and restores; `looking` needs no other process. A save is due (`intervals`), agreed
on (`agreement`, `plan`, `decomposition`), copied (`staging`), and written and committed in the background
(`saving`, `commit`); workers of dask write its arrays (`dask_workers`). A restart begins with a step that is
whole (`restarts`, `verification`), which is read (`restoring`). No process waits for ever for one that has
failed (`vote`, `meetings`).
`Series` grows step by step by the same means. Both are called one call at a time (`turns`).
"""
