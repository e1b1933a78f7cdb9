"""A training loop that can be stopped at any moment, and goes on with the same bits.

The state is what JAX and PyTorch programs have: nested dicts of arrays for the model and the optimizer, a
generator of random numbers, and counters. Arrays of JAX and tensors of PyTorch (``model.state_dict()``) are
saved as they are; here NumPy does the arithmetic, so that the example needs nothing else. SIGTERM and SIGINT,
as the end of a job and Ctrl-C, end the loop after one more checkpoint.

    python examples/training.py --out run.ckpt
    python examples/training.py --out run.ckpt --steps 4000  # goes on
    python examples/training.py --check                      # stops itself, goes on, compares
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from zchunk.checkpoint import CheckpointManager

Tree = dict[str, Any]
RATE, DECAY, DECAY_OF_SQUARES, SMALL = 1e-2, 0.9, 0.999, 1e-8


def new_state(seed: int = 0) -> Tree:
    """Return a network with one hidden layer, the state of Adam for it, and random numbers."""
    rng = np.random.default_rng(seed)
    params = {
        "hidden": {"weight": rng.normal(size=(1, 32)), "bias": np.zeros(32)},
        "output": {"weight": rng.normal(size=(32, 1)) / 32**0.5, "bias": np.zeros(1)},
    }
    zeros = {layer: {name: np.zeros_like(p) for name, p in tree.items()} for layer, tree in params.items()}
    squares = {layer: {name: p.copy() for name, p in tree.items()} for layer, tree in zeros.items()}
    return {"params": params, "adam": {"mean": zeros, "square": squares}, "rng": rng, "loss": float("inf")}


def loss_and_gradients(params: Tree, x: np.ndarray, y: np.ndarray) -> tuple[float, Tree]:
    """Return the mean squared error, and how it changes with every parameter."""
    hidden = np.tanh(x @ params["hidden"]["weight"] + params["hidden"]["bias"])
    error = hidden @ params["output"]["weight"] + params["output"]["bias"] - y
    out = 2 * error / len(x)
    back = out @ params["output"]["weight"].T * (1 - hidden**2)
    return float((error**2).mean()), {
        "hidden": {"weight": x.T @ back, "bias": back.sum(axis=0)},
        "output": {"weight": hidden.T @ out, "bias": out.sum(axis=0)},
    }


def train_step(state: Tree, step: int) -> None:
    """Learn from a batch of random points of a sine, in place."""
    x = state["rng"].uniform(-3, 3, (64, 1))
    state["loss"], gradients = loss_and_gradients(state["params"], x, np.sin(x))
    for layer, tree in gradients.items():
        for name, gradient in tree.items():
            mean, square = (state["adam"][kind][layer][name] for kind in ("mean", "square"))
            mean += (1 - DECAY) * (gradient - mean)
            square += (1 - DECAY_OF_SQUARES) * (gradient**2 - square)
            corrected = mean / (1 - DECAY**step), square / (1 - DECAY_OF_SQUARES**step)
            state["params"][layer][name] -= RATE * corrected[0] / (np.sqrt(corrected[1]) + SMALL)


def train(folder: Path, steps: int, every: int, stopped: int | None = None) -> tuple[int, Tree]:
    """Train up to a step, from the last checkpoint if there is one; return the last step and the state.

    At the step `stopped` the process gets a SIGTERM, as from a batch system.
    """
    state, step = new_state(), 0
    signals = (signal.SIGTERM, signal.SIGINT)
    with CheckpointManager(folder, save_interval_steps=every, signals=signals) as manager:
        checkpoint = manager.restore(like=state)
        if checkpoint is not None:
            assert checkpoint.state is not None
            state, step = checkpoint.state, checkpoint.step
            print(f"  goes on from step {step}, loss {state['loss']:.5f}")
        while step < steps:
            step += 1
            train_step(state, step)
            if step == stopped:
                signal.raise_signal(signal.SIGTERM)
            ends = manager.should_stop()
            if manager.should_save(step):
                manager.save(step, state, attrs={"loss": state["loss"]})
            if ends:
                break
    print(f"  {'stopped' if step < steps else 'ended'} at step {step}, loss {state['loss']:.5f}")
    return step, state


def flat(tree: Any, path: str = "") -> dict[str, bytes]:
    """Return the bytes of all leaves of a state by their paths."""
    if isinstance(tree, dict):
        parts = [flat(item, f"{path}/{name}") for name, item in tree.items()]
        return {key: value for part in parts for key, value in part.items()}
    if isinstance(tree, np.random.Generator):
        return {path: repr(tree.bit_generator.state).encode()}
    return {path: np.asarray(tree).tobytes()}


def check(steps: int, every: int) -> int:
    """Train without a stop and with one between two checkpoints; return 1 unless all bits are the same."""
    with tempfile.TemporaryDirectory() as folder:
        print("Without a stop:")
        _, wanted = train(Path(folder) / "whole", steps, every)
        print("With a stop:")
        train(Path(folder) / "parted", steps, every, stopped=steps // 2 + 1)
        _, found = train(Path(folder) / "parted", steps, every)
    if flat(found) != flat(wanted):
        print("MISMATCH: the states differ", file=sys.stderr)
        return 1
    print("The states have the same bits.")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2000, help="train up to this step (default %(default)s)")
    parser.add_argument("--every", type=int, default=200, help="steps between saves (default %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("training.ckpt"), help="folder of the checkpoints")
    parser.add_argument("--check", action="store_true", help="stop, go on, and compare; leaves nothing")
    args = parser.parse_args(argv)
    if args.check:
        return check(args.steps, args.every)
    train(args.out, args.steps, args.every)
    return 0


if __name__ == "__main__":
    sys.exit(main())
