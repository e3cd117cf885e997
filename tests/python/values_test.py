"""Strings, sequences and optionals, in and out."""
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import models  # noqa: E402


def typed(nodes, inputs, outputs):
    graph = helper.make_graph(nodes, "test", [helper.make_value_info(n, t) for n, t in inputs], [helper.make_value_info(n, t) for n, t in outputs])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


TENSOR = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
SEQUENCE = helper.make_sequence_type_proto(TENSOR)
COUNT = helper.make_tensor_type_proto(TensorProto.INT64, [])
FLAG = helper.make_tensor_type_proto(TensorProto.BOOL, [])


@pytest.fixture(scope="module")
def strings(package):
    net = models.model([helper.make_node("Identity", ["x"], ["y"])], [("x", TensorProto.STRING, ("N", 2))], [("y", TensorProto.STRING, ("N", 2))])
    return package.build(net, shapes={"x": ((0, 2), (2, 2), (99, 2))}, budget=0)


@pytest.mark.parametrize("make", [lambda a: a, lambda a: a.astype("U"), lambda a: a.tolist(), lambda a: a[::-1][::-1],
                                  lambda a: np.array([[s.encode() for s in row] for row in a], object)])
def test_strings(strings, make):
    words = np.array([["", "Grüße"], ["a\0b", "日本語 ✓"], ["x" * 300, " "]], object)
    out = strings(make(words))
    assert out.dtype == object and out.shape == (3, 2)
    want = words if make(words) is words else np.array([[s for s in row] for row in words], object)
    assert out.tolist() == want.tolist()


def test_bytes_that_are_no_text_come_back(strings):
    out = strings(np.array([[b"\xff\x00\xfe", b"ok"]], object))
    again = strings(out)
    assert again[0, 0].encode("utf-8", "surrogateescape") == b"\xff\x00\xfe" and again[0, 1] == "ok"
    assert strings(np.empty((0, 2), object)).shape == (0, 2)


def test_sequences(package):
    nodes = [helper.make_node("SequenceInsert", ["s", "x"], ["t"]), helper.make_node("SequenceLength", ["t"], ["n"])]
    engine = package.build(typed(nodes, [("s", SEQUENCE), ("x", helper.make_tensor_type_proto(TensorProto.FLOAT, [2]))],
                                 [("t", SEQUENCE), ("n", COUNT)]), budget=0)
    assert [i.kind for i in engine.inputs] == ["sequence", "tensor"] and engine.inputs[0].shape is None
    x = np.float32([5, 6])
    for given in ([], [np.zeros((2, 3), np.float32), np.float32(7)], (np.arange(24, dtype=np.float32).reshape(4, 6)[::2].T,)):
        sequence, n = engine(given, x)
        assert n == len(given) + 1 and isinstance(sequence, list)
        for got, want in zip(sequence, [*given, x]):
            assert got.shape == np.shape(want) and np.array_equal(got, want)
    with pytest.raises(TypeError, match="input 's' is float32"):
        engine([np.zeros(2)], x)
    session = package.InferenceSession(typed(nodes, [("s", SEQUENCE), ("x", TENSOR)], [("t", SEQUENCE), ("n", COUNT)]).SerializeToString())
    assert session.get_inputs()[0].type == "seq(tensor(float))"


def test_optionals(package):
    optional = helper.make_optional_type_proto(TENSOR)
    engine = package.build(typed([helper.make_node("OptionalHasElement", ["o"], ["y"]), helper.make_node("Identity", ["o"], ["p"])],
                                 [("o", optional)], [("y", FLAG), ("p", optional)]), budget=0)
    x = np.float32([[1, 2]])
    has, same = engine.run({"o": x}).values()
    assert has and np.array_equal(same, x)
    for feeds in ({"o": None}, {}):
        has, nothing = engine.run(feeds).values()
        assert not has and nothing is None
