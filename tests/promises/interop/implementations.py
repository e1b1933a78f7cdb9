"""The implementations beside zchunk: where each comes from, and what of the product it does not have.

A limit is a fact about that release, with a reason that a reader of `docs/interoperability.md` understands.
What is refused without a limit is a failure of the run, and so is any wrong item, but where a limit says that
this release reads or writes it wrongly. A limit that no case met in a run is reported, and so is one that the
implementation never kept to, so that the list gets shorter when releases get better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.promises.interop.cases import COMPLEX, FLOATS, INTEGERS, Case

Condition = Callable[[Case], bool]
READ, WRITE, CHANGE = "read", "write", "change"
ALL = (READ, WRITE, CHANGE)


@dataclass(frozen=True)
class Limit:
    """What an implementation does not have, or has otherwise than the specification says.

    Parameters
    ----------
    reason : str
        In its words, or the number of an issue.
    when : callable
        Whether a case is of that kind.
    does : tuple of str
        What it cannot do with such a case: read, write, change.
    wrong : bool
        Whether it does it all the same, wrongly.
    """

    reason: str
    when: Condition
    does: tuple[str, ...] = ALL
    wrong: bool = False


@dataclass(frozen=True)
class Implementation:
    """Another implementation of Zarr.

    Parameters
    ----------
    name : str
        As it is called.
    adapter : str
        The module in `adapters`.
    package : str
        What is installed, and asked for its version.
    release : str
        The one that is installed.
    language : str
        "python" or "node".
    environment : str
        The folder in `build` that it is installed in.
    formats : tuple of int
        The formats that are tried.
    limits : tuple of Limit
        What it does not have.
    does : tuple of str
        What its adapter has.
    groups, consolidates, attributes : bool
        Whether it writes groups, consolidated metadata, and attributes.
    http : bool
        Whether it reads over HTTP, from nginx.
    """

    name: str
    package: str
    release: str
    adapter: str
    language: str = "python"
    environment: str = "zarr3"
    formats: tuple[int, ...] = (2, 3)
    limits: tuple[Limit, ...] = ()
    does: tuple[str, ...] = ALL
    groups: bool = True
    consolidates: bool = False
    attributes: bool = True
    http: bool = False

    def limit(self, case: Case, needs: tuple[str, ...]) -> Limit | None:
        """The limit that a case meets when the implementation has to do that: one of wrong items first."""
        met = [limit for limit in self.limits if set(limit.does) & set(needs) and limit.when(case)]
        return next((limit for limit in met if limit.wrong), met[0] if met else None)


def sharded(case: Case) -> bool:
    """Whether the array is stored in shards."""
    return case.layout != "plain"


def empty(case: Case) -> bool:
    """Whether there are no items."""
    return 0 in case.shape


def scalar(case: Case) -> bool:
    """Whether there are no axes."""
    return not case.shape


def is_type(*names: str) -> Condition:
    """Whether the data type is one of these, or any of a kind: "Mm" for those that begin so."""
    return lambda case: case.data_type in names


def not_type(*names: str) -> Condition:
    """Whether the data type is none of these."""
    return lambda case: case.data_type not in names


def is_codec(*names: str) -> Condition:
    """Whether the compressor is one of these."""
    return lambda case: case.codec in names


def is_filter(*names: str) -> Condition:
    """Whether the filter of format 2 is one of these."""
    return lambda case: case.filter in names


def is_layout(*names: str) -> Condition:
    """Whether chunks are stored so."""
    return lambda case: case.layout in names


def not_codec(*names: str) -> Condition:
    """Whether the compressor is none of these; "blosc" is all that Blosc has."""
    return lambda case: case.codec not in names and case.codec.partition("-")[0] not in names


def _uneven(case: Case) -> bool:
    inner = [case.inner[axis] for axis in case.axes]
    return case.layout == "transpose-outside" and any(n % m for n, m in zip(case.chunks, inner, strict=True))


def _complex_nan(case: Case) -> bool:
    return case.data_type in COMPLEX and case.fill == "nan"


def _complex_null(case: Case) -> bool:
    return case.data_type in COMPLEX and case.fill == "null"


def _null_bytes(case: Case) -> bool:
    return _complex_null(case) or (case.data_type == "V5" and case.fill == "null")


def _long(case: Case) -> bool:
    """Whether the fill value may have more bits than a floating-point number."""
    return case.data_type in ("int64", "uint64") and case.fill == "some"


def _negative_zero(case: Case) -> bool:
    return case.data_type in FLOATS and case.fill == "-0.0"


def _wide(case: Case) -> bool:
    """Whether the byte order of items means something."""
    return case.dtype is not None and case.dtype.itemsize > 1 and case.dtype.kind not in "SV"


def _big2(case: Case) -> bool:
    return case.format == 2 and case.endian == "big" and _wide(case)


TIMES = ("M8[ns]", "M8[10us]", "m8[s]", "m8[10ms]")
SMALL_FLOATS = ("bfloat16", "float8_e5m2")
OBJECTS = ("string", "bytes")
NUMBERS = (*INTEGERS, "float32", "float64")
ALL_NUMBERS = (*INTEGERS, *FLOATS, *COMPLEX, "bool")

NO_EMPTY_CHUNKS = Limit(
    "stores no chunk of NaT or of empty texts where the fill value is null",
    lambda case: case.fill == "null" and case.data_type in (*TIMES, *OBJECTS),
    (WRITE, CHANGE),
    wrong=True,
)
UNEVEN = Limit("compares a transposed shard's inner chunks with the axes that are not transposed", _uneven)
ZARR3 = (
    Limit("has no bfloat16 and float8", is_type(*SMALL_FLOATS)),
    Limit("creates no r*, which zchunk calls raw_bytes", is_type("r24"), (WRITE,)),
    UNEVEN,
    Limit(
        "takes any complex number with a NaN for the fill value", _complex_nan, (WRITE, CHANGE), wrong=True
    ),
    Limit(
        "has no arrays of bytes without axes, but reads them outside shards",
        lambda case: case.data_type == "bytes" and scalar(case),
        wrong=True,
    ),
)
# Format 2 alone has null, and structures with a byte order of their own.
ZARR3_OF_FORMAT_2 = (
    NO_EMPTY_CHUNKS,
    Limit(
        "swaps the fill value of big-endian structures",
        lambda case: case.data_type == "structured" and case.endian == "big" and case.fill == "some",
        (WRITE,),
        wrong=True,
    ),
)
ZARR2 = (
    Limit("writes the fill value -0.0 as 0.0", _negative_zero, (WRITE,), wrong=True),
    Limit(
        "adds the parts of complex fill values, which changes -0.0 and what is beside an infinity or a NaN",
        lambda case: case.data_type in COMPLEX and case.special,
        wrong=True,
    ),
    Limit(
        "writes no bytes as the fill value of objects",
        lambda case: case.data_type == "bytes" and case.fill != "null",
        (WRITE, CHANGE),
    ),
)
ZARRS = (
    Limit("has numbers only, as a pipeline", not_type(*ALL_NUMBERS)),
    Limit("has no big-endian numbers in format 2", _big2),
    Limit(
        "swaps the two parts of big-endian complex numbers",
        lambda case: case.data_type in COMPLEX and case.endian == "big",
        (READ,),
        wrong=True,
    ),
    Limit("has no LZ4 and LZMA of format 2", lambda case: case.codec in ("lz4", "lzma")),
    Limit(
        "has no delta, checksums and PackBits of format 2",
        is_filter("delta", "crc32", "fletcher32", "packbits"),
    ),
    Limit("has no order F of format 2", lambda case: case.format == 2 and case.order == "F"),
    Limit("has no null as the fill value of complex numbers", _complex_null),
    UNEVEN,
)
TENSORSTORE = (
    Limit("has no filters", lambda case: case.filter != "none" or (case.format == 2 and case.dtype is None)),
    Limit(
        "has no LZ4, LZMA and codecs of numcodecs",
        lambda case: case.codec in ("lz4", "lzma", "numcodecs.zlib"),
    ),
    Limit("has no texts and times", is_type(*OBJECTS, *TIMES, "U5")),
    Limit(
        "has no bytes of a fixed size in format 3", lambda case: case.format == 3 and case.data_type == "S7"
    ),
    Limit(
        "takes no shorter bytes as the fill value of bytes of a fixed size",
        lambda case: case.format == 2 and case.data_type == "S7" and case.fill != "null",
    ),
    Limit(
        "has one more axis for items of several bytes",
        is_type("S7", "V5", "structured", "r24"),
        (WRITE, CHANGE),
    ),
    Limit(
        "swaps the fill value of big-endian structures",
        lambda case: case.data_type == "structured" and case.endian == "big",
        wrong=True,
    ),
    Limit("has no codecs after a shard's", lambda case: case.layout == "crc-outside"),
    Limit(
        "creates no array of one axis or none in order F",
        lambda case: case.format == 2 and case.order == "F" and len(case.shape) < 2,
        (WRITE,),
    ),
)
SIMPLEZARR = (
    Limit("has no shards", sharded),
    Limit("has no chunk keys of format 2", lambda case: case.encoding == "v2", (READ,)),
    Limit("has numbers only", not_type(*ALL_NUMBERS)),
    # It does not find their chunk.
    Limit("has no arrays without axes", scalar, wrong=True),
    Limit("has no codecs of numcodecs", is_codec("numcodecs.zlib")),
    Limit("writes fill values of complex numbers as Python's text", is_type(*COMPLEX), (WRITE,), wrong=True),
    Limit("creates no empty arrays", empty, (WRITE,)),
    Limit(
        "has no infinities and NaNs in fill values of complex numbers",
        lambda case: case.data_type in COMPLEX and case.special,
    ),
    Limit(
        "takes -0.0 for 0.0 when it leaves out chunks of the fill value",
        lambda case: case.data_type in FLOATS and case.fill in ("zero", "-0.0"),
        (WRITE, CHANGE),
        wrong=True,
    ),
)
Z5 = (
    Limit("has no array at the root", lambda case: not case.path),
    Limit("has integers, float32 and float64", not_type(*NUMBERS)),
    Limit("has no filters", lambda case: case.filter != "none"),
    Limit("has no order F, and no transposed chunks", lambda case: case.transposed or case.order == "F"),
    Limit("has no big-endian numbers in format 2", _big2),
    Limit(
        "ignores the byte order of format 3",
        lambda case: case.format == 3 and case.endian == "big" and _wide(case),
        wrong=True,
    ),
    Limit(
        "has no LZ4, LZMA and codecs of numcodecs",
        lambda case: case.codec in ("lz4", "lzma", "numcodecs.zlib"),
    ),
    Limit("has no crc32c", lambda case: "crc32c" in case.codec or case.layout == "crc-outside"),
    Limit("has no nested shards", lambda case: case.layout == "nested"),
    Limit("has shards with the index at the end only", lambda case: case.layout in ("start", "plain-index")),
    Limit("creates one kind of shard", lambda case: sharded(case) and case.layout != "end", (WRITE,)),
    Limit("has no arrays without axes, and no empty ones", lambda case: scalar(case) or empty(case)),
    Limit("has fill values as 64-bit floating-point numbers", _long, wrong=True),
    Limit(
        "takes -0.0 for 0.0 when it leaves out chunks of the fill value",
        lambda case: case.data_type in FLOATS and case.fill in ("zero", "-0.0"),
        (WRITE, CHANGE),
        wrong=True,
    ),
    Limit("writes no null as the fill value", lambda case: case.fill == "null", (WRITE,)),
    Limit(
        "creates no shards and chunks that are larger than the array",
        lambda case: any(c > n for c, n in zip(case.chunks, case.shape, strict=True)),
        (WRITE,),
    ),
)
ZARRISTA = (
    Limit("has no zlib, LZ4, LZMA and bzip2", is_codec("zlib", "numcodecs.zlib", "lz4", "lzma", "bz2")),
    Limit(
        "has no delta, checksums and PackBits of format 2",
        is_filter("delta", "crc32", "fletcher32", "packbits"),
    ),
    Limit(
        "has no times and texts of a fixed size of format 2",
        lambda case: case.format == 2 and case.data_type in (*TIMES, "U5"),
    ),
    Limit("has no bytes of a fixed size", is_type("S7")),
    Limit("has no null as the fill value of complex numbers and bytes", _null_bytes),
    Limit("has no small floats that NumPy lacks", is_type(*SMALL_FLOATS)),
    Limit("reads no texts in order F", lambda case: case.data_type in OBJECTS and case.transposed),
    Limit(
        "takes bytes of format 2 for texts",
        lambda case: case.data_type == "bytes" and case.format == 2,
        wrong=True,
    ),
    NO_EMPTY_CHUNKS,
    Limit("has no structures", is_type("structured")),
    Limit("has no raw_bytes", lambda case: case.format == 3 and case.data_type == "V5"),
    Limit("has r*, which zchunk calls raw_bytes", is_type("r24"), (READ, CHANGE)),
)
ACQUIRE = (
    Limit("has integers, float32 and float64", not_type(*NUMBERS)),
    Limit("has fill value 0", lambda case: case.fill != "zero"),
    Limit(
        "has Blosc with LZ4 and Zstandard",
        lambda case: case.codec.split("-")[:2] not in (["none"], ["blosc", "lz4"], ["blosc", "zstd"]),
    ),
    Limit("has arrays of three axes and more", lambda case: len(case.shape) < 3),
    Limit("has names of ASCII letters", lambda case: not case.path.isascii()),
    Limit("writes no empty arrays", empty),
)
NETCDF = (
    Limit("has no array at the root", lambda case: not case.path),
    Limit("has integers, float32 and float64", not_type(*NUMBERS)),
    Limit("has no gzip, LZ4 and LZMA", is_codec("gzip", "lz4", "lzma"), (READ,)),
    Limit("has no delta, CRC-32 and PackBits", is_filter("delta", "crc32", "packbits"), (READ,)),
    Limit("reads order F as order C", lambda case: case.order == "F", (READ,), wrong=True),
    Limit(
        "does not swap the bytes of big-endian fill values",
        lambda case: _big2(case) and case.fill not in ("zero", "null"),
        (READ,),
        wrong=True,
    ),
    Limit(
        "has no empty lists among attributes",
        lambda case: [] in case.attributes.values() or [] in case.group.values(),
        (READ,),
    ),
    Limit("has one axis for none", scalar, wrong=True),
    Limit("has no axes of length 0 that are no records", empty),
    Limit(
        "creates no chunks that are larger than the array",
        lambda case: any(c > n for c, n in zip(case.chunks, case.shape, strict=True)),
        (WRITE,),
    ),
)
GDAL = (
    Limit("has no shards", sharded),
    Limit("has numbers only", not_type(*ALL_NUMBERS)),
    Limit("creates numbers for booleans", is_type("bool"), (WRITE,), wrong=True),
    Limit(
        "takes the order of three axes and more for its inverse",
        lambda case: case.order == "rolled" and len(case.shape) > 2,
        (READ, CHANGE),
        wrong=True,
    ),
    Limit(
        "reads the fill value of uint64 as int64",
        lambda case: case.data_type == "uint64" and case.fill == "some",
        (READ, CHANGE),
        wrong=True,
    ),
    Limit(
        "has no infinities and NaNs as fill values of float16 in format 2",
        lambda case: case.format == 2 and case.data_type == "float16" and case.special,
    ),
    Limit("has no fill values of complex numbers", is_type(*COMPLEX), wrong=True),
    Limit("creates no array at the root", lambda case: not case.path, (WRITE,)),
    Limit("has no axes of length 0", empty),
    Limit(
        "has no LZ4, crc32c and codecs of numcodecs",
        lambda case: "crc32c" in case.codec or case.codec in ("lz4", "numcodecs.zlib", "bz2"),
    ),
    Limit(
        "has no filters that it is not told of",
        lambda case: case.filter in ("crc32", "delta", "packbits", "fletcher32"),
    ),
)
ICECHUNK = (
    Limit("has keys c/0/1 only", lambda case: (case.encoding, case.separator) != ("default", "/")),
    *ZARR3,
)
ZARRITA = (
    Limit("has integers, float32 and float64, booleans and texts", not_type(*NUMBERS, "bool", "string")),
    Limit("has no axes of length 0", empty),
    Limit("has no nested shards, and no codecs after a shard's", is_layout("nested", "crc-outside")),
    Limit(
        "does not transpose the places of inner chunks",
        lambda case: case.layout == "transpose-outside" and case.transposed,
        wrong=True,
    ),
    Limit("looks for a shard's index at the end only", is_layout("start"), wrong=True),
    Limit("has no bzip2 and LZMA", is_codec("bz2", "lzma")),
    Limit("has no checksums and PackBits of format 2", is_filter("fletcher32", "crc32", "packbits")),
    Limit("writes no format 2", lambda case: case.format == 2, (WRITE,)),
    Limit("writes no shards", sharded, (WRITE, CHANGE)),
    Limit(
        "writes no zlib, gzip and crc32c",
        is_codec("zlib", "gzip", "numcodecs.zlib", "crc32c", "gzip-crc32c"),
        (WRITE, CHANGE),
    ),
    Limit("writes no texts", is_type("string"), (WRITE, CHANGE)),
    Limit("writes no fill value of 64 bits", is_type("int64", "uint64"), (WRITE,)),
    Limit("reads fill values of 64 bits as floating-point numbers", _long, (READ, CHANGE), wrong=True),
    Limit("writes the fill value -0.0 as 0.0", _negative_zero, (WRITE,), wrong=True),
    Limit(
        "reads the fill value -0.0 in consolidated metadata as 0.0",
        lambda case: _negative_zero(case) and case.consolidated,
        (READ, CHANGE),
        wrong=True,
    ),
)
ZARRJS = (
    Limit(
        "has integers of 32 bits, float32 and float64",
        not_type(*[n for n in NUMBERS if "64" not in n], "float64"),
    ),
    Limit("has Blosc, zlib and gzip", not_codec("none", "blosc", "zlib", "gzip")),
    Limit("writes the fill value -0.0 as 0.0", _negative_zero, (WRITE,), wrong=True),
    Limit("has no filters", lambda case: case.filter != "none"),
    Limit("has no arrays without axes", scalar),
    Limit("has no axes of length 0", empty),
    Limit("writes no order F", lambda case: case.order == "F", (WRITE, CHANGE)),
)
IMPLEMENTATIONS = (
    Implementation(
        "zarr 2",
        "zarr",
        "2.18.7",
        "zarr2",
        environment="zarr2",
        formats=(2,),
        consolidates=True,
        limits=ZARR2,
    ),
    Implementation(
        "zarr 3", "zarr", "3.4.2", "zarr3", consolidates=True, limits=(*ZARR3, *ZARR3_OF_FORMAT_2)
    ),
    Implementation("zarrs", "zarrs", "0.2.3", "zarrs", consolidates=True, limits=ZARRS),
    Implementation(
        "TensorStore",
        "tensorstore",
        "0.1.86",
        "tensorstore",
        groups=False,
        attributes=False,
        limits=TENSORSTORE,
    ),
    Implementation("zarrista", "zarrista", "0.1.0", "zarrista", groups=False, limits=ZARRISTA),
    Implementation("simplezarr", "simplezarr", "1.2.0", "simplezarr", formats=(3,), limits=SIMPLEZARR),
    Implementation("z5", "z5py", "3.0.2", "z5py", limits=Z5),
    Implementation(
        "acquire-zarr",
        "acquire-zarr",
        "0.10.0",
        "acquire_zarr",
        formats=(3,),
        does=(WRITE,),
        attributes=False,
        groups=False,
        limits=ACQUIRE,
    ),
    Implementation(
        "netCDF-C",
        "netCDF4",
        "1.7.5.1.post1",
        "netcdf4",
        formats=(2,),
        attributes=False,
        groups=False,
        does=(READ, WRITE),
        limits=NETCDF,
    ),
    Implementation("GDAL", "rasterio", "1.5.2", "gdal", attributes=False, groups=False, limits=GDAL),
    Implementation("Icechunk", "icechunk", "2.3.0", "icechunk", formats=(3,), limits=ICECHUNK),
    Implementation(
        "zarrita.js",
        "zarrita",
        "0.7.5",
        "zarrita",
        language="node",
        environment="interop-node",
        limits=ZARRITA,
    ),
    Implementation(
        "zarrita.js over HTTP",
        "zarrita",
        "0.7.5",
        "zarrita",
        language="node",
        environment="interop-node",
        does=(READ,),
        limits=ZARRITA,
        http=True,
    ),
    Implementation(
        "zarr.js",
        "zarr",
        "0.6.3",
        "zarrjs",
        language="node",
        environment="interop-node",
        formats=(2,),
        limits=ZARRJS,
    ),
)


def table() -> list[str]:
    """Rows of Markdown: what each does not have, and what it does otherwise."""
    rows = [
        "| implementation | formats | refuses | does otherwise than the specification |",
        "|---|---|---|---|",
    ]
    for found in IMPLEMENTATIONS:
        formats = ", ".join(map(str, found.formats))
        cells = [_reasons(found, wrong) for wrong in (False, True)]
        rows.append(f"| {found.name} {found.release} | {formats} | {' | '.join(cells)} |")
    return rows


def _reasons(found: Implementation, wrong: bool) -> str:
    reasons = []
    for limit in found.limits:
        does = [name for name in limit.does if name in found.does]
        if limit.wrong == wrong and does:
            reasons.append(limit.reason + (f" ({', '.join(does)})" if does != list(found.does) else ""))
    return "; ".join(reasons) or "–"


if __name__ == "__main__":
    print("\n".join(table()))
