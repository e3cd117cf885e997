"""InferenceSession beside ONNX Runtime's: the same calls, names, types and results."""
import sys

import numpy as np
import pytest

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper  # noqa: E402

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import models  # noqa: E402

NETWORKS = {
    "mlp": (models.mlp, [{"x": (1, 8)}, {"x": (7, 8)}, {"x": (3, 8)}]),
    "convolutions": (models.convolutions, [{"x": (1, 3, 16, 16)}, {"x": (2, 3, 9, 31)}, {"x": (1, 3, 5, 5)}]),
    "nonzero": (models.nonzero, [{"x": (3, 4)}, {"x": (5, 2)}]),
    "fixed": (lambda: models.elementwise(TensorProto.INT64, (2, 3), "Mul"), [{"x": (2, 3)}]),
    "bool": (lambda: models.elementwise(TensorProto.BOOL, ("n", None), "Xor"), [{"x": (2, 3)}, {"x": (1, 1)}]),
}


def both(package, net):
    data = net.SerializeToString()
    return package.InferenceSession(data, providers=["CPUExecutionProvider"]), ort.InferenceSession(data, providers=["CPUExecutionProvider"])


def feeds_of(session, shapes, seed):
    random = np.random.default_rng(seed)
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
    return {i.name: (random.standard_normal(shapes[i.name]) * 3).astype(kinds[i.type]) for i in session.get_inputs()}


@pytest.mark.parametrize("name", NETWORKS)
def test_same_results_at_all_shapes(package, name):
    make, shapes = NETWORKS[name]
    ours, theirs = both(package, make())
    engines = set()
    for seed, given in enumerate(shapes):
        feeds = feeds_of(theirs, given, seed)
        for mine, other in zip(ours.run(None, feeds), theirs.run(None, feeds), strict=True):
            assert mine.dtype == other.dtype and mine.shape == other.shape
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
        engines.add(id(ours.engine))
    assert len(engines) == 1, "built again for another shape"


@pytest.mark.parametrize("name", NETWORKS)
def test_same_description(package, name):
    ours, theirs = both(package, NETWORKS[name][0]())
    for mine, other in ((ours.get_inputs(), theirs.get_inputs()), (ours.get_outputs(), theirs.get_outputs())):
        assert [(a.name, a.shape, a.type) for a in mine] == [(a.name, a.shape, a.type) for a in other]


def test_names_in_any_order_and_options(package):
    options = package.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = package.InferenceSession(models.mlp().SerializeToString(), options)
    x = np.ones((2, 8), np.float32)
    index, logits = session.run(["class", "logits"], {"x": x})
    assert index.shape == (2,) and logits.shape == (2, 5)
    assert session.get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="missing inputs: x"):
        session.run(None, {})


def test_engine_files(package, tmp_path):
    engine = package.build(models.mlp(), shapes={"x": ((1, 8), (1, 8), (9, 8))}, budget=0)
    engine.save(tmp_path / "m.ingot")
    for given in (tmp_path / "m.ingot", str(tmp_path / "m.ingot"), engine.serialize()):
        assert package.InferenceSession(given).run(["class"], {"x": np.ones((9, 8), np.float32)})[0].shape == (9,)


def test_backend_of_onnx(package):
    from ingot import onnx_backend

    node = helper.make_node("Relu", ["x"], ["y"])
    x = np.array([[-1, 2]], np.float32)
    assert onnx_backend.run_node(node, [x])[0].tolist() == [[0, 2]]
    assert onnx_backend.prepare(models.mlp()).run([np.ones((3, 8), np.float32)])[0].shape == (3, 5)
    assert onnx_backend.supports_device("CPU") and not onnx_backend.supports_device("CUDA:99")
    assert onnx_backend.supports_device("CUDA") == (package.device_count() > 0)
