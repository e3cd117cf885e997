"""Small networks for the package's tests, as onnx models."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


def model(nodes, inputs, outputs, constants=None, opset=21):
    """inputs and outputs: (name, type, shape) each."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "test", [value(*i) for i in inputs], [value(*o) for o in outputs],
                              [numpy_helper.from_array(a, name) for name, a in (constants or {}).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def elementwise(dtype=TensorProto.FLOAT, shape=("N", 4), op="Add"):
    """y = op(x, x)"""
    return model([helper.make_node(op, ["x", "x"], ["y"])], [("x", dtype, shape)], [("y", dtype, shape)])


def mlp(seed=0):
    """Free batch; a hidden layer of 32; logits and the class."""
    random = np.random.default_rng(seed)
    constants = {"w1": random.standard_normal((8, 32), np.float32), "b1": random.standard_normal(32, np.float32),
                 "w2": random.standard_normal((32, 5), np.float32)}
    nodes = [helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]), helper.make_node("Relu", ["h"], ["r"]),
             helper.make_node("MatMul", ["r", "w2"], ["logits"]), helper.make_node("ArgMax", ["logits"], ["class"], axis=1, keepdims=0)]
    return model(nodes, [("x", TensorProto.FLOAT, ("batch", 8))],
                 [("logits", TensorProto.FLOAT, ("batch", 5)), ("class", TensorProto.INT64, ("batch",))], constants)


def convolutions(seed=0):
    """Free batch, height and width."""
    random = np.random.default_rng(seed)
    constants = {"w1": random.standard_normal((8, 3, 3, 3), np.float32), "w2": random.standard_normal((4, 8, 1, 1), np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w1"], ["h"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["h"], ["r"]),
             helper.make_node("Conv", ["r", "w2"], ["c"]), helper.make_node("GlobalAveragePool", ["c"], ["y"])]
    return model(nodes, [("x", TensorProto.FLOAT, ("N", 3, "H", "W"))], [("y", TensorProto.FLOAT, ("N", 4, 1, 1))], constants)


def nonzero():
    """An output whose size depends on data."""
    return model([helper.make_node("NonZero", ["x"], ["y"])], [("x", TensorProto.FLOAT, ("A", "B"))], [("y", TensorProto.INT64, (2, None))])
