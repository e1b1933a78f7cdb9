"""The side of another implementation: calls come as lines of JSON, and so do answers.

Called with the name of a module in `adapters`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")


def run(adapter: Any, cases: Any, call: dict[str, Any]) -> dict[str, Any]:
    """Do what the call asks for, and return the answer to it."""
    case = cases.case_of(call["case"])
    store = call["store"]
    box = call.get("box") and tuple(slice(*bounds) for bounds in call["box"])
    if call["do"] == "read":
        found = adapter.read(store, case, box)
        Path(call["items"]).write_bytes(cases.encode_items(found))
        array, group = adapter.attributes(store, case)
        return {"shape": found.shape, "attributes": array, "group": group}
    items = cases.decode_items(case, tuple(call["shape"]), Path(call["items"]).read_bytes())
    if call["do"] == "write":
        adapter.write(store, case, items)
    else:
        adapter.change(store, case, box, items)
    return {}


def main() -> None:
    """Answer calls until there are no more."""
    # Not from the path: libraries take plugins from packages on it, and zchunk in this tree is built for
    # another Python.
    del sys.path[0]
    tests = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("tests", tests / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules["tests"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["tests"])
    cases = importlib.import_module("tests.promises.interop.cases")
    adapter = importlib.import_module(f"tests.promises.interop.adapters.{sys.argv[1]}")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Nothing that a library prints gets among the answers.
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer = run(adapter, cases, json.loads(line))
        except (Exception, SystemExit) as err:
            answer = {"error": f"{type(err).__name__}: {err}"[:500]}
        except BaseException as err:
            # Panics of Rust are no exceptions.
            answer = {"error": f"{type(err).__name__}: {err}"[:500], "died": True}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
