"""Libraries for checkpoints: zchunk, Orbax of JAX, and DCP of PyTorch, used as their documents say."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.checkpoints.base import ROW_ITEMS, Items, Part, System

LZ4 = {
    "name": "blosc",
    "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "typesize": 8, "blocksize": 0},
}


class ZchunkManager(System):
    """`zchunk.checkpoint`: its bytes are on the disk before a step is there."""

    async_save = False
    compressors: Any = "crc32c"

    def __init__(self, part: Part, folder: str) -> None:
        super().__init__(part, folder)
        import zchunk
        from zchunk import checkpoint

        self._zchunk: Any = zchunk
        self._checkpoint: Any = checkpoint
        address, key = os.path.join(part.meeting, "link", "socket"), b"a benchmark"
        os.makedirs(os.path.dirname(address), exist_ok=True)
        comm = checkpoint.ProcessCommunicator(part.rank, part.size, address, key)
        # What was saved before is deleted between the runs, by all systems alike.
        self._manager: Any = checkpoint.CheckpointManager(
            folder, comm, max_to_keep=None, async_save=self.async_save, compressors=self.compressors
        )

    @property
    def version(self) -> str:
        return str(self._zchunk.__version__)

    def _block(self, values: Items) -> Any:
        return self._checkpoint.Block(values, (self.part.slices[0], 0), self.part.shape)

    def save(self, step: int) -> None:
        self._manager.save(step, {"u": self._block(self.values)})

    def wait(self) -> None:
        if self.async_save:
            self._manager.wait_until_finished()

    def busy(self) -> Callable[[], bool]:
        step, manager = self._step, self._manager
        return lambda: manager.latest_step() != step

    @property
    def _step(self) -> int:
        return int(self._manager._pending.steps[-1])

    def restore(self, step: int) -> Items:
        first, last = self.part.slices
        found = np.empty((last - first, ROW_ITEMS))
        self._manager.restore(like={"u": self._block(found)})
        return found

    def close(self) -> None:
        self._manager.close()


class ZchunkAsync(ZchunkManager):
    """The same in the background."""

    async_save = True


class ZchunkLz4(ZchunkManager):
    """The same with compressed chunks."""

    compressors: Any = LZ4


class ZchunkLz4Async(ZchunkLz4):
    """The same in the background."""

    async_save = True


class Orbax(System):
    """A global array of JAX, a device of the processor for each process."""

    def __init__(self, part: Part, folder: str) -> None:
        super().__init__(part, folder)
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax

        jax.config.update("jax_enable_x64", True)
        if part.size > 1:
            jax.distributed.initialize(f"localhost:{self._port()}", part.size, part.rank)
        from jax.sharding import Mesh, NamedSharding, PartitionSpec
        from orbax import checkpoint

        sharding = NamedSharding(Mesh(np.array(jax.devices()), ("x",)), PartitionSpec("x"))
        self._state = {"u": jax.make_array_from_process_local_data(sharding, self.values)}
        self._checkpoint: Any = checkpoint
        self._checkpointer = checkpoint.StandardCheckpointer()

    def _port(self) -> int:
        """Return a port that no other group has at this moment."""
        import socket
        from pathlib import Path

        told = Path(self.part.meeting, "port")
        if self.part.rank == 0:
            with socket.socket() as free:
                free.bind(("localhost", 0))
                told.write_text(str(free.getsockname()[1]))
        self.part.barrier("port is there")
        return int(told.read_text())

    @property
    def version(self) -> str:
        return str(self._checkpoint.__version__)

    def save(self, step: int) -> None:
        self._checkpointer.save(self.path(step), self._state)

    def wait(self) -> None:
        self._checkpointer.wait_until_finished()

    def close(self) -> None:
        self._checkpointer.close()


class Dcp(System):
    """A distributed tensor of PyTorch."""

    def __init__(self, part: Part, folder: str) -> None:
        super().__init__(part, folder)
        import torch
        import torch.distributed.checkpoint as dcp
        from torch import distributed
        from torch.distributed.tensor import DTensor, Shard, init_device_mesh

        meeting = f"file://{part.meeting}/gloo"
        distributed.init_process_group("gloo", init_method=meeting, rank=part.rank, world_size=part.size)
        mesh = init_device_mesh("cpu", (part.size,))
        local = torch.from_numpy(np.array(self.values))
        self._state = {"u": DTensor.from_local(local, mesh, [Shard(0)])}
        self._torch: Any = torch
        self._dcp: Any = dcp

    @property
    def version(self) -> str:
        return str(self._torch.__version__)

    def save(self, step: int) -> None:
        self._dcp.save(self._state, storage_writer=self._dcp.FileSystemWriter(self.path(step)))

    def close(self) -> None:
        self._torch.distributed.destroy_process_group()
