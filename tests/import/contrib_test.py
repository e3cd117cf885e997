"""com.microsoft's operators that stand in transformers' and quantised models as ONNX Runtime's optimisers leave them: by the reference
kernels, against ONNX Runtime."""
import pathlib
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
ort = pytest.importorskip("onnxruntime", reason="no onnxruntime here")
from onnx import helper  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2] / "fuzz" / "graphs"))
import exact_sums  # noqa: E402
import reference_engine  # noqa: E402

rng = np.random.default_rng(11)


def f(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def u8(*shape):
    return rng.integers(0, 255, shape).astype(np.uint8)


def i8(*shape):
    return rng.integers(-127, 128, shape).astype(np.int8)


def i32(*values):
    return np.array(values, np.int32)


@pytest.fixture(scope="module")
def library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


def make(op, inputs, attributes, outs, domain="com.microsoft"):
    """inputs: arrays, tuples of one (constants) or None; outs: names, "" where not wanted. The model and what to feed it."""
    names = [f"i{k}" if a is not None else "" for k, a in enumerate(inputs)]
    kind = helper.np_dtype_to_tensor_dtype
    feeds = {n: a for n, a in zip(names, inputs) if n and not isinstance(a, tuple)}
    constants = [onnx.numpy_helper.from_array(a[0], n) for n, a in zip(names, inputs) if n and isinstance(a, tuple)]
    infos = [helper.make_tensor_value_info(n, kind(a.dtype), a.shape) for n, a in feeds.items()]
    results = [helper.make_empty_tensor_value_info(o) for o in outs if o]
    node = helper.make_node(op, names, outs, domain=domain, **attributes)
    m = helper.make_model(helper.make_graph([node], "g", infos, results, constants), ir_version=10,
                          opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    return m, feeds


def expected(m, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(m.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))


def run_both(library, op, inputs, attributes, outs, domain="com.microsoft", tolerance=2e-5):
    m, feeds = make(op, inputs, attributes, outs, domain)
    want, got = expected(m, feeds), library.run(m, feeds)
    assert set(got) == set(want)
    for name, w in want.items():
        assert got[name].dtype == w.dtype and got[name].shape == w.shape, name
        np.testing.assert_allclose(got[name].astype(np.float64), w.astype(np.float64), rtol=tolerance, atol=tolerance, err_msg=name)


Q, K, V = f(2, 5, 32), f(2, 7, 32), f(2, 7, 48)
PAST = [f(2, 4, 3, 8), f(2, 4, 3, 8)]
PADDED = np.array([[1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1]], np.int32)
MULTI_HEAD = {
    "plain": ([Q, K, V], {}, 1),
    "scale": ([Q, K, V], {"scale": 0.5}, 1),
    "bias": ([Q, K, V, f(112)], {}, 1),
    "padding": ([Q, K, V, None, PADDED], {}, 1),
    "lengths": ([Q, K, V, None, i32(7, 4)], {}, 1),
    "added": ([Q, K, V, None, None, f(1, 4, 5, 7)], {}, 1),
    "padding_added": ([Q, K, V, None, PADDED, f(2, 4, 5, 7)], {}, 1),
    "past": ([Q, f(2, 5, 32), f(2, 5, 32), None, None, None, *PAST], {}, 3),
    "past_causal": ([Q, f(2, 5, 32), f(2, 5, 32), None, None, None, *PAST], {"unidirectional": 1}, 3),
    "causal": ([Q, f(2, 5, 32), f(2, 5, 48)], {"unidirectional": 1}, 1),
    "heads": ([Q, f(2, 4, 7, 8), f(2, 4, 7, 8)], {}, 1),
}


@pytest.mark.parametrize("name", MULTI_HEAD)
def test_multi_head(library, name):
    inputs, attributes, outs = MULTI_HEAD[name]
    run_both(library, "MultiHeadAttention", inputs, {"num_heads": 4, **attributes}, ["y", "k", "v"][:outs])


@pytest.mark.parametrize("count", [3, 2])
def test_multi_head_packed(library, count):
    """ONNX Runtime's CPU takes the parts only one by one."""
    packed = f(2, 5, 4, count, 8)
    parts = [packed[:, :, :, i].reshape(2, 5, 32) for i in range(count)]
    want = expected(*make("MultiHeadAttention", parts if count == 3 else [Q, *parts], {"num_heads": 4}, ["y"]))["y"]
    got = library.run(*make("MultiHeadAttention", [packed] if count == 3 else [Q, packed], {"num_heads": 4}, ["y"]))["y"]
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


X, W = f(2, 5, 16), (f(16, 96),)
OLD = {
    "plain": ([X, W, (f(96),)], {}, 1),
    "causal": ([X, W, (f(96),)], {"unidirectional": 1}, 1),
    "padding": ([X, W, (f(96),), PADDED[:, 2:]], {}, 1),
    "lengths": ([X, W, (f(96),), i32(5, 3)], {}, 1),
    "past": ([X, W, (f(96),), None, f(2, 2, 4, 3, 8)], {"unidirectional": 1}, 2),
    "sizes": ([X, (f(16, 80),), (f(80),)], {"qkv_hidden_sizes": [32, 32, 16]}, 1),
}


@pytest.mark.parametrize("name", OLD)
def test_old_attention(library, name):
    inputs, attributes, outs = OLD[name]
    run_both(library, "Attention", inputs, {"num_heads": 4, **attributes}, ["y", "present"][:outs])


def group(batch, length, past, packed=False, rotary=False):
    total = past + length
    new = [f(batch, length, 128), None, None] if packed else [f(batch, length, 64), f(batch, length, 32), f(batch, length, 32)]
    seqlens = i32(*[total] * batch) - 1
    table = [f(40, 8), f(40, 8)] if rotary else []
    return [*new, f(batch, 2, past, 16), f(batch, 2, past, 16), seqlens, np.array(total, np.int32), *table]


GROUP = {
    "prompt": (group(1, 6, 0), {}),
    "prompts": (group(2, 6, 0), {}),
    "decode": (group(1, 1, 9), {}),
    "decodes": (group(2, 1, 9), {}),
    "packed": (group(1, 4, 3, packed=True), {}),
    "rotary": (group(1, 3, 5, rotary=True), {"do_rotary": 1}),
    "rotary_interleaved": (group(2, 1, 5, rotary=True), {"do_rotary": 1, "rotary_interleaved": 1}),
    "window": (group(1, 4, 6), {"local_window_size": 3}),
    "softcap": (group(1, 4, 6), {"softcap": 0.5, "scale": 0.7}),
}


@pytest.mark.parametrize("name", GROUP)
def test_group_query(library, name):
    inputs, attributes = GROUP[name]
    run_both(library, "GroupQueryAttention", inputs, {"num_heads": 4, "kv_num_heads": 2, **attributes}, ["y", "k", "v"])


def test_group_query_of_different_lengths(library):
    """The second batch element's past is shorter: what lies behind it in the buffers is nobody's."""
    inputs = group(2, 1, 9, rotary=True)
    inputs[5] = i32(9, 5)
    attributes = {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1}
    m, feeds = make("GroupQueryAttention", inputs, attributes, ["y", "k", "v"])
    want, got = expected(m, feeds), library.run(m, feeds)
    np.testing.assert_allclose(got["y"], want["y"], rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(got["k"][1, :, :6], want["k"][1, :, :6], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("op, inputs, attributes", [
    ("MatMulNBits", [X, (u8(7, 1, 16),), (f(9),)], {"K": 16, "N": 7, "bits": 4, "block_size": 32}),
    ("MatMulNBits", [X, (u8(7, 1, 16),), (f(7),)], {"K": 16, "N": 7, "bits": 3, "block_size": 32}),
    ("MultiHeadAttention", [Q, K, V], {"num_heads": 2 ** 40}),
    ("GroupQueryAttention", group(1, 2, 3), {"num_heads": 2 ** 62, "kv_num_heads": 2 ** 62}),
    ("Attention", [X, W, (f(96),)], {"num_heads": 4, "qkv_hidden_sizes": [2 ** 62, 2 ** 62, 96]}),
    ("FusedMatMul", [X, X], {"transBatchA": 1}),
    ("SkipLayerNormalization", [X, X], {}),
])
def test_refusals(library, op, inputs, attributes):
    m, feeds = make(op, inputs, attributes, ["y"])
    with pytest.raises(reference_engine.IngotError):
        library.run(m, feeds)


ROTARY = {
    "positions": ([f(2, 3, 32), np.array([[1, 5, 9], [0, 1, 2]]), f(20, 4), f(20, 4)], {}),
    "first": ([f(2, 3, 32), np.array([4]), f(20, 4), f(20, 4)], {}),
    "heads": ([f(2, 4, 3, 8), np.array([[1, 5, 9], [0, 1, 2]]), f(20, 4), f(20, 4)], {"interleaved": 1}),
    "partly": ([f(2, 3, 32), np.array([[1, 5, 9], [0, 1, 2]]), f(20, 2), f(20, 2)], {"rotary_embedding_dim": 4, "num_heads": 4}),
}


@pytest.mark.parametrize("name", ROTARY)
def test_rotary(library, name):
    inputs, attributes = ROTARY[name]
    run_both(library, "RotaryEmbedding", inputs, attributes, ["y"])


IDS = rng.integers(0, 9, (2, 5)).astype(np.int32)
NORMS = {
    "skip": ("SkipLayerNormalization", [X, f(2, 5, 16), f(16), f(16)], {"epsilon": 1e-5}, ["y"]),
    "skip_bias": ("SkipLayerNormalization", [X, f(2, 5, 16), f(16), f(16), f(16)], {}, ["y", "", "", "sum"]),
    "skip_one": ("SkipLayerNormalization", [X, f(1, 5, 16), f(16)], {}, ["y"]),
    "skip_simple": ("SkipSimplifiedLayerNormalization", [X, f(2, 5, 16), f(16), f(16)], {"epsilon": 1e-5}, ["y", "", "", "sum"]),
    "embed": ("EmbedLayerNormalization", [IDS, IDS % 2, f(9, 16), f(7, 16), f(2, 16), f(16), f(16), PADDED[:, 2:]], {}, ["y", "m", "sum"]),
    "embed_plain": ("EmbedLayerNormalization", [IDS, None, f(9, 16), f(7, 16), None, f(16), f(16)], {}, ["y", "m"]),
    "gelu": ("BiasGelu", [X, f(16)], {}, ["y"]),
    "fast_gelu": ("FastGelu", [X, f(16)], {}, ["y"]),
    "quick_gelu": ("QuickGelu", [X], {"alpha": 1.702}, ["y"]),
    "matmul": ("FusedMatMul", [f(2, 5, 3), f(2, 5, 4)], {"transA": 1, "alpha": 0.5}, ["y"]),
    "matmul_b": ("FusedMatMul", [f(2, 3, 5), f(4, 5)], {"transB": 1}, ["y"]),
}


@pytest.mark.parametrize("name", NORMS)
def test_small(library, name):
    op, inputs, attributes, outs = NORMS[name]
    run_both(library, op, inputs, attributes, outs)


def test_simplified_norm_of_onnx(library):
    run_both(library, "SimplifiedLayerNormalization", [X, f(16)], {"axis": -1, "epsilon": 1e-5}, ["y"], domain="")


@pytest.mark.parametrize("bits, block, zeros", [(4, 32, False), (4, 16, True), (8, 32, True), (4, 32, True)])
@pytest.mark.parametrize("bias", [False, True])
def test_matmul_bits(library, bits, block, zeros, bias):
    rows, columns, blocks = 7, 80, -(-80 // block)
    inputs = [f(2, 3, columns), (u8(rows, blocks, block * bits // 8),), (f(rows * blocks),)]
    inputs += [(u8(rows * (-(-blocks * bits // 8))),) if zeros else None, None, (f(rows),) if bias else None]
    while inputs[-1] is None:
        inputs.pop()
    run_both(library, "MatMulNBits", inputs, {"K": columns, "N": rows, "bits": bits, "block_size": block}, ["y"], tolerance=2e-4)


S = [(np.float32(s),) for s in (0.02, 0.03, 0.05)]
Z = [(np.uint8(z),) for z in (120, 7, 100)]
LINEAR = {
    "add": ("QLinearAdd", [u8(2, 3, 4), S[0], Z[0], u8(3, 1), S[1], Z[1], S[2], Z[2]], {}),
    "mul": ("QLinearMul", [u8(2, 3, 4), S[0], Z[0], u8(4), S[1], Z[1], S[2], Z[2]], {}),
    "sigmoid": ("QLinearSigmoid", [u8(2, 30), S[0], Z[0], (np.float32(1 / 256),), (np.uint8(0),)], {}),
    "leaky": ("QLinearLeakyRelu", [u8(2, 30), S[0], Z[0], S[1], Z[2]], {"alpha": 0.1}),
    "mean": ("QLinearGlobalAveragePool", [u8(2, 3, 4, 5), S[0], Z[0], S[1], Z[2]], {}),
    "pool": ("QLinearAveragePool", [u8(2, 3, 4, 6), S[0], Z[0], S[1], Z[2]], {"kernel_shape": [2, 3], "strides": [2, 3]}),
    "concat": ("QLinearConcat", [S[2], Z[2], u8(2, 3), S[0], Z[0], u8(2, 5), S[1], Z[1]], {"axis": 1}),
    "softmax": ("QLinearSoftmax", [u8(2, 3, 7), S[1], Z[0], (np.float32(1 / 256),), (np.uint8(0),)], {"axis": -1, "opset": 13}),
    "softmax_of_channels": ("QLinearSoftmax", [u8(2, 3, 7), S[1], Z[0], (np.float32(1 / 256),), (np.uint8(0),)], {"axis": 1, "opset": 13}),
    "where": ("QLinearWhere", [rng.random((2, 3, 4)) < 0.5, u8(2, 3, 4), S[0], Z[0], u8(4), S[1], Z[1], S[2], Z[2]], {}),
    "gemm": ("QGemm", [u8(3, 8), S[0], Z[0], (u8(8, 5),), S[1], Z[1], (i32(400, -300, 0, 7, 9000),), (np.float32(0.4),), Z[2]], {}),
    "gemm_turned": ("QGemm", [u8(3, 8), S[0], Z[0], (i8(5, 8),), (np.array([0.02, 0.01, 0.03, 0.005, 0.02], np.float32),), (np.zeros(5, np.int8),),
                              (i32(400, -300, 0, 7, 900),), (np.float32(0.3),), Z[2]], {"transB": 1}),
    "gemm_to_float": ("QGemm", [u8(3, 8), S[0], Z[0], (u8(8, 5),), S[1], Z[1]], {"alpha": 0.5}),
    "to_float": ("MatMulIntegerToFloat", [u8(3, 8), (u8(8, 5),), S[0], S[1], Z[0], Z[1], (f(5),)], {}),
    "dynamic": ("DynamicQuantizeMatMul", [f(3, 8), (u8(8, 5),), (np.array([0.02], np.float32),), (np.array([128], np.uint8),), (f(5),)], {}),
}


@pytest.mark.parametrize("name", LINEAR)
def test_quantised(library, name):
    op, inputs, attributes = LINEAR[name]
    step = 1.01 if op.startswith("QLinear") or name in ("gemm", "gemm_turned") else 1e-4  # a level, where rounding decides
    run_both(library, op, inputs, attributes, ["y"], tolerance=step)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("batch, lengths", [(1, None), (3, [6, 2, 4])])
def test_quantised_lstm(library, direction, batch, lengths):
    """As quantize_dynamic writes it. ONNX Runtime on one thread, whose results are those of the ranges of all sequences."""
    if not exact_sums.exact():
        pytest.skip("ONNX Runtime's sums of 8-bit products overflow on this processor")
    d, steps, width, hidden = 2 if direction == "bidirectional" else 1, 6, 8, 24
    weights = [(i8(d, width, 4 * hidden),), (i8(d, hidden, 4 * hidden),), (f(d, 8 * hidden),)]
    scales = [(np.full(d, 0.004, np.float32),), (np.zeros(d, np.int8),)]
    inputs = [f(steps, batch, width), *weights, i32(*lengths) if lengths else None, None, None, None, *scales, *scales]
    run_both(library, "DynamicQuantizeLSTM", inputs, {"hidden_size": hidden, "direction": direction}, ["y", "h", "c"], tolerance=1e-4)
