"""The copy kernels against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from zchunk._ext.memory.copy import copy, equals_fill, fill

ITEMSIZES = [*range(1, 18), 24, 300]


def items(shape: tuple[int, ...], itemsize: int, seed: int = 0) -> np.ndarray:
    data = np.random.default_rng(seed).integers(0, 256, (*shape, itemsize), np.uint8)
    return data.view(f"V{itemsize}").reshape(shape)


def bits(a: np.ndarray) -> bytes:
    return a.tobytes()


@st.composite
def views(
    draw: st.DrawFn, shape: tuple[int, ...], itemsize: int, zero_strides: bool, seed: int
) -> np.ndarray:
    """An array of this shape: a stepped, reversed, permuted or broadcast view of a larger one."""
    steps = [draw(st.sampled_from([1, 1, 2, 3, -1, -2])) for _ in shape]
    repeated = [zero_strides and draw(st.integers(0, 4)) == 0 for _ in shape]
    margin = [draw(st.integers(0, 2)) for _ in shape]
    axes = draw(st.permutations(range(len(shape))))
    whole = [1 if r else n * abs(s) + m for n, s, m, r in zip(shape, steps, margin, repeated, strict=True)]
    # Memory order is that of `axes`; an odd offset makes items unaligned.
    memory = items(tuple(whole[a] for a in axes), itemsize, seed)
    offset = draw(st.integers(0, 3))
    raw = bytearray(offset) + bytearray(memory.tobytes())
    memory = np.frombuffer(raw, memory.dtype, memory.size, offset).reshape(memory.shape)
    view = memory.transpose(np.argsort(axes)) if shape else memory
    for axis, (n, step, again) in enumerate(zip(shape, steps, repeated, strict=True)):
        index: list[Any] = [slice(None)] * len(shape)
        if again:
            strides = list(view.strides)
            strides[axis] = 0
            view = as_strided(view, (*view.shape[:axis], n, *view.shape[axis + 1 :]), strides)
        else:
            index[axis] = slice(None, None, step)
            view = view[tuple(index)]
            index[axis] = slice(0, n)
            view = view[tuple(index)]
    assert view.shape == shape
    return view


shapes = st.lists(st.integers(0, 5), max_size=5).map(tuple)


@given(st.data(), shapes, st.sampled_from(ITEMSIZES))
def test_copy(data: st.DataObject, shape: tuple[int, ...], itemsize: int) -> None:
    dst = data.draw(views(shape, itemsize, False, 1))
    src = data.draw(views(shape, itemsize, True, 2))
    src.flags.writeable = False
    source = bits(src)
    base, expected, twin = twins(dst)
    twin[...] = src
    copy(dst, src)
    assert bits(dst) == source
    assert bits(base) == bits(expected)  # nothing else has changed


def twins(view: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the array that owns the view's memory, a copy of it, and the same view of the copy."""
    base = view
    while isinstance(base.base, np.ndarray):
        base = base.base
    other = base.copy()
    offset = view.__array_interface__["data"][0] - base.__array_interface__["data"][0] if view.size else 0
    return base, other, np.ndarray(view.shape, view.dtype, other, offset, view.strides)


@given(st.data(), shapes, st.sampled_from(ITEMSIZES))
def test_fill(data: st.DataObject, shape: tuple[int, ...], itemsize: int) -> None:
    dst = data.draw(views(shape, itemsize, False, 1))
    item = items((1,), itemsize, 5)
    base, expected, twin = twins(dst)
    twin[...] = item[0]
    fill(dst, item.tobytes())
    assert bits(base) == bits(expected)


@pytest.mark.parametrize("itemsize", ITEMSIZES)
@pytest.mark.parametrize("n", [1, 2, 3, 63, 64, 65, 1000])
def test_contiguous_fill_and_its_comparison(itemsize: int, n: int) -> None:
    item = items((1,), itemsize, 9)
    data = items((n,), itemsize, 1)
    fill(data, item.tobytes())
    assert data.tobytes() == item.tobytes() * n
    assert equals_fill(data, item.tobytes())
    flat = data.view(np.uint8)
    for at in {0, itemsize - 1, flat.size // 2, flat.size - 1}:
        flat[at] ^= 0x80
        assert not equals_fill(data, item.tobytes())
        flat[at] ^= 0x80
    assert equals_fill(data, item.tobytes())


def test_comparison_is_bit_for_bit() -> None:
    assert not equals_fill(np.full(9, -0.0), np.float64(0).tobytes())
    assert equals_fill(np.full(9, np.nan), np.float64(np.nan).tobytes())
    assert equals_fill(b"", b"12")
    assert equals_fill(b"", b"")
    with pytest.raises(ValueError, match="no whole number"):
        equals_fill(b"12345", b"12")


def test_dtypes_without_a_buffer_format() -> None:
    a = np.arange(12).astype("M8[ns]").reshape(3, 4)
    b = np.zeros((4, 3), "M8[ns]").T
    copy(b, a)
    assert (a == b).all()
    s = np.zeros(3, [("a", "<i2"), ("b", "<f8", 2)])
    t = np.ones_like(s)
    copy(s, t)
    assert bits(s) == bits(t)


def test_big_arrays_of_many_axes() -> None:
    a = np.arange(3**9, dtype="i4").reshape((3,) * 9)
    b = np.empty(a.shape, "i4", order="F")
    copy(b, a)
    assert (a == b).all()
    c = np.zeros((1,) * 64)
    copy(c, np.ones((1,) * 64))
    assert c.item() == 1


def test_overlap_is_refused() -> None:
    a = np.arange(20)
    for dst, src in ((a, a), (a[1:], a[:-1]), (a[::-1], a), (a[::2], a[1::2]), (a[:1], a[:1])):
        with pytest.raises(ValueError, match="overlap"):
            copy(dst, src)
    assert (a == np.arange(20)).all()


def test_neighbours_and_empty_arrays_do_not_overlap() -> None:
    a = np.arange(20)
    copy(a[:10], a[10:])
    assert (a[:10] == a[10:]).all()
    b = a.reshape(4, 5)
    copy(b[1:3, :0], b[1:3, :0])
    copy(b[:0], b[4:])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="axis 1 has 3 items in the source, 2"):
        copy(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="1 dimensions of 8-byte items, destination 2"):
        copy(np.zeros((2, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="4-byte items, destination 1 of 8"):
        copy(np.zeros(2), np.zeros(2, "f4"))
    with pytest.raises(ValueError, match="8 bytes, the fill value 4"):
        fill(np.zeros(2), b"1234")
    readonly = np.zeros(3)
    readonly.flags.writeable = False
    for call in (lambda: copy(readonly, np.ones(3)), lambda: fill(readonly, bytes(8))):
        with pytest.raises((ValueError, BufferError)):
            call()
    assert (readonly == 0).all()
    with pytest.raises(TypeError):
        copy([1, 2], np.ones(2))
    with pytest.raises(TypeError):
        fill(np.zeros(2), None)
