"""A plugin of pytest by which it runs the blocks of Python in documents, as they stand, through Sybil.

`test_documents` starts it for each document: ``PYTHONPATH=tests/promises python -m pytest -n 0 -p code_blocks
docs/guide.md`` runs those of one, in the folder where it is called. Blocks of a document share their names,
and each is a test.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec

import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

# Blocks that talk to services on the internet, which tests do not: they are compiled only.
REMOTE = ("s3://", "https://")


def is_installed(block: str) -> bool:
    """Whether the packages that a block imports are there; those of extras may be absent."""
    imported = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Import)]
    return all(find_spec(alias.name.split(".")[0]) for node in imported for alias in node.names)


class Runs(PythonEvaluator):
    """Runs a block, if that is possible here."""

    def __call__(self, example: Example) -> None:
        block = str(example.parsed)
        names = example.namespace
        if names.get("missing") or not is_installed(block):
            names["missing"] = True
            pytest.skip("packages of this block, or of one before it, are not installed")
        if any(scheme in block for scheme in REMOTE):
            compile(block, example.path, "exec")
            pytest.skip("talks to a service on the internet")
        super().__call__(example)


pytest_collect_file = Sybil([CodeBlockParser("python", Runs())], patterns=["*.md"], path="/").pytest()
