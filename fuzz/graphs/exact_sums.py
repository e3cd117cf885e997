"""Whether ONNX Runtime adds up products of 8 bits exactly on this processor. Without the instructions of VNNI its kernels for unsigned by signed ones
add pairs of products up in 16 bits, where the largest don't fit; sessions with its optimiser can be told not to ("session.x64quantprecision"), those
without can't. Tests that take it for the truth ask here first."""
import functools

# Operators that it computes so.
OF_LEVELS = {"MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}


@functools.cache
def exact():
    """255 times 127, twice."""
    import numpy as np
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph([helper.make_node("MatMulInteger", ["a", "b"], ["y"])], "g", [helper.make_tensor_value_info("a", TensorProto.UINT8, (1, 2))],
                              [helper.make_tensor_value_info("y", TensorProto.INT32, (1, 1))], [numpy_helper.from_array(np.full((2, 1), 127, np.int8), "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return int(session.run(None, {"a": np.full((1, 2), 255, np.uint8)})[0][0, 0]) == 2 * 255 * 127


def right(nodes):
    """Whether its results for these nodes are right here."""
    return exact() or not any(node.op_type in OF_LEVELS for node in nodes)
