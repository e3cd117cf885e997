"""Engines, contexts, building: what the package adds to the C interface, and that it passes on what that says."""
import sys
import threading
import time

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import models  # noqa: E402

FREE = {"x": ((1, 8), (4, 8), (64, 8))}


@pytest.fixture(scope="module")
def engine(package):
    return package.build(models.mlp(), shapes=FREE, budget=0)


def truth(x):
    w = {i.name: onnx.numpy_helper.to_array(i) for i in models.mlp().graph.initializer}
    logits = np.maximum(x.astype(np.float64) @ w["w1"] + w["b1"], 0) @ w["w2"]
    return logits, logits.argmax(1)


def batch(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 8), np.float32)


def test_run_by_name_and_call_by_place(engine):
    x = batch(5)
    logits, index = truth(x)
    found = engine.run({"x": x})
    assert list(found) == ["logits", "class"]
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-4, atol=1e-4)
    assert np.array_equal(found["class"], index)
    assert list(engine.run({"x": x}, ["class"])) == ["class"]
    for result in (engine(x), engine(x=x), engine.create_context(threads=1)(x)):
        assert isinstance(result, tuple) and np.array_equal(result[1], index)


def test_what_it_is(package, engine):
    assert [(i.name, i.shape, i.min, i.opt, i.max) for i in engine.inputs] == [("x", (None, 8), (1, 8), (4, 8), (64, 8))]
    assert [(o.name, o.dtype) for o in engine.outputs] == [("logits", np.float32), ("class", np.int64)]
    assert "x: float32['?', 8]" in repr(engine)
    assert engine.report and engine.inspect()["layers"]
    net = package.Network(models.mlp())
    assert net.num_layers == 4 and net.inputs[0].shape == ("batch", 8)


def test_save_load_serialize(package, engine, tmp_path):
    path, x = tmp_path / "net.ingot", batch(3)
    engine.save(path)
    data = engine.serialize()
    assert path.read_bytes() == data
    for other in (package.Engine.load(path), package.Engine.deserialize(data), package.Engine.deserialize(memoryview(data))):
        assert np.array_equal(other(x)[0], engine(x)[0]) and other.report is None


def test_models_by_path_bytes_and_object(package, tmp_path):
    model = models.mlp()
    onnx.save(model, tmp_path / "m.onnx")
    for given in (tmp_path / "m.onnx", str(tmp_path / "m.onnx"), model.SerializeToString(), model, package.Network(model)):
        assert package.build(given, shapes={"x": (2, 8)}, budget=0).inputs[0].shape == (2, 8)


def test_several_profiles(package):
    small, large = ((1, 8), (1, 8), (4, 8)), ((32, 8), (64, 8), (128, 8))
    engine = package.build(models.mlp(), profiles=[{"x": small}, {"x": large}], budget=0)
    assert engine.profiles == [{"x": small}, {"x": large}]
    for n in (1, 4, 32, 100):
        assert np.array_equal(engine(batch(n))[1], truth(batch(n))[1])
    with pytest.raises(package.ShapeError):
        engine(batch(20))
    context = engine.create_context()
    context.set_profile(1)
    assert context(batch(64))[0].shape == (64, 5)
    with pytest.raises(package.ShapeError):
        context(batch(4))
    context.set_profile(-1)
    assert context(batch(4))[0].shape == (4, 5)


def test_reference_engine(package):
    engine = package.build(models.mlp(), shapes=FREE, reference=True)
    assert np.array_equal(engine(batch(6))[1], truth(batch(6))[1])


def test_errors_are_exceptions_with_the_library_s_words(package, engine, tmp_path):
    with pytest.raises(package.ShapeError, match="dim 0 is 65, but the engine was built for 1 to 64") as caught:
        engine(batch(65))
    assert isinstance(caught.value, (package.Error, ValueError)) and caught.value.status == 7
    with pytest.raises(package.FileError, match="nothing.onnx"):
        package.build(tmp_path / "nothing.onnx")
    with pytest.raises(OSError):
        package.Engine.load(tmp_path / "nothing.ingot")
    with pytest.raises(package.FormatError):
        package.Engine.deserialize(b"INGOTENG but no more")
    with pytest.raises(NotImplementedError, match="NoSuchOperator"):
        package.build(models.model([helper.make_node("NoSuchOperator", ["x"], ["y"])], [("x", 1, (1,))], [("y", 1, (1,))]))
    with pytest.raises(package.ShapeError, match="not fixed"):
        package.build(models.convolutions())
    with pytest.raises(MemoryError):
        package.build(models.mlp(), shapes=FREE, memory_limit=1000)
    with pytest.raises(package.ArgumentError, match="missing inputs: x; the engine has no inputs 'z'"):
        engine.run({"z": batch(1)})
    with pytest.raises(package.ArgumentError, match="no output 'w'; there are: logits, class"):
        engine.run({"x": batch(1)}, ["w"])
    assert engine(batch(2))[0].shape == (2, 5)  # and works on


def test_progress_and_cancelling(package):
    seen = []
    package.build(models.mlp(), shapes=FREE, budget=0.5, progress=lambda *step: seen.append(step))
    assert seen and all(isinstance(phase, str) and 0 <= done <= total for phase, done, total in seen)
    with pytest.raises(package.CancelledError):
        package.build(models.mlp(), shapes=FREE, progress=lambda *step: False)

    def fails(*step):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        package.build(models.mlp(), shapes=FREE, progress=fails)


def test_profiler(engine):
    context = engine.create_context(threads=1)
    layers = context.profile({"x": batch(4)})
    assert {layer.type for layer in layers} >= {"ArgMax"} and all(layer.microseconds >= 0 and layer.kernel for layer in layers)
    seen = []
    context.set_profiler(seen.append)
    context.run({"x": batch(4)})
    assert [layer.name for layer in seen] == [layer.name for layer in layers]
    context.set_profiler(None)
    context.run({"x": batch(4)})
    assert len(seen) == len(layers)
    context.set_profiler(lambda layer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        context.run({"x": batch(4)})


def test_observer(engine, package):
    """Every layer's outputs, of the engine and of the reference: they agree where both have a value of that name."""
    seen, truths, x = {}, {}, batch(3)
    engine.create_context().observe({"x": x}, seen.__setitem__)
    reference = package.build(models.mlp(), shapes=FREE, reference=True)
    reference.create_context().observe({"x": x}, truths.__setitem__)
    assert set(truths) == {"h", "r", "logits", "class"} and set(seen) & set(truths) >= {"logits", "class"}
    for name in set(seen) & set(truths):
        np.testing.assert_allclose(seen[name], truths[name], rtol=1e-4, atol=1e-4)
    with pytest.raises(ZeroDivisionError):
        engine.create_context().observe({"x": x}, lambda name, array: 1 / 0)


def test_cancelling_from_another_thread(package):
    n = 900
    net = models.model([helper.make_node("MatMul", ["x", "x"], ["a"]), *[helper.make_node("MatMul", [p, "x"], [q]) for p, q in zip("abcdef", "bcdefy")]],
                       [("x", TensorProto.FLOAT, (n, n))], [("y", TensorProto.FLOAT, (n, n))])
    context = package.build(net, reference=True, threads=1).create_context()
    x, started = np.eye(n, dtype=np.float32), threading.Event()

    def stop():
        started.wait()
        time.sleep(0.05)
        context.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    started.set()
    with pytest.raises(package.CancelledError):
        context(x)
    thread.join()


def test_memory(engine):
    context = engine.create_context()
    context.run({"x": batch(4)})
    assert context.memory.weights >= 4 * (8 * 32 + 32 + 32 * 5) and context.memory.activations > 0


def test_a_limit_on_workspace(package):
    """A convolution has kernels that want megabytes and kernels that don't; where all want some, one runs all the same."""
    shape, w = (1, 32, 56, 56), np.random.default_rng(1).standard_normal((32, 32, 3, 3), np.float32)
    net = models.model([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], [("x", TensorProto.FLOAT, shape)],
                       [("y", TensorProto.FLOAT, shape)], {"w": w})
    x, wanted, found = np.random.default_rng(2).standard_normal(shape, np.float32), [], []
    for limit in (0, 1 << 30, 1 << 16, 1):
        context = package.build(net, budget=0, workspace_limit=limit).create_context(threads=1)
        found.append(context(x))
        wanted.append(context.memory.workspace)
        np.testing.assert_allclose(found[-1], found[0], rtol=1e-3, atol=1e-3)
    assert wanted[1] == wanted[0] > 1 << 16 >= wanted[2] >= wanted[3]


def test_fp16_error(package):
    net = models.model([helper.make_node("Relu", ["x"], ["y"])], [("x", TensorProto.FLOAT, (2, 3))], [("y", TensorProto.FLOAT, (2, 3))])
    for most in (None, 0, 0.01):
        package.build(net, budget=0, fp16_error=most)
    for most in (-1, float("nan")):
        with pytest.raises(package.ArgumentError, match="error is negative"):
            package.build(net, budget=0, fp16_error=most)


def test_tactic_sources(package):
    net = models.model([helper.make_node("Relu", ["x"], ["y"])], [("x", TensorProto.FLOAT, (2, 3))], [("y", TensorProto.FLOAT, (2, 3))])
    for sources in (None, (), ("CUBLAS_LT",), ["CUDNN", "CUBLAS_LT"]):
        package.build(net, budget=0, tactic_sources=sources)
    for sources in ("CUBLAS_LT", ["CUBLAS"], ["cudnn"]):
        with pytest.raises(ValueError, match="tactic_sources"):
            package.build(net, budget=0, tactic_sources=sources)


def test_threads_share_an_engine(engine):
    wrong = []

    def work(seed):
        for i in range(30):
            x = batch(1 + (seed + i) % 7, seed)
            if not np.array_equal(engine(x)[1], truth(x)[1]):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong


def test_the_gil_is_released_while_running(package):
    """A second thread runs Python in the midst of a run that takes a while."""
    n = 600
    net = models.model([helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", TensorProto.FLOAT, (n, n))], [("y", TensorProto.FLOAT, (n, n))],
                       {"w": np.ones((n, n), np.float32)})
    engine = package.build(net, reference=True, threads=1)
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        start = time.perf_counter()
        engine(np.ones((n, n), np.float32))
        end = time.perf_counter()
    finally:
        stop.set()
        thread.join()
    quarter = (end - start) / 4
    assert end - start > 0.02, "too short to tell"
    assert any(start + quarter < t < end - quarter for t in ticks)


def test_messages_go_to_the_logger(package, caplog):
    """A model of a newer opset than ingot knows is told of by a warning, or something else is said: at level DEBUG there is always a word."""
    with caplog.at_level("DEBUG", logger="ingot"):
        package.build(models.mlp(), shapes=FREE, budget=0)
    assert all(record.name == "ingot" for record in caplog.records)
