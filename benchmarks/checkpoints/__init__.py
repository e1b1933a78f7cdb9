"""Checkpoints side by side: the same array, saved by the same number of processes with every library.

``python -m benchmarks.checkpoints --help`` lists the options. The parts:

- `base`: what a system is: something that saves the parts of some processes.
- `plain`: files, h5py, and arrays of zchunk and zarr-python, none of which is a checkpoint.
- `managers`: libraries for checkpoints: zchunk, Orbax, PyTorch's DCP.
- `systems`: all of them by name, and the environments that they live in.
- `rank`: the process of one rank of one system; `group`: all ranks of it, as the parent has them.
- `measure`: what is timed; `report`: the section of docs/checkpoints.md from the values.

All systems take turns in a new random order, round by round, and the data are in memory that they share.
Before every save what the last one wrote is deleted, and the disk is waited for.
"""
