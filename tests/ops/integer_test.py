"""Products of 8-bit numbers: exact, in all types, with zero points of one number, one a row, one a column."""
import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import operator_models as om  # noqa: E402

rng = np.random.default_rng(8)
TYPES = [np.uint8, np.int8]


@pytest.fixture(scope="module")
def lib(build):
    return om.library(build)


def numbers(dtype, *shape, low=None):
    i = np.iinfo(dtype)
    return rng.integers(i.min if low is None else low, i.max + 1, shape).astype(dtype)


def whole(a):
    return a.astype(np.int64)


@pytest.mark.parametrize("ta", TYPES)
@pytest.mark.parametrize("tb", TYPES)
@pytest.mark.parametrize("za, zb", [(None, None), ((), ()), ((4,), (6,)), ((1,), (1,)), (None, (6,)), ((2, 4, 1), (2, 1, 6))])
def test_matmul_integer(lib, ta, tb, za, zb):
    a, b = numbers(ta, 2, 4, 9), numbers(tb, *((2, 9, 6) if zb and len(zb) == 3 else (9, 6)))
    az, bz = None if za is None else numbers(ta, *za), None if zb is None else numbers(tb, *zb)
    got = om.run(lib, "MatMulInteger", [a, b, az, bz], opset=10)[0]
    left = whole(a) - (0 if az is None else whole(az)[:, None] if za == (4,) else whole(az))
    right = whole(b) - (0 if bz is None else whole(bz))
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, left @ right)


@pytest.mark.parametrize("shapes", [((7,), (7,)), ((7,), (7, 3)), ((2, 7), (7,)), ((3, 1, 2, 7), (4, 7, 5)), ((2, 0), (0, 3))])
def test_matmul_integer_ranks(lib, shapes):
    a, b = numbers(np.uint8, *shapes[0]), numbers(np.int8, *shapes[1])
    np.testing.assert_array_equal(om.run(lib, "MatMulInteger", [a, b, np.uint8(5)], opset=10)[0], (whole(a) - 5) @ whole(b))


def convolve(x, w, pads, strides=(1, 1), group=1):
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    m, c, kh, kw = w.shape
    h, v = (x.shape[2] - kh) // strides[0] + 1, (x.shape[3] - kw) // strides[1] + 1
    y = np.zeros((x.shape[0], m, h, v), np.int64)
    for g in range(group):
        ws, xs = w[g * m // group:(g + 1) * m // group], x[:, g * c:(g + 1) * c]
        for i in range(h):
            for j in range(v):
                patch = xs[:, :, i * strides[0]:i * strides[0] + kh, j * strides[1]:j * strides[1] + kw]
                y[:, g * m // group:(g + 1) * m // group, i, j] = np.einsum("bcij,mcij->bm", patch, ws)
    return y


@pytest.mark.parametrize("ta", TYPES)
@pytest.mark.parametrize("tb", TYPES)
@pytest.mark.parametrize("constant", [False, True])
def test_conv_integer(lib, ta, tb, constant):
    x, w, zx, zw = numbers(ta, 2, 4, 6, 5), numbers(tb, 6, 4, 3, 3), numbers(ta), numbers(tb, 6)
    got = om.run(lib, "ConvInteger", [x, w, zx, zw], opset=10, pads=[1, 0, 2, 1], strides=[2, 1], constants=(1, 3) if constant else ())[0]
    np.testing.assert_array_equal(got, convolve(whole(x) - whole(zx), whole(w) - whole(zw)[:, None, None, None], (1, 0, 2, 1), (2, 1)))


@pytest.mark.parametrize("group, channels, constant", [(1, 700, True), (1, 700, False), (2, 700, True), (4, 3, False)])
def test_conv_integer_is_exact_where_floats_are_not(lib, group, channels, constant):
    """Sums of about 255 * 255 * 6300, far over 2^24, whose last digits floats lose."""
    x, w = numbers(np.uint8, 1, channels * group, 3, 3, low=240), numbers(np.uint8, 2 * group, channels, 3, 3, low=240)
    got = om.run(lib, "ConvInteger", [x, w], opset=10, group=group, constants=(1,) if constant else ())[0]
    np.testing.assert_array_equal(got, convolve(whole(x), whole(w), (0, 0, 0, 0), group=group))


def test_dynamic_quantize(lib):
    for x in (rng.standard_normal((3, 50)), rng.uniform(1, 2, 70), rng.uniform(-2, -1, 9), np.zeros(4), np.array([-1.0, 3.0])):
        m, feeds = om.model("DynamicQuantizeLinear", [x.astype(np.float32)], 3, opset=11)
        got, want = lib.run(m, feeds), om.in_ort(m, feeds)
        for name in want:
            np.testing.assert_array_equal(got[name], want[name])
