"""Names at the places where programs for zarr 2.18 look for them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import zchunk

NAMES = {
    "attrs": "Attributes",
    "convenience": "consolidate_metadata copy copy_all copy_store load open open_consolidated save "
    "save_array save_group tree",
    "core": "Array",
    "creation": "array create empty empty_like full full_like ones ones_like open_array open_like zeros "
    "zeros_like",
    "errors": "ArrayIndexError ArrayNotFoundError BadCompressorError BoundsCheckError ContainsArrayError "
    "ContainsGroupError CopyError FSPathExistNotDir GroupNotFoundError MetadataError NegativeStepError "
    "PathNotFoundError ReadOnlyError VindexInvalidSelectionError",
    "hierarchy": "Group group open_group",
    "storage": "ConsolidatedMetadataStore DirectoryStore KVStore MemoryStore NestedDirectoryStore Store "
    "TempStore ZipStore contains_array contains_group getsize listdir rename rmdir",
    "meta": "decode_array_metadata encode_array_metadata json_dumps json_loads parse_metadata",
    "util": "InfoReporter TreeViewer buffer_size json_dumps json_loads normalize_chunks normalize_shape "
    "normalize_storage_path",
}


@pytest.mark.parametrize("module", NAMES)
def test_names(module: str) -> None:
    code = (
        f"import zchunk as zarr; names = {NAMES[module].split()!r}\n"
        f"found = [getattr(zarr.{module}, name) for name in names]\n"
        f"import zchunk.{module}; from zchunk.{module} import {', '.join(NAMES[module].split())}\n"
        f"assert found == [eval(name) for name in names]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_they_are_the_same_objects() -> None:
    for module, names in NAMES.items():
        found = import_module(f"zchunk.{module}")
        for name in names.split():
            assert getattr(zchunk, name, getattr(found, name)) is getattr(found, name)


def test_modules_are_imported_when_asked_for() -> None:
    code = (
        "import sys, zchunk; assert 'zchunk.hierarchy' not in sys.modules\n"
        "assert zchunk.hierarchy.Group is zchunk.Group\n"
        "print(hasattr(zchunk, 'nope'))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
    assert done.stdout.strip() == b"False"
