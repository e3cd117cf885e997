"""DFT, STFT, windows and mel weights against NumPy and ONNX Runtime."""
import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import operator_models as om  # noqa: E402

rng = np.random.default_rng(5)


@pytest.fixture(scope="module")
def lib(build):
    return om.library(build)


def parts(z):
    return np.stack([z.real, z.imag], -1)


def close(got, want, rtol=1e-6):
    assert got.shape == want.shape
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=0, atol=rtol * max(1e-30, np.abs(want).max()))


# 1, powers, 2 3 5, primes that are radices and ones that go by Bluestein's way, and both
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 12, 13, 15, 16, 23, 29, 30, 31, 46, 58, 64, 97, 100, 105, 120, 127, 210, 400]


@pytest.mark.parametrize("n", LENGTHS)
def test_dft_of_all_kinds(lib, n):
    x = rng.standard_normal((3, n, 1))
    z = rng.standard_normal((2, n, 2)) @ np.eye(2)
    c = z[..., 0] + 1j * z[..., 1]
    close(om.run(lib, "DFT", [x])[0], parts(np.fft.fft(x[..., 0])), 1e-12)
    close(om.run(lib, "DFT", [x], onesided=1)[0], parts(np.fft.rfft(x[..., 0])), 1e-12)
    close(om.run(lib, "DFT", [x], inverse=1)[0], parts(np.fft.ifft(x[..., 0])), 1e-12)
    close(om.run(lib, "DFT", [z])[0], parts(np.fft.fft(c)), 1e-12)
    close(om.run(lib, "DFT", [z], inverse=1)[0], parts(np.fft.ifft(c)), 1e-12)
    half = parts(np.fft.rfft(rng.standard_normal((3, n))))
    close(om.run(lib, "DFT", [half, np.int64(n)], inverse=1, onesided=1)[0], np.fft.irfft(half[..., 0] + 1j * half[..., 1], n)[..., None], 1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2, -2, -3, -4])
@pytest.mark.parametrize("length", [None, 3, 9])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dft_axes_and_lengths(lib, axis, length, dtype):
    x = rng.standard_normal((4, 5, 6, 2)).astype(dtype)
    c = x[..., 0].astype(np.float64) + 1j * x[..., 1]
    at = axis if axis >= 0 else axis + 1
    lengths = None if length is None else np.array(length, np.int64)
    got = om.run(lib, "DFT", [x, lengths, np.array(axis, np.int64)])[0]
    assert got.dtype == dtype
    close(got, parts(np.fft.fft(c, length, at)), {2: 2e-3, 4: 1e-6, 8: 1e-13}[got.itemsize])
    old = om.run(lib, "DFT", [x, lengths], opset=17, axis=axis)[0]
    np.testing.assert_array_equal(old, got)


def test_dft_refuses_what_is_wrong(lib):
    x = np.ones((2, 3, 1), np.float32)
    for inputs in ([x, np.int64(0)], [x, None, np.int64(2)], [x, None, np.int64(-4)], [np.ones((2, 3, 3), np.float32)], [x.astype(np.int32)]):
        with pytest.raises(om.reference_engine.IngotError):
            om.run(lib, "DFT", inputs)


@pytest.mark.parametrize("length, step, window, onesided", [(16, 8, True, 1), (16, 5, False, 1), (15, 4, True, 0), (29, 10, True, 1),
                                                            (40, 1, False, 1)])
@pytest.mark.parametrize("kind", [1, 2])
def test_stft(lib, length, step, window, onesided, kind):
    if kind == 2 and onesided:
        onesided = 0
    x = rng.standard_normal((2, 40, kind)).astype(np.float32)
    w = np.hanning(length).astype(np.float32) + 0.1 if window else None
    c = x[..., 0] + (1j * x[..., 1] if kind == 2 else 0)
    frames = np.stack([c[:, i:i + length] * (1 if w is None else w) for i in range(0, 40 - length + 1, step)], 1)
    want = np.fft.fft(frames.astype(np.complex128))
    got = om.run(lib, "STFT", [x, np.int64(step), w, None if window else np.int64(length)], onesided=onesided)[0]
    close(got, parts(want[..., :length // 2 + 1] if onesided else want))


def test_stft_like_onnx_runtime(lib):
    x = rng.standard_normal((2, 256, 1)).astype(np.float32)
    m, feeds = om.model("STFT", [x, np.array(16, np.int64), np.hamming(64).astype(np.float32)], opset=17)
    close(lib.run(m, feeds)["y0"], om.in_ort(m, feeds)["y0"], 1e-5)


@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
def test_windows(lib, op, periodic):
    a = {"HannWindow": (0.5, 0.5, 0), "HammingWindow": (25 / 46, 21 / 46, 0), "BlackmanWindow": (0.42, 0.5, 0.08)}[op]
    for n in (1, 2, 9, 16):
        t = 2 * np.pi * np.arange(n) / max(1, n if periodic else n - 1)
        want = a[0] - a[1] * np.cos(t) + a[2] * np.cos(2 * t) if n > 1 else np.ones(1)
        np.testing.assert_allclose(om.run(lib, op, [np.int64(n)], periodic=periodic)[0], want, atol=1e-7)
    assert om.run(lib, op, [np.int32(5)], output_datatype=11)[0].dtype == np.float64


@pytest.mark.parametrize("bands, length, rate, low, high", [(8, 16, 8192, 0.0, 4096.0), (20, 64, 16000, 60.0, 7600.0), (3, 512, 16000, 0.0, 8000.0)])
def test_mel_weights(lib, bands, length, rate, low, high):
    ints, floats = np.int64, np.float32
    m, feeds = om.model("MelWeightMatrix", [np.array(bands, ints), np.array(length, ints), np.array(rate, ints), np.array(low, floats),
                                            np.array(high, floats)], opset=17)
    np.testing.assert_allclose(lib.run(m, feeds)["y0"], om.in_ort(m, feeds)["y0"], atol=1e-6)
