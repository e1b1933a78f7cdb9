"""Why a read is slow: `profile` counts what a selection touches, `plot_chunks` draws what is stored."""

from zchunk.wings.profiling.plotting import plot_chunks
from zchunk.wings.profiling.selections import Profile, profile

__all__ = ["Profile", "plot_chunks", "profile"]
