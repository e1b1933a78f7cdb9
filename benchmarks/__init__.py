"""Peers side by side: the same bytes, one process per library, ratios within one run.

``python -m benchmarks --help`` lists the options. The parts:

- `cases`: what is measured; a new case is one entry there.
- `adapters`: one file per library, each with the same few operations; a new peer is one file there.
- `worker`: the process of one library; it prepares, times and verifies what the parent asks for.
- `limits`: what the machine itself allows, measured as if it were one more library.
- `harness`: starts the workers, interleaves the runs in random order, collects the times.
- `report`: JSON and Markdown from the collected times.
"""
