"""Attention in all its forms and the newest operators of sequence models, by the reference kernels, against the onnx package's own reference
implementation: heads that share keys, caches, causality with an offset, windows, caps, lengths, masks of every rank, half precision."""
import pathlib
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
reference = pytest.importorskip("onnx.reference", reason="an onnx package without its reference")
from onnx import TensorProto, helper  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reference_engine  # noqa: E402

rng = np.random.default_rng(3)


def f(*shape):
    return rng.uniform(-2, 2, shape).astype(np.float32)


def half(*shape):
    return f(*shape).astype(np.float16)


@pytest.fixture(scope="module")
def library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


def compare(library, op, domain, opset, inputs, attributes, n_out, tolerance=1e-5, subgraphs=()):
    try:
        onnx.defs.get_schema(op, opset, domain)
    except Exception:
        pytest.skip(f"this onnx package has no {op} of opset {opset}")
    names = [f"i{k}" if a is not None else "" for k, a in enumerate(inputs)]
    outs = [f"o{k}" if k < n_out else "" for k in range(n_out)] if isinstance(n_out, int) else n_out
    node = helper.make_node(op, names, outs, domain=domain, **attributes)
    kind = helper.np_dtype_to_tensor_dtype
    feeds = {n: a for n, a in zip(names, inputs) if n}
    infos = [helper.make_tensor_value_info(n, kind(a.dtype), a.shape) for n, a in feeds.items()]
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info(o) for o in outs if o])
    opsets = [helper.make_opsetid("", 28 if domain else opset)] + ([helper.make_opsetid(domain, opset)] if domain else [])
    m = helper.make_model(graph, opset_imports=opsets, ir_version=11)
    want = dict(zip([o for o in outs if o], reference.ReferenceEvaluator(m).run(None, feeds)))
    got = library.run(m, feeds)
    assert set(got) == set(want)
    for name, w in want.items():
        assert got[name].dtype == w.dtype and got[name].shape == w.shape, name
        np.testing.assert_allclose(got[name].astype(np.float64), w.astype(np.float64), rtol=tolerance, atol=tolerance, err_msg=name)


Q, K, V = f(2, 4, 3, 8), f(2, 4, 7, 8), f(2, 4, 7, 6)
K2, V2 = f(2, 2, 7, 8), f(2, 2, 7, 6)
PAST_K, PAST_V = f(2, 4, 5, 8), f(2, 4, 5, 6)
BOOLS = rng.random((3, 7)) < 0.6
BOOLS[1] = False  # a query without any key
SCORES = ["o0", "", "", "o3"]
ATTENTION = [
    ("softcap", [Q, K, V], {"softcap": 1.5}, 1),
    ("softcap_mask", [Q, K, V, np.where(BOOLS, f(3, 7), -np.inf).astype(np.float32)], {"softcap": 0.5}, 1),
    ("no_key_left", [Q, K, V, BOOLS], {}, 1),
    ("no_key_left_causal", [Q, K, V, BOOLS], {"is_causal": 1}, 1),
    ("short_mask", [Q, K, V, f(3, 5)], {}, 1),
    ("short_bools", [Q, K, V, BOOLS[:, :5]], {"is_causal": 1}, 1),
    ("groups", [Q, K2, V2], {"is_causal": 1, "softcap": 2.0}, 1),
    ("groups_bools", [Q, K2, V2, rng.random((2, 4, 3, 7)) < 0.7], {}, 1),
    ("groups_flat", [f(2, 3, 32), f(2, 7, 16), f(2, 7, 12)], {"q_num_heads": 4, "kv_num_heads": 2, "left_window_size": 1}, 1),
    ("past_causal", [Q, K, V, None, PAST_K, PAST_V], {"is_causal": 1}, 3),
    ("past_mask_3d", [Q, K, V, f(4, 3, 12), PAST_K, PAST_V], {"is_causal": 1}, 3),
    ("present_alone", [Q, K, V], {}, 3),
    ("window", [f(1, 2, 9, 8), f(1, 2, 9, 8), f(1, 2, 9, 8)], {"left_window_size": 2, "right_window_size": 1}, 1),
    ("window_causal_past", [Q, K, V, None, PAST_K, PAST_V], {"is_causal": 1, "left_window_size": 3}, 3),
    ("lengths", [Q, K, V, None, None, None, np.array([7, 4])], {}, 1),
    ("lengths_causal", [Q, K, V, f(3, 7), None, None, np.array([2, 5])], {"is_causal": 1}, 1),
    ("lengths_window", [Q, K, V, None, None, None, np.array([7, 5])], {"left_window_size": 1, "right_window_size": 0}, 1),
    ("scores", [Q, K, V, f(3, 7)], {}, SCORES),
    ("scores_capped", [Q, K, V, f(3, 7)], {"softcap": 1.0, "qk_matmul_output_mode": 1}, SCORES),
    ("scores_masked", [Q, K2, V2, f(3, 7)], {"qk_matmul_output_mode": 2, "is_causal": 1}, SCORES),
    ("scores_weights", [Q, K, V, BOOLS], {"qk_matmul_output_mode": 3}, SCORES),
    ("scores_past", [Q, K, V, None, PAST_K, PAST_V], {"qk_matmul_output_mode": 3, "is_causal": 1}, 4),
    ("halves", [half(2, 4, 3, 8), half(2, 2, 7, 8), half(2, 2, 7, 8), half(3, 7)], {"is_causal": 1}, 1),
    ("halves_in_float", [half(2, 4, 3, 8), half(2, 2, 7, 8), half(2, 2, 7, 8)], {"softmax_precision": 1}, 1),
]


@pytest.mark.parametrize("name, inputs, attributes, outs", ATTENTION, ids=[a[0] for a in ATTENTION])
def test_attention(library, name, inputs, attributes, outs):
    opset = 25 if "window" in name else 24 if len(inputs) > 6 or "scores_weights" in name else 23
    compare(library, "Attention", "", opset, inputs, attributes, outs, tolerance=1e-3 if "halves" in name else 1e-5)


def mod(nodes, dtype=TensorProto.FLOAT):
    shape = [2, 4, 3, 7]
    return helper.make_graph(nodes, "mod", [helper.make_tensor_value_info("s", dtype, shape)],
                             [helper.make_tensor_value_info("out", dtype, shape)])


FLEX = {
    "plain": {},
    "scale": {"scale": 0.2},
    "scores": {"score_mod": mod([helper.make_node("Tanh", ["s"], ["t"]), helper.make_node("Add", ["t", "t"], ["out"])])},
    "weights": {"prob_mod": mod([helper.make_node("Mul", ["s", "s"], ["out"])])},
    "both": {"score_mod": mod([helper.make_node("Neg", ["s"], ["out"])]), "prob_mod": mod([helper.make_node("Sqrt", ["s"], ["out"])])},
}


@pytest.mark.parametrize("name", FLEX)
@pytest.mark.parametrize("heads", [4, 2, 1])
def test_flex_attention(library, name, heads):
    compare(library, "FlexAttention", "ai.onnx.preview", 1, [Q, f(2, heads, 7, 8), f(2, heads, 7, 6)], FLEX[name], 1)


RULES = {"linear": (), "gated": ("decay",), "delta": ("beta",), "gated_delta": ("decay", "beta")}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("past, single", [(False, True), (True, False)])
def test_linear_attention(library, rule, past, single):
    decay = -np.abs(f(2, 5, 2 if single else 2 * 8)) if "decay" in RULES[rule] else None
    beta = np.abs(f(2, 5, 1 if single else 2)) / 4 if "beta" in RULES[rule] else None
    inputs = [f(2, 5, 4 * 8) / 4, f(2, 5, 2 * 8) / 4, f(2, 5, 2 * 6), f(2, 2, 8, 6) if past else None, decay, beta]
    while inputs[-1] is None:
        inputs.pop()
    compare(library, "LinearAttention", "", 27, inputs, {"q_num_heads": 4, "kv_num_heads": 2, "update_rule": rule}, 2)


@pytest.mark.parametrize("taps", [1, 3])
@pytest.mark.parametrize("activation", ["none", "silu"])
@pytest.mark.parametrize("past", [False, True])
def test_causal_conv(library, taps, activation, past):
    inputs = [f(2, 5, 2), f(5, 1, taps), f(5), f(2, 5, taps - 1) if past else None]
    compare(library, "CausalConvWithState", "", 27, inputs if past else inputs[:3], {"activation": activation}, 2)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("turned", [0, 4])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("positions", [False, True])
def test_rotary(library, interleaved, turned, flat, positions):
    x = f(2, 3, 4 * 8) if flat else f(2, 4, 3, 8)
    pairs = (turned or 8) // 2
    table = [f(50, pairs), f(50, pairs), np.array([[0, 49, 7], [3, 3, 1]])] if positions else [f(2, 3, pairs), f(2, 3, pairs)]
    attributes = {"interleaved": interleaved, "rotary_embedding_dim": turned, **({"num_heads": 4} if flat else {})}
    compare(library, "RotaryEmbedding", "", 23, [x, *table], attributes, 1)


def test_rotary_refuses_positions_outside(library):
    node = helper.make_node("RotaryEmbedding", ["x", "c", "s", "p"], ["y"])
    feeds = {"x": f(1, 1, 2, 4), "c": f(5, 2), "s": f(5, 2), "p": np.array([[0, 5]])}
    infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()]
    m = helper.make_model(helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info("y")]),
                          opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    with pytest.raises(reference_engine.IngotError, match="position 5 is outside"):
        library.run(m, feeds)


@pytest.mark.parametrize("mode, at", [("linear", [1, 3]), ("circular", [4, 3]), ("linear", None)])
@pytest.mark.parametrize("axis", [-2, 1])
def test_tensor_scatter(library, mode, at, axis):
    cache = f(2, 5, 4) if axis == 1 else f(2, 3, 5, 4)
    update = f(2, 2, 4) if axis == 1 else f(2, 3, 2, 4)
    compare(library, "TensorScatter", "", 24, [cache, update] + ([np.array(at)] if at else []), {"mode": mode, "axis": axis}, 1)


@pytest.mark.parametrize("alpha", [1.0, 1.702])
def test_swiglu(library, alpha):
    compare(library, "SwiGLU", "", 28, [f(2, 5), f(2, 5)], {"alpha": alpha}, 1)
