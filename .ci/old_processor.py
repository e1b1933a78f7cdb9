"""Write and read with every codec on a processor without AVX; NumPy itself asks for SSE4.2.

    qemu-x86_64 -cpu Nehalem python .ci/old_processor.py write FOLDER
    python .ci/old_processor.py read FOLDER

The processor that wrote is not the one that reads: what newer ones choose at run time gives the same values.
"""

from __future__ import annotations

import sys

import numpy as np

import zchunk

CODECS = {
    **{f"blosc-{name}-{shuffle}": zchunk.Blosc(name, 5, shuffle)
       for name in ("lz4", "lz4hc", "zstd", "zlib", "blosclz") for shuffle in (0, 1, 2)},
    "lz4": zchunk.LZ4(), "zstd": zchunk.Zstd(3), "zlib": zchunk.Zlib(5), "gzip": zchunk.GZip(5), "raw": None,
}  # fmt: skip


def values(dtype: str) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 90, (50, 70)).cumsum(axis=1).astype(dtype)


def main(task: str, folder: str) -> None:
    features = np._core._multiarray_umath.__cpu_features__
    print(f"{task} on a processor {'with' if features['AVX2'] else 'without'} AVX2")
    group = zchunk.open_group(folder, mode="w" if task == "write" else "r")
    for dtype in ("i2", "f4", "f8"):
        data = values(dtype)
        for name, codec in CODECS.items():
            for checksum in (False, True):
                at = f"{dtype}-{name}-{checksum}"
                if task == "write":
                    made = {"chunks": (16, 33), "compressor": codec, "checksum": checksum}
                    group.create(at, shape=data.shape, dtype=dtype, **made)[...] = data
                array = group[at]
                assert np.array_equal(array[...], data), at
                assert np.array_equal(array[3::7, 5:60], data[3::7, 5:60]), at
    print(f"{task}: {6 * len(CODECS)} arrays are as they should be")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
