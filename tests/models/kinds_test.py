"""Small networks of many kinds (kinds.py) against PyTorch: on the CPU, and on a GPU in float32 and float16, verified as they are built. On the emulated GPU,
or with INGOT_TEST_GPU=1 on the real one alone."""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parents[1] / "bench"))
pytest.importorskip("torch", reason="no PyTorch here")
pytest.importorskip("onnx", reason="no onnx package here, which the exporter wants")
import kinds  # noqa: E402
from differences import worst  # noqa: E402

REAL = os.environ.get("INGOT_TEST_GPU") == "1"
BOUNDS = {"": 1e-4, "fp16": 1e-2}
MORE = {"masks": {"bf16": 8e-2}, "positions": {"bf16": 8e-2}}  # of numbers that bfloat16 rounds to infinity


def error(library, path, feeds, want, **options):
    """The largest difference of any output, relative to its range, of a second run."""
    engine = library.Engine(path, {n: x.shape for n, x in feeds.items()}, verify=True, **options)
    for _ in range(2):
        engine.set(feeds)
        engine.run()
    return worst(engine.get(), want)


@pytest.mark.skipif(REAL, reason="the GPU's turn")
@pytest.mark.parametrize("name", kinds.KINDS)
def test_on_the_cpu(tmp_path, name):
    import ingot_library

    feeds, want = kinds.make(name, tmp_path / "n.onnx")
    assert error(ingot_library, tmp_path / "n.onnx", feeds, want, budget=0) <= BOUNDS[""]


@pytest.mark.seconds(300)
@pytest.mark.parametrize("name", kinds.KINDS)
def test_on_a_gpu(package, tmp_path, name):
    """`package` has chosen the GPU."""
    if package.device_count() == 0:
        pytest.skip("no GPU, and the emulated one isn't built here")
    import ingot_library

    feeds, want = kinds.make(name, tmp_path / "n.onnx")
    bounds = {**BOUNDS, **MORE.get(name, {})}
    errors = {p: error(ingot_library, tmp_path / "n.onnx", feeds, want, budget=0.2 if REAL else 0, device="cuda:0", precision=p) for p in bounds}
    print(name, errors)
    assert all(errors[p] <= bound for p, bound in bounds.items()), errors
