"""The kernels that are written for a processor give what defines them: here, and on others by QEMU.

`make old-processor` installs what the others need; without it they are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import ROOT

# The compiler, what runs its programs, the vectors that these have, and how they compute CRC-32C
PROCESSORS = {
    "this": ("cc", [], "", ""),
    "x86-64 of 2008": ("x86_64-linux-gnu-gcc", ["qemu-x86_64", "-cpu", "Nehalem"], "SSE2", "instructions"),
    "x86-64 of 2003": ("x86_64-linux-gnu-gcc", ["qemu-x86_64", "-cpu", "qemu64,-sse4.2"], "SSE2", "tables"),
    "aarch64": ("aarch64-linux-gnu-gcc", ["qemu-aarch64", "-cpu", "max"], "NEON", "instructions"),
    "aarch64 of 2012": (
        "aarch64-linux-gnu-gcc",
        ["qemu-aarch64", "-cpu", "cortex-a53"],
        "NEON",
        "instructions",
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name != "this" else name for name in PROCESSORS]
)
def test_values_are_those_of_the_definitions(tmp_path: Path, name: str) -> None:
    compiler, runner, vectors, crc = PROCESSORS[name]
    for program in (compiler, *runner[:1]):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")
    program = tmp_path / "kernels"
    static = ["-static"] if runner else []
    command = [compiler, "-O2", "-Wall", "-Werror", *static, f"-I{ROOT / '_ext'}", "-o", program]
    subprocess.run([*command, ROOT / "tests/ext/kernels.c"], check=True)
    done = subprocess.run([*runner, program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert ", 0 wrong; " in done.stdout
    assert f"vectors: {vectors}" in done.stdout
    assert done.stdout.strip().endswith(crc)
