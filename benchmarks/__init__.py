"""Peers side by side: the same bytes, one process per library, ratios within one run.

``python -m benchmarks --help`` lists the options. The parts:

- `cases`: what is measured, and what zchunk must reach there; a new case is one entry.
- `datasets`, `selections`: the values, how they are stored, and what is read of them.
- `adapters`: one file per library, each with the same few operations; a new peer is one file there.
- `actions`: how each kind of case is prepared, verified and timed; `probe`: the same in a process of its own.
- `xarrays`: the same for the cases through xarray.
- `worker`: the process of one library; it runs actions as the parent asks for them.
- `limits`: what the machine itself allows, measured as if it were one more library; `shards`: which bytes
  of a shard it has to read.
- `slow`, `slow.c`: storage that lets its callers wait, for the cases that say how long.
- `objects`: the object store of the remote cases, whose workers are processes of their own.
- `harness`: starts the workers, interleaves the runs in random order, collects the values.
- `checkpoints`: a benchmark of its own, of what saves the state of many processes.
- `environments`: virtual environments for the peers; `machine`: where the measurement takes place.
- `report`, `plot`, `headline`: Markdown and SVG from the collected values; `merge`: those of several runs.

The cases that share an array run together; within such a group, every repetition goes through the cases in a
new random order, and in each through all libraries in turns, so that what else runs on the machine concerns
all of them. A case whose values are far apart is run again, and marked. Long cases are repeated less often.
"""
