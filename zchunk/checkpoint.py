"""Checkpoints of a program's state: crash-safe, saved by any number of processes and restored by any other.

>>> import numpy as np
>>> from zchunk.checkpoint import CheckpointManager
>>> with CheckpointManager("run.ckpt") as manager:
...     _ = manager.save(10, {"u": np.arange(3.0), "dt": 0.1})
>>> checkpoint = CheckpointManager("run.ckpt").restore()
>>> checkpoint.step, checkpoint["dt"], checkpoint.read("u")
(10, 0.1, array([0., 1., 2.]))
"""

from zchunk.wings.checkpoint.manager import CheckpointManager
from zchunk.wings.checkpoint.partitions import Partition, partition
from zchunk.wings.checkpoint.processes import ProcessCommunicator, process_communicators
from zchunk.wings.checkpoint.restoring import Checkpoint
from zchunk.wings.checkpoint.series import Series
from zchunk.wings.checkpoint.values import Block, PerRank

__all__ = [
    "Block",
    "Checkpoint",
    "CheckpointManager",
    "Partition",
    "PerRank",
    "ProcessCommunicator",
    "Series",
    "partition",
    "process_communicators",
]
