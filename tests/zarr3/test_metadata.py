"""The metadata of nodes with zarr 3's members."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zchunk
import zchunk.zarr3 as zarr
from zchunk.codecs import Zstd
from zchunk.errors import MetadataError
from zchunk.zarr3.codecs import (
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
    numcodecs,
)
from zchunk.zarr3.dtype import Float32, Int16, VariableLengthUTF8
from zchunk.zarr3.metadata import (
    ArrayV2Metadata,
    ArrayV3Metadata,
    GroupMetadata,
    RectilinearChunkGridMetadata,
    RegularChunkGridMetadata,
)


def test_format_3(tmp_path: Path) -> None:
    z = zarr.create_array(
        tmp_path / "a", shape=(6, 8), chunks=(2, 4), dtype="i2", fill_value=7, attributes={"x": 1},
        dimension_names=["p", None], filters=[TransposeCodec(order=(1, 0))],
        compressors=[GzipCodec(level=1), Crc32cCodec()],
    )  # fmt: skip
    found: Any = z.metadata
    assert isinstance(found, ArrayV3Metadata)
    assert (found.shape, found.ndim, found.zarr_format, found.node_type) == ((6, 8), 2, 3, "array")
    assert found.chunk_grid == RegularChunkGridMetadata((2, 4))
    assert found.chunk_grid.chunk_shape == (2, 4)
    assert found.data_type == Int16()
    assert found.codecs == (
        TransposeCodec(order=(1, 0)), BytesCodec(endian="little"), GzipCodec(level=1), Crc32cCodec(),
    )  # fmt: skip
    assert (found.fill_value, found.dimension_names, found.attributes) == (7, ("p", None), {"x": 1})
    assert found.chunk_key_encoding.name == "default"
    assert found.encode_chunk_key((1, 0)) == "c/1/0"
    assert found.storage_transformers == ()
    assert json.loads(json.dumps(found.to_dict())) == json.loads((tmp_path / "a/zarr.json").read_text())
    # What zchunk itself has is still there.
    assert found.dtype == "i2"
    assert found.grid.nchunks == 6
    z.attrs["x"] = 2
    assert z.metadata.to_dict()["attributes"] == {"x": 2}


def test_shards_and_other_codecs() -> None:
    found: Any = zarr.create_array({}, shape=8, chunks=2, shards=4, dtype="u1").metadata
    assert found.chunk_grid.chunk_shape == (4,)
    (shard,) = found.codecs
    assert isinstance(shard, ShardingCodec)
    assert shard.chunk_shape == (2,)
    assert shard.codecs == (BytesCodec(endian=None), ZstdCodec(level=0))
    found = zarr.create_array({}, shape=8, dtype=str, compressors=numcodecs.BZ2(level=3)).metadata
    assert found.data_type == VariableLengthUTF8()
    assert found.codecs[0].name == "vlen-utf8"
    assert found.codecs[1] == numcodecs.BZ2(level=3)


def test_format_2() -> None:
    z = zarr.create_array({}, shape=(6, 8), chunks=(2, 4), dtype="f4", zarr_format=2, attributes={"x": 1})
    found: Any = z.metadata
    assert isinstance(found, ArrayV2Metadata)
    assert (found.chunks, found.chunk_grid.chunk_shape, found.order) == ((2, 4), (2, 4), "C")
    assert found.attributes == {"x": 1}
    assert found.to_dict()["compressor"]["id"] == "zstd"
    assert ArrayV2Metadata.from_dict(found.to_dict()) == found


def test_only_those_of_the_face_have_them(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=4, dtype="f4")
    plain = zchunk.open_array(tmp_path / "a").metadata
    assert not hasattr(plain, "attributes")
    assert plain.codecs == (Zstd(level=0),)
    z: Any = zarr.open_array(tmp_path / "a")
    assert z.metadata.data_type == Float32()
    assert pickle.loads(pickle.dumps(z)).metadata == z.metadata
    assert pickle.loads(pickle.dumps(z.metadata)) == z.metadata
    g: Any = zarr.group(tmp_path / "g")
    g.create_array("b", shape=2, dtype="f4", attributes={"x": 1})
    assert g["b"].metadata.attributes == {"x": 1}
    zarr.consolidate_metadata(g.store)
    found = zarr.open_group(tmp_path / "g", mode="r").metadata.consolidated_metadata
    assert found is not None
    assert found.metadata["b"].attributes == {"x": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("version", [2, 3])
def test_a_node_is_made_of_them(version: Any) -> None:
    options: Any = {"shape": (6, 8), "chunks": (2, 4), "zarr_format": version, "attributes": {"x": 1}}
    z = zarr.create_array({}, dtype="i2", compressors="gzip", **options)
    nodes = {"g": GroupMetadata(zarr_format=version), "g/a": z.metadata}
    made = dict(zarr.create_hierarchy(store={}, nodes=nodes))
    assert made["g/a"].metadata == z.metadata
    assert made["g/a"].attrs["x"] == 1
    copied = zchunk.group(zarr_format=version)
    zchunk.copy(z, copied, name="b")
    assert copied["b"].compressor == z.compressor  # type: ignore[union-attr]


def test_metadata_that_users_make() -> None:
    z = zarr.create_array({}, shape=(6, 8), chunks=3, dtype=">f4", attributes={"x": 1}, fill_value=np.nan)
    old: Any = z.metadata
    new = ArrayV3Metadata(
        shape=old.shape, data_type=old.data_type, chunk_grid=old.chunk_grid, fill_value=old.fill_value,
        chunk_key_encoding=old.chunk_key_encoding, codecs=old.codecs, attributes=old.attributes,
    )  # fmt: skip
    assert new == old
    assert hash(new) == hash(old)
    assert "NaN" in repr(new)
    other = ArrayV3Metadata(
        shape=(4,), data_type="float32", chunk_grid=RegularChunkGridMetadata((2,)).to_dict(),
        chunk_key_encoding={"name": "v2", "configuration": {"separator": "."}}, fill_value=0,
        codecs=[BytesCodec()], dimension_names=["t"],
    )  # fmt: skip
    assert other != old
    ((_, made),) = zarr.create_hierarchy(store={}, nodes={"": other})
    assert isinstance(made, zarr.Array)
    assert (made.chunks, made.dimension_names, made.compressors) == ((2,), ("t",), ())
    with pytest.raises(zarr.errors.MetadataValidationError):
        ArrayV3Metadata.from_dict({"shape": [3]})


def test_grids() -> None:
    grid = RectilinearChunkGridMetadata(((1, 2), 5))
    assert (grid.ndim, grid.to_dict()["configuration"]["chunk_shapes"]) == (2, [[1, 2], 5])
    assert RegularChunkGridMetadata((3, 4)).ndim == 2


def test_of_format_2_by_its_members() -> None:
    z = zarr.create_array(
        {}, shape=(4, 6), chunks=(2, 3), dtype="i2", zarr_format=2, compressors=None, attributes={"x": 1}
    )
    found = ArrayV2Metadata(
        shape=(4, 6), dtype="i2", chunks=(2, 3), fill_value=0, order="C", attributes={"x": 1}
    )
    assert found == z.metadata
    assert found.to_dict()["dimension_separator"] == "."
    kept = ArrayV2Metadata(
        shape=[4], dtype="f8", chunks=[2], fill_value=None, order="F", compressor=zchunk.GZip(level=1)
    )
    assert kept.compressor == zchunk.GZip(level=1)


def test_further_members() -> None:
    members = zarr.zeros(4, chunks=2, dtype="i2").metadata.to_dict()
    names = ("shape", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs")
    given = {name: members[name] for name in names}
    more = {"x": {"must_understand": False}}
    found = ArrayV3Metadata(data_type="int16", extra_fields=more, **given)
    assert found.to_dict()["x"] == more["x"]
    for wrong in ({"x": {}}, {"shape": {"must_understand": False}}):
        with pytest.raises(MetadataError):
            ArrayV3Metadata(data_type="int16", extra_fields=wrong, **given)


def test_grids_of_documents() -> None:
    document = {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[[10, 2], 5], 8]}}
    found = RectilinearChunkGridMetadata.from_dict(document)
    assert found.chunk_shapes == ((10, 10, 5), 8)
    assert RectilinearChunkGridMetadata.from_dict(found.to_dict()) == found
    assert found.to_dict() == document
    with zarr.config.set({"array.rectilinear_chunks": True}):
        z = zarr.create_array({}, shape=30, chunks=[[10, 10, 10]], dtype="i4")
        z.resize(45)
    grid: Any = z.metadata
    assert grid.chunk_grid.chunk_shapes == ((10, 10, 10, 15),)
