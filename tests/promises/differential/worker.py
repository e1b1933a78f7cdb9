"""zarr's side: runs what comes over the standard input, and answers over the standard output.

Called with the name of the module of programs beside this one, and the release of zarr that is to be there.
"""

import importlib
import os
import pickle
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import zarr  # noqa: E402

module, version = sys.argv[1:]
assert zarr.__version__ == version, zarr.__version__
# Only now, and not for long: zarr takes a codec pipeline from every package that it finds on the path, and
# the zchunk in this tree is built for another Python.
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
program = importlib.import_module(f"tests.promises.differential.{module}")
del sys.path[0]
answers = os.fdopen(os.dup(1), "wb")
# Nothing that a library prints gets among the answers.
os.dup2(2, 1)
while True:
    try:
        name, *arguments = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    pickle.dump(getattr(program, name)(zarr, *arguments), answers)
    answers.flush()
