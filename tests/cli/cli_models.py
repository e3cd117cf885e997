"""Small networks for the command's tests, made with the onnx package."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(path, nodes, inputs, outputs, initializers=(), opset=17):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def identity(path, dtype, dims, name="x", result="y"):
    """y = x, of any type and shape."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    node = helper.make_node("Identity", [name], [result])
    return save(path, [node], [helper.make_tensor_value_info(name, kind, dims)], [helper.make_tensor_value_info(result, kind, dims)])


def add(path, dims=("N", 4)):
    """sum = a + b, difference = a - b."""
    f = TensorProto.FLOAT
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])]
    inputs = [helper.make_tensor_value_info(n, f, dims) for n in ("a", "b")]
    outputs = [helper.make_tensor_value_info(n, f, dims) for n in ("sum", "difference")]
    return save(path, nodes, inputs, outputs)


def convolutions(path, seed=0):
    """A classifier of pictures: two convolutions, a pooling, a Gemm; N free."""
    r = np.random.default_rng(seed)
    w = lambda name, *shape: numpy_helper.from_array((r.standard_normal(shape) * 0.2).astype(np.float32), name)
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], "conv_1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu_1"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], "conv_2", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu_2"),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["scores"], "dense", transB=1),
    ]
    f = TensorProto.FLOAT
    return save(
        path,
        nodes,
        [helper.make_tensor_value_info("image", f, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", f, ["N", 10])],
        [w("w1", 16, 3, 3, 3), w("b1", 16), w("w2", 32, 16, 3, 3), w("w3", 10, 32), w("b3", 10)],
    )


def endless(path):
    """y = x, negated as often as int64 can count."""
    f = TensorProto.FLOAT
    body = helper.make_graph(
        [helper.make_node("Neg", ["v"], ["u"]), helper.make_node("Identity", ["c"], ["k"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("c", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v", f, [4])],
        [helper.make_tensor_value_info("k", TensorProto.BOOL, []), helper.make_tensor_value_info("u", f, [4])])
    trips = [numpy_helper.from_array(np.array(np.iinfo(np.int64).max), "trips"), numpy_helper.from_array(np.array(True), "go")]
    return save(path, [helper.make_node("Loop", ["trips", "go", "x"], ["y"], body=body)], [helper.make_tensor_value_info("x", f, [4])],
                [helper.make_tensor_value_info("y", f, [4])], trips)


def outer(path):
    """y = the largest of x's products with x, all of them held at once."""
    f = TensorProto.FLOAT
    nodes = [helper.make_node("Unsqueeze", ["x", "zero"], ["row"]), helper.make_node("Unsqueeze", ["x", "one"], ["column"]),
             helper.make_node("MatMul", ["column", "row"], ["all"]), helper.make_node("ReduceMax", ["all"], ["y"], keepdims=0)]
    axes = [numpy_helper.from_array(np.array([a], np.int64), n) for n, a in (("zero", 0), ("one", 1))]
    return save(path, nodes, [helper.make_tensor_value_info("x", f, ["N"])], [helper.make_tensor_value_info("y", f, [])], axes)
