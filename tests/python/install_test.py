"""`pip install .` into a fresh environment: the package, the command and README's calls work there. It builds the library, in build-wheel/, which
is kept: minutes the first time, so it runs by its name alone: ./dev test python/install."""
import os
import subprocess
import sys
import zipfile

import pytest

pytestmark = pytest.mark.slow
LARGEST = 5 << 20  # bytes of a wheel
PROGRAM = """
import ingot, numpy as np, pathlib
assert "site-packages" in ingot.__file__ and (pathlib.Path(ingot.__file__).parent / "py.typed").exists()
engine = ingot.build(MODEL, budget=0, verify=False, shapes={"input": (1, 1, 512, 512)})
engine.save("unet.ingot")
x = np.zeros((1, 1, 512, 512), np.float32)
assert np.array_equal(ingot.InferenceSession("unet.ingot").run(None, {"input": x})[0], engine(x))
print(ingot.__version__)
"""


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(root), "--no-deps", "-q", "-w", str(out), "-C", f"build-dir={root / 'build-wheel'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800)
    if done.returncode != 0 and ("No matching distribution" in done.stderr or "Could not find a version" in done.stderr):
        pytest.skip("no package index here for what builds the wheel")
    assert done.returncode == 0, done.stderr[-3000:]
    return next(out.glob("*.whl"))


@pytest.mark.seconds(60)
def test_wheel(wheel):
    assert "-cp39-abi3-" in wheel.name and wheel.stat().st_size < LARGEST
    names = zipfile.ZipFile(wheel).namelist()
    assert {"ingot/libingot.so", "ingot/_native.abi3.so", "ingot/bin/ingot", "ingot/py.typed", "ingot/_native.pyi"} <= set(names)
    assert not [name for name in names if not name.startswith(("ingot/", "ingot-"))]


@pytest.mark.seconds(400)
def test_fresh_environment(wheel, root, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    done = subprocess.run([str(python), "-m", "pip", "install", "-q", str(wheel)], capture_output=True, text=True)
    if done.returncode != 0 and ("No matching distribution" in done.stderr or "Could not find a version" in done.stderr):
        pytest.skip("no package index here for NumPy, cffi and ml_dtypes")
    assert done.returncode == 0, done.stderr
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    model = root / "models/unet_cells/unet_cells.onnx"
    assert run(python, "-c", PROGRAM.replace("MODEL", repr(str(model))), cwd=tmp_path, env=env).strip()[0].isdigit()
    command = tmp_path / "venv/bin/ingot"
    assert "layers" in run(command, "inspect", tmp_path / "unet.ingot", env=env).lower()
    run(command, "run", tmp_path / "unet.ingot", "--input", f"input={root / 'models/unet_cells/samples/cell_00.png'}", "--scale", 1 / 255,
        "--outputs", tmp_path / "o.npz", env=env)
    needed = run("ldd", tmp_path / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages/ingot/bin/ingot")
    assert "not found" not in needed
    assert subprocess.run([str(command), "build", "nothing.onnx"], capture_output=True, env=env).returncode != 0
