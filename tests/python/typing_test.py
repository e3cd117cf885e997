"""A user's script passes mypy --strict, and one that is wrong doesn't."""
import subprocess
import sys

import pytest

pytest.importorskip("mypy", reason="no mypy here")

GOOD = """
import numpy as np
import numpy.typing as npt
import ingot

def main(path: str) -> npt.NDArray[np.float32]:
    engine: ingot.Engine = ingot.build(path, shapes={"x": ((1, 3), (2, 3), (8, 3))}, threads=2, progress=lambda phase, done, total: done < 10)
    engine.save("net.ingot")
    data: bytes = engine.serialize()
    other = ingot.Engine.deserialize(data)
    for info in other.inputs:
        print(info.name, info.dtype, info.shape, info.opt)
    context = other.create_context(threads=1)
    found = context.run({"x": np.zeros((2, 3), np.float32)}, ["y"])
    for layer in context.profile({"x": np.zeros((2, 3), np.float32)}):
        print(layer.name, layer.microseconds / 2)
    on_gpu = ingot.build(path, device="cuda:1" if ingot.device_count() > 1 else "cpu", fp16=True, bf16=False, best=False, tf32=False)
    context = ingot.Engine.load("net.ingot", device=on_gpu.device).create_context()
    context.bind({"x": np.zeros((2, 3), np.float32)}, {"y": np.zeros((2, 3), np.float32)})
    context.enqueue(context.stream)
    context.wait()
    context.set_timing(True)
    print(context.times.compute / 2, on_gpu.run({"x": np.zeros((2, 3), np.float32)}, stream=0))
    session = ingot.InferenceSession(path, providers=[("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"])
    name: str = session.get_inputs()[0].name
    try:
        session.run(None, {name: np.zeros((2, 3))})
    except ingot.ShapeError as error:
        print(error.status + 1)
    return found["y"]
"""


def mypy(package, root, tmp_path, text):
    script = tmp_path / "script.py"
    script.write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(script)]
    return subprocess.run(command, env={"MYPYPATH": str(root / "python"), "PATH": ""}, cwd=tmp_path, capture_output=True, text=True)


@pytest.mark.seconds(180)
def test_strict(package, root, tmp_path):
    good = mypy(package, root, tmp_path, GOOD)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = mypy(package, root, tmp_path, GOOD.replace("threads=2", 'threads="2"').replace("error.status + 1", "error.nothing"))
    assert bad.stdout.count("error:") == 2, bad.stdout
