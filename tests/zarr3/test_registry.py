"""Names of ``zarr.registry``."""

from __future__ import annotations

import numcodecs
import pytest

import zchunk.zarr3 as zarr
from zchunk.codecs import registry


def test_codecs_are_registered_by_name_and_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    zarr.registry.register_codec("mine", numcodecs.Zlib)
    assert registry._registry["mine"] is numcodecs.Zlib
    assert zarr.registry.get_codec({"id": "mine", "level": 3}) == numcodecs.Zlib(3)


@pytest.mark.parametrize("codec", [object, numcodecs.Zlib(), "zlib"])
def test_other_classes_are_refused(codec: type) -> None:
    with pytest.raises(TypeError, match=r"codec 'mine' is .* zchunk takes codecs of numcodecs' interface"):
        zarr.registry.register_codec("mine", codec)


@pytest.mark.parametrize("name", ["register_pipeline", "get_pipeline_class", "get_ndbuffer_class"])
def test_what_is_not_registered_here_says_so(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"no {name}: .*zchunk\.zarr_pipeline"):
        getattr(zarr.registry, name)
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        _ = zarr.registry.other  # type: ignore[attr-defined]
