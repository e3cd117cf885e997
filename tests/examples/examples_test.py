"""The examples: hello.c as a user compiles it, and the cell segmentation from network to pictures."""
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))


@pytest.fixture(scope="module")
def hello(build, tmp_path_factory):
    program = tmp_path_factory.mktemp("hello") / "hello"
    compiler = shutil.which("cc") or pytest.skip("no C compiler here")
    done = subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", ROOT / "examples/hello.c", f"-I{ROOT}/include", f"-L{build}", "-lingot",
                           f"-Wl,-rpath,{build}", "-o", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def test_hello(hello, tmp_path):
    pytest.importorskip("onnx", reason="no onnx package here")
    import cli_models
    from onnx.reference import ReferenceEvaluator

    net = cli_models.convolutions(tmp_path / "n.onnx")
    expected = ReferenceEvaluator(str(net)).run(None, {"image": np.ones((1, 3, 32, 32), "f4")})[0]
    out = subprocess.run([hello, net], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    words = out.stdout.split()
    assert words[:2] == ["scores:", "1x10"]
    np.testing.assert_allclose([float(w) for w in words[2:]], expected[0, :5], rtol=1e-3, atol=1e-4)


def test_hello_says_what_is_wrong(hello, tmp_path):
    out = subprocess.run([hello, tmp_path / "none.onnx"], capture_output=True, text=True)
    assert out.returncode == 1 and "none.onnx" in out.stderr


@pytest.mark.seconds(180)
def test_segment_cells(build, tmp_path):
    program = build / "examples" / "segment_cells"
    if not program.exists():
        pytest.skip("the example isn't built")
    out = subprocess.run([program, "--out", tmp_path / "demo", "--budget", "1", "--seconds", "0.1"], cwd=ROOT, capture_output=True, text=True)
    assert out.returncode == 0, out.stdout + out.stderr
    scores = [float(s) for s in re.findall(r"cell_\d\d  ([\d.]+)", out.stdout)]
    assert len(scores) == 12
    mean = float(re.search(r"mean +([\d.]+)", out.stdout)[1])
    assert mean == pytest.approx(np.mean(scores), abs=1e-4)
    assert mean >= 0.92
    pictures = re.findall(r"\S+/cell_\d\d\.png", out.stdout)
    assert len(set(pictures)) == 12 and all(pathlib.Path(p).stat().st_size > 10000 for p in pictures)
    assert re.findall(r"^ +([1248])  ", out.stdout, re.M) == ["1", "2", "4", "8"]
