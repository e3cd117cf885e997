"""Engines on a GPU, which is the emulated one, or with INGOT_TEST_GPU=1 the real one: tensors in its memory, streams, ONNX Runtime's providers."""
import os
import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import gpu_tensor  # noqa: E402
import models  # noqa: E402

pytestmark = pytest.mark.seconds(300)
REAL = os.environ.get("INGOT_TEST_GPU") == "1"
W = np.arange(8, dtype=np.float32) / 4 - 1
SHAPES = {"x": ((1, 8), (4, 8), (64, 8))}


def network():
    """y = (x * w)T and z = (x * w + x)T: two kernels each."""
    nodes = [helper.make_node("Mul", ["x", "w"], ["m"]), helper.make_node("Transpose", ["m"], ["y"], perm=[1, 0]),
             helper.make_node("Add", ["m", "x"], ["a"]), helper.make_node("Transpose", ["a"], ["z"], perm=[1, 0])]
    return models.model(nodes, [("x", TensorProto.FLOAT, ("n", 8))], [("y", TensorProto.FLOAT, (8, "n")), ("z", TensorProto.FLOAT, (8, "n"))],
                        {"w": W})


def truth(x):
    return (x * W).T, (x * W + x).T


def batch(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 8), np.float32)


def same(found, x):
    for mine, expected in zip(found, truth(x), strict=True):
        np.testing.assert_allclose(mine if isinstance(mine, np.ndarray) else mine.numpy(), expected, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def gpu(package):
    if package.device_count() == 0:
        pytest.skip("no GPU, and the emulated one isn't built here")
    return gpu_tensor.Gpu(package)


@pytest.fixture(scope="module")
def engine(package, gpu):
    return package.build(network(), shapes=SHAPES, budget=0, device="cuda")


@pytest.fixture
def torch_(gpu, monkeypatch):
    torch = gpu_tensor.torch_of(gpu)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


def test_arrays(engine):
    assert engine.device == "cuda:0"
    for n in (1, 5, 64, 5):
        same(engine(batch(n)), batch(n))
    context = engine.create_context()
    layers = context.profile({"x": batch(3)})
    assert any(layer.kernel.startswith("cuda_") for layer in layers)
    seen = {}
    same(context.observe({"x": batch(3)}, seen.__setitem__).values(), batch(3))
    assert seen


def test_what_is_not_there(package, engine):
    assert package.device_count("cpu") == 1 and package.device_count("abacus") == 0
    with pytest.raises(package.DeviceError, match="no GPU 63"):
        package.build(network(), shapes=SHAPES, budget=0, device="cuda:63")
    with pytest.raises(package.ArgumentError, match="cpu, cuda or cuda:N"):
        package.build(network(), shapes=SHAPES, device="gpu")
    data = engine.serialize()
    assert package.Engine.deserialize(data, device="cuda:0").device == "cuda:0"
    for device in ("cpu", "cuda:63"):
        with pytest.raises(package.DeviceError):
            package.Engine.deserialize(data, device=device)


def test_precisions(package, gpu):
    x, w = batch(4), np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    net = models.model([helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", TensorProto.FLOAT, (4, 8))], [("y", TensorProto.FLOAT, (4, 8))],
                       {"w": w})
    for precision, tolerance in ({"tf32": False}, 1e-5), ({"fp16": True}, 5e-3), ({"bf16": True}, 4e-2), ({"best": True}, 5e-3):
        y = package.build(net, budget=0, device="cuda", **precision)(x)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, x @ w, rtol=tolerance, atol=tolerance)


def test_tensors_by_dlpack(package, engine, gpu):
    """Of a library that isn't known: read where they are; outputs are arrays, or tensors given as `out`."""
    x = batch(6)
    given = gpu.tensor(x)
    same(engine(given), x)
    context = engine.create_context()
    out = {"y": gpu.empty((8, 6), np.float32), "z": gpu.empty((8, 6), np.float32)}
    results = context.run({"x": given}, out=out)
    assert results["y"] is out["y"] and given.asked[-1] == context.stream
    same(results.values(), x)
    same(context.run({"x": x}, out=out).values(), x)
    with pytest.raises(package.DTypeError, match="'x' isn't dense"):
        engine(gpu.tensor(np.asfortranarray(x)))
    with pytest.raises(package.DTypeError, match="'x' is float32, a tensor of int64"):
        engine(gpu.tensor(np.zeros((6, 8), np.int64)))
    with pytest.raises(package.ShapeError, match=r"out\['y'\] must have shape \(8, 5\)"):
        context.run({"x": gpu.tensor(batch(5))}, out=out)
    given.index = 1
    with pytest.raises(package.DeviceError, match="memory of GPU 1"):
        engine(given)
    with pytest.raises(package.DeviceError, match="in a GPU's memory"):
        package.build(network(), shapes=SHAPES, budget=0)(given)


def test_tensors_of_torch(engine, gpu, torch_):
    """Outputs are its tensors, and nobody waits: the emulated GPU runs nothing before it must."""
    x = batch(9)
    given = gpu.tensor(x, torch_.Tensor)
    context = engine.create_context()
    found = context(given)
    assert all(isinstance(tensor, torch_.Tensor) for tensor in found) and given.asked == [1] and not torch_.recorded
    context.wait()
    same(found, x)
    turned = gpu.tensor(np.asfortranarray(x), torch_.Tensor)
    found = context.run({"x": turned}, ["z"])
    context.wait()
    np.testing.assert_allclose(found["z"].numpy(), truth(x)[1], rtol=1e-6, atol=1e-6)
    layers = []
    context.set_profiler(layers.append)
    same(context(given), x)
    assert layers
    context.set_profiler(None)


def test_a_stream(package, engine, gpu, torch_):
    x, context = batch(2), engine.create_context()
    other = engine.create_context()
    given = gpu.tensor(x, torch_.Tensor)
    for stream in (other.stream, type("S", (), {"cuda_stream": other.stream})(), type("S", (), {"ptr": other.stream})(),
                   type("S", (), {"__cuda_stream__": lambda self: (0, other.stream)})()):
        torch_.recorded.clear()
        found = context.run({"x": given}, stream=stream)
        assert given.asked[-1] == other.stream and torch_.recorded == [("external", other.stream)] * 3
        context.wait()
        same(found.values(), x)
    same(context.run({"x": x}, stream=other.stream).values(), x)  # arrays are there when it returns
    same(engine.run({"x": x}, stream=other.stream).values(), x)
    with pytest.raises(package.ArgumentError, match="a stream is a number"):
        context.run({"x": x}, stream="s")
    host = package.build(network(), shapes=SHAPES, budget=0)
    assert host.device == "cpu" and host.create_context().stream is None
    for call in (lambda: host.run({"x": x}, stream=0), lambda: host.create_context().bind({}, {}), lambda: host.create_context().set_timing(True)):
        with pytest.raises(package.StateError):
            call()


def test_bind_and_enqueue(package, engine, gpu):
    x, context, other = batch(4), engine.create_context(), engine.create_context()
    inputs, outputs = {"x": gpu.tensor(x)}, {"y": gpu.empty((8, 4), np.float32), "z": gpu.empty((8, 4), np.float32)}
    with pytest.raises(package.StateError, match="nothing is bound"):
        context.enqueue()
    context.bind(inputs, outputs)
    before = outputs["y"].numpy()
    context.enqueue()
    if not REAL:
        assert np.array_equal(outputs["y"].numpy(), before, equal_nan=True)
    context.wait()
    same(outputs.values(), x)
    for seed in (1, 2):
        x = batch(4, seed)
        gpu.copy(inputs["x"].start, x.ctypes.data, x.nbytes)
        for stream in (other.stream, None):
            context.enqueue(stream)
        context.wait()
        same(outputs.values(), x)
    array = np.empty((8, 4), np.float32)
    context.bind({"x": x}, {"y": array, "z": outputs["z"]})
    context.enqueue()
    context.wait()
    same((array, outputs["z"]), x)
    for wrong in ((inputs, {"y": array}), ({}, outputs)):
        with pytest.raises(package.ArgumentError, match="there are: "):
            context.bind(*wrong)
    with pytest.raises(package.ShapeError, match=r"'y' has shape \(8, 4\)"):
        context.bind(inputs, {**outputs, "y": gpu.empty((4, 8), np.float32)})
    with pytest.raises(package.DTypeError, match="dense array of float32"):
        context.bind(inputs, {**outputs, "y": np.empty((4, 8), np.float32).T})
    context.bind(inputs, outputs)
    context.run({"x": x})
    with pytest.raises(package.StateError, match="has run since"):
        context.enqueue()


def test_times(package, engine):
    context = engine.create_context()
    with pytest.raises(package.StateError):
        context.times
    context.set_timing(True)
    context.run({"x": batch(64)})
    assert context.times.to_device > 0 and context.times.compute > 0 and context.times.from_device > 0


def test_output_of_unknown_size(package, gpu, torch_):
    """It is computed on the host; PyTorch's users get it on the GPU all the same."""
    engine = package.build(models.nonzero(), shapes={"x": ((1, 1), (2, 3), (9, 9))}, budget=0, device="cuda")
    x = (np.arange(12).reshape(3, 4) % 3).astype(np.float32)
    assert np.array_equal(engine(x), np.stack(np.nonzero(x)))
    found = engine(gpu.tensor(x, torch_.Tensor))
    assert isinstance(found, torch_.Tensor) and np.array_equal(found.numpy(), np.stack(np.nonzero(x)))
    assert np.array_equal(engine(gpu.tensor(x)), np.stack(np.nonzero(x)))


def test_providers(package, gpu, engine, tmp_path):
    data, x = network().SerializeToString(), batch(3)
    for providers in (["CUDAExecutionProvider", "CPUExecutionProvider"], [("CUDAExecutionProvider", {"device_id": 0, "use_tf32": 0})]):
        session = package.InferenceSession(data, providers=providers)
        assert session.get_providers() == ["CUDAExecutionProvider", "CPUExecutionProvider"]
        same(session.run(None, {"x": gpu.tensor(x)}), x)
        assert session.engine.device == "cuda:0"
    with pytest.warns(RuntimeWarning, match=r"CUDAExecutionProvider \(GPU 63 of \d+\): not here; the session runs on the CPU"):
        session = package.InferenceSession(data, providers=["CUDAExecutionProvider", "CPUExecutionProvider"], provider_options=[{"device_id": 63}, {}])
    assert session.get_providers() == ["CPUExecutionProvider"]
    same(session.run(None, {"x": x}), x)
    with pytest.raises(package.DeviceError, match="none of the providers is here: AbacusExecutionProvider"):
        package.InferenceSession(data, providers=["AbacusExecutionProvider"])
    engine.save(tmp_path / "m.ingot")
    assert package.InferenceSession(tmp_path / "m.ingot").get_providers()[0] == "CUDAExecutionProvider"
    with pytest.raises(package.DeviceError):
        host = package.build(network(), shapes=SHAPES, budget=0)
        package.InferenceSession(host.serialize(), providers=[("CUDAExecutionProvider", {"device_id": 0})])


def test_a_batch_on_several_gpus(package, gpu, build, tmp_path):
    """In a process of its own: on three emulated GPUs, or on the real ones."""
    script = """
import sys
import numpy as np
import ingot, models
count = int(sys.argv[1]) or ingot.device_count()
if count < 2:
    sys.exit(77)
last = f"cuda:{count - 1}"
engine = ingot.build(models.elementwise(), shapes={"x": ((0, 4), (2, 4), (9, 4))}, budget=0, device="cuda:1")
assert ingot.device_count() == count
for devices in (None, [last, "cuda:0"]):
    parallel = ingot.DataParallel(engine, devices)
    for n in (0, 1, 2, 5, 6, 9):
        x = np.arange(4 * n, dtype=np.float32).reshape(n, 4)
        assert np.array_equal(parallel(x), x + x)
        assert np.array_equal(parallel.run({"x": x}, ["y"])["y"], x + x)
assert [e.device for e in ingot.DataParallel(engine).engines] == [f"cuda:{i}" for i in range(count)]
for wrong, error in (({}, ingot.ArgumentError), ({"x": x, "z": x}, ingot.ArgumentError), ({"x": np.zeros((100 * count, 4), np.float32)}, ingot.ShapeError)):
    try:
        parallel.run(wrong)
    except error:
        continue
    raise AssertionError(wrong)
try:
    ingot.DataParallel(ingot.build(models.elementwise(shape=(2, 4)), budget=0, device="cuda"))
except ingot.ArgumentError as error:
    assert "no free first dim" in str(error)
else:
    raise AssertionError
"""
    path = [str(build / "python"), os.path.dirname(__file__), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "INGOT_EMULATED_DEVICES": "3", "PYTHONPATH": os.pathsep.join(path)}
    result = subprocess.run([sys.executable, "-c", script, "0" if REAL else "3"], env=env, cwd=tmp_path, capture_output=True, text=True)
    if result.returncode == 77:
        pytest.skip("needs several GPUs")
    assert result.returncode == 0, result.stdout + result.stderr


def test_real_gpu(package, torch):
    """With PyTorch on a GPU; the emulated one isn't PyTorch's."""
    if not REAL or not torch.cuda.is_available():
        pytest.skip("PyTorch has no GPU here, or the emulated one is in use")
    engine = package.build(network(), shapes=SHAPES, budget=0, device="cuda")
    x = torch.from_numpy(batch(7)).cuda()
    stream = torch.cuda.Stream()
    for found in (engine(x), engine.run({"x": x}, stream=stream).values()):
        stream.synchronize()
        same([tensor.cpu().numpy() for tensor in found], batch(7))
