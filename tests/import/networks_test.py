"""Real networks through the importer: their types against onnx's own inference, their outputs by the reference kernels against the files'
golden ones or ONNX Runtime, and copies that are cut off or have flipped bits."""
import os
import pathlib
import sys

import ctypes as c
import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
ort = pytest.importorskip("onnxruntime", reason="no onnxruntime here")
from onnx import numpy_helper  # noqa: E402

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import reference_engine  # noqa: E402

DATA = pathlib.Path(os.environ.get("INGOT_DATA", HERE.parent.parent.parent / "shared" / "data"))
MODELS = sorted(str(p.relative_to(DATA)) for p in DATA.glob("**/*.onnx") if "malformed" not in p.parts)
pytestmark = pytest.mark.skipif(not MODELS, reason="no folder of real networks (INGOT_DATA)")


@pytest.fixture(scope="module")
def library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


@pytest.mark.parametrize("name", MODELS or ["none"])
def test_types(library, name):
    """No value may be of another type than onnx finds, and every dim that onnx knows must be known."""
    m = onnx.load(DATA / name)
    m = onnx.shape_inference.infer_shapes(m, data_prop=True)
    network = library.load(DATA / name)
    find = library.lib.ingot_network_find_tensor
    find.restype = c.c_void_p
    found = 0
    try:
        for v in [*m.graph.value_info, *m.graph.output]:
            tensor = c.c_void_p(find(network, v.name.encode()))
            if not tensor or not v.type.HasField("tensor_type"):
                continue
            t, found = v.type.tensor_type, found + 1
            assert library.lib.ingot_tensor_dtype(tensor) == t.elem_type, v.name
            rank = library.lib.ingot_tensor_rank(tensor)
            if not t.HasField("shape") or rank < 0 and not any(d.HasField("dim_value") for d in t.shape.dim):
                continue
            if rank < 0 and v.name.startswith("If_"):
                continue  # its branches give different ranks
            dims = reference_engine.DIMS()
            library.lib.ingot_tensor_dims(tensor, dims)
            assert rank == len(t.shape.dim), v.name
            for ours, theirs in zip(dims, t.shape.dim):
                if theirs.HasField("dim_value") and theirs.dim_value > 0:
                    assert ours == theirs.dim_value, (v.name, list(dims)[:rank])
    finally:
        library.lib.ingot_network_destroy(network)
    assert found > 0


def tensors(folder, kind):
    return [numpy_helper.to_array(onnx.load_tensor(str(p))) for p in sorted(folder.glob(f"{kind}_*.pb"))]


GOLDEN = [str(p.relative_to(DATA)) for p in sorted(DATA.glob("**/test_data_set_*"))]


@pytest.mark.seconds(120)
@pytest.mark.parametrize("folder", GOLDEN or ["none"])
def test_golden(library, folder):
    path = (DATA / folder).parent / "model.onnx"
    m = onnx.load(path)
    constants = {i.name for i in m.graph.initializer}
    names = [i.name for i in m.graph.input if i.name not in constants]
    found = library.run(path, dict(zip(names, tensors(DATA / folder, "input"))))
    for info, want in zip(m.graph.output, tensors(DATA / folder, "output")):
        got = found[info.name]
        assert got.shape == want.shape
        # A golden output of a quantised network is of another machine: steps of the last quantisation may differ.
        bound = 0.2 if "qdq" in folder else 1e-3
        assert np.abs(got - want).max() <= bound * np.abs(want).max(), np.abs(got - want).max()


def inputs_of(session, seed):
    rng = np.random.default_rng(seed)
    dims = {"x": (2, 3, 32, 96), "input_3": (1, 3, 256, 256), "state": (2, 1, 128), "sr": ()}
    result = {}
    for i in session.get_inputs():
        shape = dims.get(i.name) or tuple(d if isinstance(d, int) and d > 0 else 1 for d in i.shape)
        if i.name == "sr":
            result[i.name] = np.array(16000, np.int64)
        elif i.name == "input":
            result[i.name] = rng.uniform(-0.3, 0.3, (1, 576) if len(i.shape) == 2 else shape).astype(np.float32)
        else:
            result[i.name] = rng.uniform(0, 1, shape).astype(np.float16 if "float16" in i.type else np.float32)
    return result


RUN = ["audio/silero_vad.onnx", "audio/gtcrn_simple.onnx", "ocr/en_rec.onnx", "face/mobilefacenet.onnx", "detect/ultraface_rfb320.onnx",
       "segment/portrait_prisma.onnx", "transformer/cct_2_opset20.onnx", "classify/squeezenet_fp16.onnx", "detect/yolox_nano.onnx"]


@pytest.mark.seconds(240)
@pytest.mark.parametrize("name", RUN)
def test_outputs(library, name):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")  # without VNNI its 8-bit products overflow otherwise
    session = ort.InferenceSession(str(DATA / name), options, providers=["CPUExecutionProvider"])
    inputs = inputs_of(session, 5)
    want = dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))
    found = library.run(DATA / name, inputs)
    assert set(found) == set(want)
    bound = 1e-2 if "fp16" in name else 2e-4
    for key, w in want.items():
        assert found[key].shape == w.shape and found[key].dtype == w.dtype
        error = np.abs(found[key].astype(np.float64) - w.astype(np.float64)).max()
        assert error <= bound * max(1e-3, np.abs(w).max()), (key, error, np.abs(w).max())


@pytest.mark.parametrize("file, status, words", [
    ("corrupt-model.onnx", 4, "damaged"), ("empty.onnx", 6, "no nodes"), ("foo_truncated.onnx", 5, "Foo (node 'foo_1')"),
    ("bad_graph_with_duplicate_node_names.onnx", 6, "identical (Identity): another node has the same name")])
def test_malformed(library, file, status, words):
    if not (DATA / "malformed" / file).exists():
        pytest.skip("not there")
    with pytest.raises(reference_engine.IngotError) as caught:
        library.layers(DATA / "malformed" / file)
    assert caught.value.status == status
    assert f"{file}: {words}" in caught.value.text or words in caught.value.text and file in caught.value.text


@pytest.mark.parametrize("name", ["classify/mnist/model.onnx", "audio/silero_vad.onnx", "ocr/en_rec.onnx"])
def test_damaged_copies(library, name):
    whole = (DATA / name).read_bytes()
    for percent in range(100):
        with pytest.raises(reference_engine.IngotError) as caught:
            library.layers(whole[: len(whole) * percent // 100])
        assert caught.value.status not in (2, 14), caught.value  # not for lack of memory, and no bug
    rng = np.random.default_rng(3)
    for _ in range(150):
        copy = bytearray(whole)
        for at in rng.integers(0, min(len(copy), 20000), rng.integers(1, 5)):
            copy[-1 - at] ^= 1 << int(rng.integers(8))
        try:
            library.layers(bytes(copy))
        except reference_engine.IngotError as e:
            assert e.status not in (2, 14), e
