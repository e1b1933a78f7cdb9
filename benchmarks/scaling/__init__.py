"""The cost model of `zchunk.profile`, fitted to measured runs, and what it says of far larger arrays.

`python -m benchmarks.scaling` measures and prints; with `--write` the tables go to docs/design/scaling.md,
and the rates to zchunk/wings/profiling/costs.py.
"""
