from __future__ import annotations

import numpy as np
import pytest

import zchunk
from zchunk.wings.profiling.plotting import stored_sizes

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("shape", [(9,), (9, 6), (2, 9, 6)])
def test_maps_have_a_cell_for_each_chunk(shape: tuple[int, ...]) -> None:
    z = zchunk.array(np.arange(np.prod(shape)).reshape(shape), chunks=3)
    sizes, ratios = (axes.images[0].get_array() for axes in zchunk.plot_chunks(z).axes[:2])
    assert sizes.shape == ratios.shape == (1, *z.cdata_shape)[-2:]
    assert np.allclose(sizes * 1024 * ratios, z.metadata.chunk_nbytes)


def test_what_is_not_stored_is_blank() -> None:
    z = zchunk.zeros((4, 4), chunks=2)
    z[:2] = 1
    assert np.isnan(stored_sizes(z)).tolist() == [[False, False], [True, True]]
    assert "2 of 4 chunks stored" in zchunk.plot_chunks(z).get_suptitle()


def test_arrays_without_a_grid() -> None:
    with pytest.raises(ValueError, match="no chunk grid"):
        zchunk.plot_chunks(zchunk.zeros(()))
