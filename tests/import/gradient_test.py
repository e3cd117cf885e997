"""Gradient (ai.onnx.preview.training): derivatives as PyTorch finds them."""
import pathlib

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

RULES = {
    "Add": lambda t, a, b: a + b, "Sub": lambda t, a, b: a - b, "Mul": lambda t, a, b: a * b, "Div": lambda t, a, b: a / b,
    "Neg": lambda t, a, b: -a, "Identity": lambda t, a, b: a, "Exp": lambda t, a, b: t.exp(a), "Log": lambda t, a, b: t.log(a),
    "Sqrt": lambda t, a, b: t.sqrt(a), "Sin": lambda t, a, b: t.sin(a), "Cos": lambda t, a, b: t.cos(a), "Tanh": lambda t, a, b: t.tanh(a),
    "Sigmoid": lambda t, a, b: t.sigmoid(a),
}


def library(build):
    import sys

    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import reference_engine

    return reference_engine.Library(build / "libingot.so")


def model(op, inputs, shapes, xs=("a", "b")):
    """z = op(a, b); y = z * a; and y's derivatives by xs."""
    nodes = [helper.make_node(op, inputs, ["z"]), helper.make_node("Mul", ["z", "a"], ["y"]),
             helper.make_node("Gradient", list(xs), ["d" + x for x in xs], domain="ai.onnx.preview.training", xs=list(xs), y="y")]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip("ab", shapes)]
    outputs = [helper.make_empty_tensor_value_info(n) for n in ("y", *("d" + x for x in xs))]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.preview.training", 1)]
    return helper.make_model(helper.make_graph(nodes, "g", values, outputs), opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("op", RULES)
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 3), ())])
def test_rules(build, torch, op, shapes):
    two = op in ("Add", "Sub", "Mul", "Div")
    random = np.random.default_rng(1)
    a, b = (random.uniform(0.5, 2, s).astype(np.float32) for s in shapes)
    found = library(build).run(model(op, ["a", "b"] if two else ["a"], shapes), {"a": a, "b": b})
    ta, tb = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    (RULES[op](torch, ta, tb) * ta).sum().backward()
    np.testing.assert_allclose(found["da"], ta.grad.numpy(), rtol=1e-5)
    np.testing.assert_allclose(found["db"], tb.grad.numpy() if two else np.zeros(shapes[1]), rtol=1e-5)


@pytest.mark.parametrize("op, inputs, shapes, word", [("Floor", ["a"], ((2,), (2,)), "the derivative of Floor"),
                                                      ("Add", ["a", "b"], ((2, 3), (3,)), "broadcasting")])
def test_what_it_can_not(build, op, inputs, shapes, word):
    with pytest.raises(Exception, match=word):
        library(build).load(model(op, inputs, shapes))
