"""Random operators: types, shapes, ranges and moments; the same numbers with a seed, others without one."""
import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import operator_models as om  # noqa: E402

N = 40000


@pytest.fixture(scope="module")
def lib(build):
    return om.library(build)


@pytest.mark.parametrize("dtype", [1, 10, 11])
@pytest.mark.parametrize("like", [False, True])
def test_normal(lib, dtype, like):
    shape = (200, N // 200)
    inputs, where = ([np.zeros(shape, np.float32)], {}) if like else ([], {"shape": list(shape)})
    got = om.run(lib, "RandomNormal" + "Like" * like, inputs, dtype=dtype, mean=3.0, scale=2.0, seed=7.0, **where)[0]
    assert got.shape == shape and got.dtype == {1: np.float32, 10: np.float16, 11: np.float64}[dtype]
    z = np.sort((got.astype(np.float64).ravel() - 3) / 2)
    assert abs(z.mean()) < 4 / N ** 0.5 and abs(z.std() - 1) < 4 / (2 * N) ** 0.5
    assert abs((z ** 3).mean()) < 4 * (15 / N) ** 0.5 and abs((z ** 4).mean() - 3) < 4 * (96 / N) ** 0.5
    for q, at in ((0.5, 0), (0.8413, 1), (0.0228, -2), (0.9987, 3)):
        assert abs((z < at).mean() - q) < 4 * (q * (1 - q) / N) ** 0.5 + 2e-4
    assert abs(np.corrcoef(got.ravel()[:-1].astype(float), got.ravel()[1:].astype(float))[0, 1]) < 4 / N ** 0.5


@pytest.mark.parametrize("like", [False, True])
def test_uniform(lib, like):
    inputs, where = ([np.zeros(N, np.float64)], {}) if like else ([], {"shape": [N]})
    got = om.run(lib, "RandomUniform" + "Like" * like, inputs, low=-1.0, high=3.0, seed=1.5, **where)[0]
    assert got.dtype == (np.float64 if like else np.float32)
    assert got.min() >= -1 and got.max() < 3
    counts = np.histogram(got, 40, (-1, 3))[0]
    assert ((counts - N / 40) ** 2 / (N / 40)).sum() < 39 + 4 * (2 * 39) ** 0.5  # chi squared
    half = om.run(lib, "RandomUniform", [], dtype=10, shape=[N], seed=3.0)[0]
    assert half.max() < 1


def test_seeds(lib):
    draw = lambda **seed: om.run(lib, "RandomUniform", [], shape=[64], **seed)[0]
    np.testing.assert_array_equal(draw(seed=2.0), draw(seed=2.0))
    assert (draw(seed=2.0) != draw(seed=3.0)).any() and (draw(seed=0.0) == draw(seed=0.0)).all()
    assert (draw() != draw()).any()


def test_bernoulli(lib):
    p = np.repeat(np.array([0, 0.1, 0.5, 0.9, 1], np.float32), N // 5)
    got = om.run(lib, "Bernoulli", [p], seed=4.0, opset=15)[0]
    assert got.dtype == np.float32 and set(np.unique(got)) == {0, 1}
    for i, want in enumerate((0, 0.1, 0.5, 0.9, 1)):
        assert abs(got[i * N // 5:(i + 1) * N // 5].mean() - want) <= 4 * (want * (1 - want) / (N / 5)) ** 0.5
    assert om.run(lib, "Bernoulli", [p[:6]], dtype=9, opset=15)[0].dtype == np.bool_


def test_multinomial(lib):
    p = np.array([[0.1, 0.0, 0.6, 0.3], [0.25, 0.25, 0.25, 0.25]])
    with np.errstate(divide="ignore"):
        x = (np.log(p) + np.array([[5.0], [-3.0]])).astype(np.float32)
    got = om.run(lib, "Multinomial", [x], sample_size=N, seed=9.0, dtype=7)[0]
    assert got.shape == (2, N) and got.dtype == np.int64
    for row, want in zip(got, p):
        share = np.bincount(row, minlength=4) / N
        assert (np.abs(share - want) <= 4 * (want * (1 - want) / N) ** 0.5).all()
    assert om.run(lib, "Multinomial", [x])[0].dtype == np.int32
