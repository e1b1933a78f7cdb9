"""Runs a notebook in the current folder, without Jupyter, and writes a copy with the outputs of its cells.

    python tests/notebook.py notebook.ipynb copy.ipynb

Outputs are text and pictures of Matplotlib, and what cells that are tagged "picture" show beside their text;
nothing that differs from one run to the next is added to them.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

Output = dict[str, Any]


def execute(notebook: dict[str, Any]) -> None:
    """Run the code cells one after the other, in one namespace, and replace their outputs.

    An exception in a cell ends the run.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, 1):
        cell["execution_count"] = number
        tags = cell["metadata"].get("tags", ())
        cell["outputs"] = _run("".join(cell["source"]), number, namespace, "picture" in tags)


def _run(source: str, number: int, namespace: dict[str, Any], drawn: bool) -> list[Output]:
    name = f"<cell {number}>"
    tree = ast.parse(source, name)
    last = None
    if isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    streams = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    with redirect_stdout(streams["stdout"]), redirect_stderr(streams["stderr"]):
        exec(compile(tree, name, "exec"), namespace)
        value = None if last is None else eval(compile(last, name, "eval"), namespace)
    outputs: list[Output] = [
        {"output_type": "stream", "name": stream, "text": _lines(text)}
        for stream, file in streams.items()
        if (text := _last_states(file.getvalue()))
    ]
    outputs += _figures()
    if value is not None:
        data = _drawing(value) if drawn else {}
        data["text/plain"] = _lines(repr(value))
        outputs.append(
            {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data}
        )
    return outputs


def _last_states(text: str) -> str:
    """Return text without the overwritten states of progress bars."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _drawing(value: Any) -> dict[str, Any]:
    """Return how a notebook draws a value: a figure of Matplotlib, or what draws itself as HTML."""
    return (
        {"image/png": _png(value)}
        if hasattr(value, "savefig")
        else {"text/html": _lines(value._repr_html_())}
    )


def _figures() -> list[Output]:
    """Close all figures of Matplotlib, and return them as outputs."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    outputs = []
    for number in pyplot.get_fignums() if pyplot else ():
        figure = pyplot.figure(number)
        data = {"image/png": _png(figure), "text/plain": [repr(figure)]}
        pyplot.close(figure)
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})
    return outputs


def _png(figure: Any) -> str:
    png = io.BytesIO()
    # Without the version of Matplotlib in it.
    figure.savefig(png, dpi=72, bbox_inches="tight", metadata={"Software": None})
    return base64.b64encode(png.getvalue()).decode() + "\n"


def read(path: Path) -> dict[str, Any]:
    """Return the notebook in a file."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def write(notebook: dict[str, Any], path: Path) -> None:
    """Write it as Jupyter does."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def main(source: str, target: str) -> None:
    """Run the notebook in one file, and write it to another."""
    notebook = read(Path(source))
    execute(notebook)
    write(notebook, Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
