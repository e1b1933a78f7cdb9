"""Names at the places where programs for zarr 2.18 look for them."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import zchunk

NAMES = {
    "attrs": "Attributes",
    "convenience": "LazyLoader consolidate_metadata copy copy_all copy_store load open open_consolidated "
    "save save_array save_group tree",
    "core": "Array",
    "creation": "array create empty empty_like full full_like ones ones_like open_array open_like zeros "
    "zeros_like",
    "errors": "ArrayIndexError ArrayNotFoundError BadCompressorError BoundsCheckError ContainsArrayError "
    "ContainsGroupError CopyError FSPathExistNotDir GroupNotFoundError MetadataError NegativeStepError "
    "PathNotFoundError ReadOnlyError VindexInvalidSelectionError",
    "hierarchy": "Group group open_group",
    "storage": "ConsolidatedMetadataStore DirectoryStore KVStore MemoryStore NestedDirectoryStore Store "
    "TempStore ZipStore contains_array contains_group getsize listdir rename rmdir "
    "BaseStore BadCompressorError ContainsArrayError ContainsGroupError FSPathExistNotDir MetadataError "
    "NoLock ReadOnlyError array_meta_key attrs_key buffer_size encode_array_metadata encode_group_metadata "
    "group_meta_key init_array init_group json_dumps json_loads migrate_1to2 nolock normalize_chunks "
    "normalize_dimension_separator normalize_dtype normalize_fill_value normalize_order normalize_shape "
    "normalize_storage_path normalize_store_arg",
    "indexing": "ArrayIndexError BlockIndex NegativeStepError OIndex PartialChunkIterator VIndex "
    "boundscheck_indices ceildiv check_fields check_no_multi_fields check_selection_length "
    "is_contiguous_selection is_pure_fancy_indexing is_pure_orthogonal_indexing make_slice_selection "
    "wraparound_indices "
    "ensure_tuple is_basic_selection is_bool_array is_contiguous_slice is_coordinate_selection is_integer "
    "is_integer_array is_integer_list is_mask_selection is_positive_slice is_scalar is_slice is_total_slice "
    "ix_ normalize_integer_selection oindex oindex_set pop_fields replace_ellipsis replace_lists "
    "slice_to_range",
    "codecs": "AsType BZ2 Blosc Delta Pickle Zlib Zstd codec_registry get_codec register_codec",
    "meta": "decode_array_metadata encode_array_metadata json_dumps json_loads parse_metadata",
    "meta_v1": "decode_metadata encode_metadata",
    "n5": "N5ChunkWrapper N5FSStore N5Store n5_keywords",
    "util": "InfoReporter NoLock TreeViewer buffer_size guess_chunks human_readable_size is_total_slice "
    "is_valid_python_name json_dumps json_loads nolock normalize_chunks normalize_dimension_separator "
    "normalize_dtype normalize_fill_value normalize_order normalize_resize_args normalize_shape "
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


CODECS = (
    "Adler32 AsType BZ2 Base64 BitRound Blosc CRC32 Categorize Delta FixedScaleOffset Fletcher32 GZip JSON "
    "JenkinsLookup3 LZ4 LZMA MsgPack PackBits Pickle Quantize Shuffle VLenArray VLenBytes VLenUTF8 Zlib Zstd"
)


def test_codecs_of_the_package() -> None:
    pytest.importorskip("msgpack")
    code = (
        "import sys, zchunk as zarr\n"
        "assert 'numcodecs' not in sys.modules\n"
        f"assert all(getattr(zarr, n) is getattr(zarr.codecs, n) for n in {CODECS.split()!r})\n"
        "import numcodecs; assert zarr.Delta is numcodecs.Delta and zarr.Zlib is not numcodecs.Zlib\n"
        "assert zarr.codec_registry is numcodecs.registry.codec_registry\n"
        "assert zarr.get_codec({'id': 'delta', 'dtype': 'i4'}) == zarr.Delta('i4')\n"
        "assert zarr.register_codec is zarr.codecs.register_codec\n"
        "zarr.blosc.use_threads = False; assert 'lz4' in zarr.blosc.list_compressors()\n"
        "from zchunk import Pickle, VLenUTF8, blosc"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_older_names_of_methods(tmp_path: Path) -> None:
    z = zchunk.zeros(10, chunks=3)
    z[:4] = 1
    assert z.initialized == z.nchunks_initialized == 2
    with zchunk.ZipStore(tmp_path / "a.zip", mode="w") as store:
        store["b"] = store["a"] = b"v"
        assert store.keylist() == ["a", "b"]
