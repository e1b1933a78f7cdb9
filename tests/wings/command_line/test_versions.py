from __future__ import annotations

import zchunk
from tests.wings.command_line.conftest import Run


def test_versions(run: Run) -> None:
    found = run("versions", "--json").json
    assert found["zchunk"] == zchunk.__version__
    assert {"python", "numpy", "numcodecs", "h5py", "platform"} <= found.keys()
    lines = run("versions").out.splitlines()
    assert [line.split()[0] for line in lines] == [*found]
    assert all("not installed" in line for line in lines if found[line.split()[0]] is None)
