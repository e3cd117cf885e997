"""The ONNX importer's conversions: models of each operator's older and newer forms, made with the onnx package, run with the reference
kernels and compared with ONNX Runtime, or, where it has no kernel for an opset, with numbers worked out here."""
import pathlib
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
ort = pytest.importorskip("onnxruntime", reason="no onnxruntime here")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reference_engine  # noqa: E402

rng = np.random.default_rng(7)


@pytest.fixture(scope="module")
def ingot_library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


def f(*shape):
    return rng.uniform(-2, 2, shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def model(nodes, inputs, outputs, constants=None, opset=21, functions=(), dynamic=True, extra_opsets=(), ir_version=None):
    """inputs and constants: arrays by name. With `dynamic`, the inputs' first dims are symbols."""
    kind = helper.np_dtype_to_tensor_dtype
    infos = []
    for name, a in inputs.items():
        shape = [("N" if dynamic and i == 0 else d) for i, d in enumerate(a.shape)]
        infos.append(helper.make_tensor_value_info(name, kind(a.dtype), shape))
    results = [helper.make_empty_tensor_value_info(o) for o in outputs]
    initializers = [numpy_helper.from_array(a, n) for n, a in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", infos, results, initializers)
    opsets = [helper.make_opsetid("", opset), *extra_opsets]
    m = helper.make_model(graph, opset_imports=opsets, functions=functions)
    m.ir_version = ir_version or (3 if opset < 9 else 8 if opset < 23 else 11)
    if m.ir_version < 4:
        for name, a in (constants or {}).items():
            m.graph.input.append(helper.make_tensor_value_info(name, kind(a.dtype), a.shape))
    return m


def with_types(m):
    """ONNX Runtime wants its outputs to have types."""
    copy = onnx.ModelProto()
    copy.CopyFrom(m)
    try:
        inferred = onnx.shape_inference.infer_shapes(copy)
    except Exception:
        return copy
    return inferred if all(o.type.HasField("tensor_type") for o in inferred.graph.output) else copy


def runtime(m, inputs):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(with_types(m).SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))


def check(library, m, inputs, expected=None, rtol=1e-5, atol=1e-5):
    found = library.run(m, inputs)
    expected = runtime(m, inputs) if expected is None else expected
    assert set(found) == set(expected)
    for name, want in expected.items():
        assert found[name].dtype == want.dtype, name
        assert found[name].shape == want.shape, name
        np.testing.assert_allclose(found[name].astype(np.float64), want.astype(np.float64), rtol=rtol, atol=atol, err_msg=name)


x34, x234, image = f(3, 4), f(2, 3, 4), f(2, 4, 6, 6)

# name, operator, opset, inputs in order (an array is an input, a tuple of one a constant, None is left out), attributes, outputs
CASES = [
    ("softmax_1", "Softmax", 7, [x234], {}, 1),
    ("softmax_1_axis", "Softmax", 11, [image], {"axis": 2}, 1),
    ("softmax_1_axis_0", "Softmax", 11, [x234], {"axis": 0}, 1),
    ("softmax_1_last", "Softmax", 11, [x234], {"axis": 2}, 1),
    ("softmax_1_minus_1", "Softmax", 11, [x234], {"axis": -1}, 1),
    ("softmax_1_minus_2", "Softmax", 11, [x234], {"axis": -2}, 1),
    ("softmax_13", "Softmax", 13, [x234], {"axis": 1}, 1),
    ("logsoftmax_1", "LogSoftmax", 9, [x234], {}, 1),
    ("logsoftmax_13", "LogSoftmax", 13, [x234], {}, 1),
    ("hardmax_1", "Hardmax", 9, [x234], {}, 1),
    ("hardmax_11", "Hardmax", 11, [x234], {"axis": 2}, 1),
    ("hardmax_13", "Hardmax", 13, [x234], {"axis": 1}, 1),
    ("hardmax_13_last", "Hardmax", 13, [x234], {}, 1),
    ("reshape_5", "Reshape", 7, [x234, (ints(0, -1),)], {}, 1),
    ("squeeze_1", "Squeeze", 9, [f(2, 1, 3, 1)], {"axes": [1, 3]}, 1),
    ("squeeze_11_none", "Squeeze", 11, [f(2, 1, 3, 1)], {}, 1),
    ("squeeze_13", "Squeeze", 13, [f(2, 1, 3, 1), (ints(-1),)], {}, 1),
    ("unsqueeze_1", "Unsqueeze", 9, [x34], {"axes": [0, 3]}, 1),
    ("unsqueeze_13", "Unsqueeze", 13, [x34, (ints(1),)], {}, 1),
    ("slice_1", "Slice", 9, [x234], {"starts": [1, -2], "ends": [9, 4], "axes": [1, 2]}, 1),
    ("slice_1_no_axes", "Slice", 9, [x234], {"starts": [0, 1], "ends": [1, 3]}, 1),
    ("slice_10", "Slice", 10, [x234, (ints(3),), (ints(0),), (ints(2),), (ints(-2),)], {}, 1),
    ("split_2", "Split", 9, [x234], {"axis": 2, "split": [1, 3]}, 2),
    ("split_2_even", "Split", 9, [x234], {"axis": 2}, 2),
    ("split_13", "Split", 13, [x234, (ints(1, 2),)], {"axis": 1}, 2),
    ("split_13_even", "Split", 13, [x234], {"axis": 2}, 4),
    ("split_18_uneven", "Split", 18, [x234], {"axis": 1, "num_outputs": 2}, 2),
    ("pad_2", "Pad", 9, [image], {"pads": [0, 0, 1, 2, 0, 0, 3, 4], "value": 1.5}, 1),
    ("pad_2_reflect", "Pad", 9, [image], {"pads": [0, 0, 1, 2, 0, 0, 3, 4], "mode": "reflect"}, 1),
    ("pad_11", "Pad", 11, [image, (ints(0, 0, 1, -1, 0, 0, 2, 0),), (np.float32(3),)], {"mode": "constant"}, 1),
    ("pad_18_axes", "Pad", 18, [x34, (ints(1, 2),), None, (ints(1),)], {"mode": "edge"}, 1),
    ("clip_6", "Clip", 9, [x234], {"min": -0.5, "max": 1.0}, 1),
    ("clip_6_min", "Clip", 9, [x234], {"min": -0.5}, 1),
    ("clip_6_max", "Clip", 9, [x234], {"max": 0.5}, 1),
    ("clip_11", "Clip", 11, [x234, (np.float32(-1),), (np.float32(1),)], {}, 1),
    ("clip_13_max", "Clip", 13, [x234, None, (np.float32(1),)], {}, 1),
    ("topk_1", "TopK", 9, [x34], {"k": 2}, 2),
    ("topk_10", "TopK", 10, [x34, (ints(2),)], {"axis": 1}, 2),
    ("topk_11_smallest", "TopK", 11, [x34, (ints(3),)], {"largest": 0, "axis": 0}, 2),
    ("scatter_9", "Scatter", 9, [x34, (np.array([[1, 0], [2, 1]], np.int64),), (f(2, 2),)], {"axis": 0}, 1),
    ("max_one", "Max", 9, [x34], {}, 1),
    ("max_four", "Max", 9, [x34, f(4), f(3, 1), f(3, 4)], {}, 1),
    ("min_two", "Min", 13, [x34, f(4)], {}, 1),
    ("sum_three", "Sum", 9, [x34, f(4), f(1, 4)], {}, 1),
    ("mean_one", "Mean", 9, [x34], {}, 1),
    ("mean_three", "Mean", 13, [x34, f(4), f(3, 1)], {}, 1),
    ("gemm_7", "Gemm", 7, [x34, f(4, 5), f(5)], {"alpha": 0.5, "beta": 2.0}, 1),
    ("gemm_11_two", "Gemm", 11, [x34, f(5, 4)], {"transB": 1}, 1),
    ("dropout_7", "Dropout", 7, [x34], {"ratio": 0.5}, 1),
    ("dropout_10", "Dropout", 10, [x34], {"ratio": 0.5}, 1),
    ("dropout_12", "Dropout", 12, [x34, (np.float32(0.5),), (np.bool_(False),)], {}, 2),
    ("batch_norm_7", "BatchNormalization", 7, [image, (f(4),), (f(4),), (f(4),), (np.abs(f(4)) + 1,)], {"epsilon": 1e-3, "momentum": 0.5}, 1),
    ("batch_norm_9", "BatchNormalization", 9, [image, (f(4),), (f(4),), (f(4),), (np.abs(f(4)) + 1,)], {}, 1),
    ("batch_norm_15", "BatchNormalization", 15, [image, (f(4),), (f(4),), (f(4),), (np.abs(f(4)) + 1,)], {"training_mode": 0}, 1),
    ("upsample_7", "Upsample", 7, [image], {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "nearest"}, 1),
    ("upsample_9", "Upsample", 9, [image, (np.array([1, 1, 2, 2.5], np.float32),)], {"mode": "nearest"}, 1),
    ("upsample_9_linear", "Upsample", 9, [image, (np.array([1, 1, 2, 3], np.float32),)], {"mode": "linear"}, 1),
    ("resize_10", "Resize", 10, [image, (np.array([1, 1, 1.5, 3], np.float32),)], {}, 1),
    ("resize_10_linear", "Resize", 10, [image, (np.array([1, 1, 2, 2], np.float32),)], {"mode": "linear"}, 1),
    ("resize_11_scales", "Resize", 11, [image, (np.array([], np.float32),), (np.array([1, 1, 2, 2], np.float32),)],
     {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, 1),
    ("resize_11_sizes", "Resize", 11, [image, (np.array([], np.float32),), (np.array([], np.float32),), (ints(2, 4, 9, 5),)],
     {"mode": "nearest", "nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}, 1),
    ("resize_13_cubic", "Resize", 13, [image, None, (np.array([1, 1, 2, 2], np.float32),)], {"mode": "cubic"}, 1),
    ("resize_18_axes", "Resize", 18, [image, None, None, (ints(8, 9),)], {"mode": "linear", "axes": [2, 3]}, 1),
    ("cast_6", "Cast", 7, [x34], {"to": TensorProto.INT32}, 1),
    ("constant_of_shape", "ConstantOfShape", 9, [(ints(2, 3),)], {"value": numpy_helper.from_array(np.array([7], np.int32))}, 1),
    ("constant_of_shape_default", "ConstantOfShape", 9, [(ints(2, 3),)], {}, 1),
    ("group_norm_18", "GroupNormalization", 18, [image, (f(2),), (f(2),)], {"num_groups": 2}, 1),
    ("group_norm_21", "GroupNormalization", 21, [image, (f(4),), (f(4),)], {"num_groups": 2}, 1),
    ("mean_variance", "MeanVarianceNormalization", 13, [image], {}, 1),
    ("mean_variance_axes", "MeanVarianceNormalization", 13, [image], {"axes": [1]}, 1),
    ("hard_swish", "HardSwish", 14, [x234], {}, 1),
    ("mish", "Mish", 18, [x234], {}, 1),
    ("gelu", "Gelu", 20, [x234], {}, 1),
    ("gelu_tanh", "Gelu", 20, [x234], {"approximate": "tanh"}, 1),
    ("layer_norm", "LayerNormalization", 17, [x234, (f(4),), (f(4),)], {}, 1),
    ("flatten", "Flatten", 9, [x234], {"axis": 2}, 1),
    ("expand", "Expand", 8, [f(3, 1), (ints(2, 3, 4),)], {}, 1),
    ("one_hot", "OneHot", 9, [np.array([1, 0, 2], np.int64), (np.int64(3),), (np.array([2, 5], np.float32),)], {"axis": 0}, 1),
    ("pow_7", "Pow", 7, [np.abs(x34) + 1, f(4)], {}, 1),
    ("prelu_7", "PRelu", 7, [image, (f(4, 1, 1),)], {}, 1),
    ("max_pool_8_indices", "MaxPool", 8, [image], {"kernel_shape": [2, 2], "strides": [2, 2]}, 2),
    ("average_pool_7", "AveragePool", 7, [image], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 1),
    ("conv_same", "Conv", 7, [image, (f(3, 4, 3, 3),)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 1),
    ("conv_transpose", "ConvTranspose", 7, [image, (f(4, 3, 3, 3),), (f(3),)], {"strides": [2, 2], "output_padding": [1, 1]}, 1),
    ("lstm_7", "LSTM", 7, [f(5, 2, 3), (f(1, 16, 3),), (f(1, 16, 4),), (f(1, 32),)], {"hidden_size": 4}, 3),
    ("gru_7", "GRU", 7, [f(5, 2, 3), (f(1, 12, 3),), (f(1, 12, 4),)], {"hidden_size": 4, "linear_before_reset": 1}, 2),
    ("rnn_14", "RNN", 14, [f(5, 2, 3), (f(2, 4, 3),), (f(2, 4, 4),)], {"hidden_size": 4, "direction": "bidirectional"}, 2),
    ("dynamic_quantize", "DynamicQuantizeLinear", 11, [x34], {}, 3),
    ("matmul_integer", "MatMulInteger", 10, [rng.integers(0, 256, (3, 5)).astype(np.uint8), rng.integers(-128, 128, (5, 4)).astype(np.int8),
                                             (np.uint8(120),), (np.int8(3),)], {}, 1),
    ("conv_integer", "ConvInteger", 10, [rng.integers(0, 256, (1, 2, 5, 5)).astype(np.uint8), rng.integers(0, 256, (3, 2, 3, 3)).astype(np.uint8),
                                         (np.uint8(100),)], {"pads": [1, 1, 1, 1]}, 1),
    ("qlinear_conv", "QLinearConv", 10, [rng.integers(0, 256, (1, 2, 5, 5)).astype(np.uint8), (np.float32(0.02),), (np.uint8(128),),
                                         (rng.integers(-127, 128, (3, 2, 3, 3)).astype(np.int8),), (np.array([0.01, 0.02, 0.03], np.float32),),
                                         (np.zeros(3, np.int8),), (np.float32(0.05),), (np.uint8(120),),
                                         (rng.integers(-500, 500, 3).astype(np.int32),)], {"pads": [1, 1, 1, 1]}, 1),
    ("qlinear_matmul", "QLinearMatMul", 10, [rng.integers(0, 256, (3, 5)).astype(np.uint8), (np.float32(0.02),), (np.uint8(128),),
                                             rng.integers(0, 256, (5, 4)).astype(np.uint8), (np.float32(0.01),), (np.uint8(120),),
                                             (np.float32(0.03),), (np.uint8(100),)], {}, 1),
]
for reduction in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"):
    data = np.abs(x234) + 0.5
    CASES.append((f"reduce_{reduction}_11", f"Reduce{reduction}", 11, [data], {"axes": [0, -1], "keepdims": 0}, 1))
    CASES.append((f"reduce_{reduction}_11_all", f"Reduce{reduction}", 11, [data], {}, 1))
    CASES.append((f"reduce_{reduction}_18", f"Reduce{reduction}", 18, [data, (ints(1),)], {"keepdims": 1}, 1))


def build_case(case):
    _, op, opset, slots, attributes, n_out = case
    inputs, constants, names = {}, {}, []
    for i, slot in enumerate(slots):
        name = "" if slot is None else f"{'c' if isinstance(slot, tuple) else 'x'}{i}"
        names.append(name)
        if isinstance(slot, tuple):
            constants[name] = np.asarray(slot[0])
        elif slot is not None:
            inputs[name] = slot
    outputs = [f"y{i}" for i in range(n_out)]
    return model([helper.make_node(op, names, outputs, "the_node", **attributes)], inputs, outputs, constants, opset, dynamic=False), inputs


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_conversion(ingot_library, case):
    m, inputs = build_case(case)
    loose = {"qlinear_conv": 1, "qlinear_matmul": 1, "dynamic_quantize": 1e-4}.get(case[0], 1e-5)  # a step, where rounding decides
    check(ingot_library, m, inputs, atol=loose)


# ---- Opsets that ONNX Runtime has no kernels for


def test_reshape_1(ingot_library):
    m = model([helper.make_node("Reshape", ["x"], ["y"], shape=[4, -1])], {"x": x34}, ["y"], opset=1, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34.reshape(4, 3)})


@pytest.mark.parametrize("axis, shape", [(None, (6, 6)), (1, (4,)), (0, (2, 4)), (-3, (4,)), (2, (6, 6))])
def test_broadcast_axis(ingot_library, axis, shape):
    b = f(*shape)
    attributes = {} if axis is None else {"axis": axis}
    node = helper.make_node("Add", ["x", "b"], ["y"], broadcast=1, **attributes)
    at = 2 if axis is None else axis % 4
    wide = b.reshape(b.shape + (1,) * (4 - at - b.ndim))
    check(ingot_library, model([node], {"x": image}, ["y"], {"b": b}, opset=6, dynamic=False), {"x": image}, {"y": image + wide})


def test_prelu_6(ingot_library):
    slope = f(4)
    m = model([helper.make_node("PRelu", ["x", "s"], ["y"])], {"x": image}, ["y"], {"s": slope}, opset=6, dynamic=False)
    check(ingot_library, m, {"x": image}, {"y": np.where(image < 0, image * slope[:, None, None], image)})


def test_cast_1(ingot_library):
    m = model([helper.make_node("Cast", ["x"], ["y"], to="INT64")], {"x": x34}, ["y"], opset=5, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34.astype(np.int64)})


def test_concat_1_consumed_inputs(ingot_library):
    nodes = [helper.make_node("Concat", ["x", "x"], ["a"]), helper.make_node("Relu", ["a"], ["y"], consumed_inputs=[0])]
    m = model(nodes, {"x": x34}, ["y"], opset=1, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": np.maximum(np.concatenate([x34, x34], 1), 0)})


@pytest.mark.parametrize("opset, dtype", [(7, np.float32), (10, np.bool_)])
def test_dropout_mask(ingot_library, opset, dtype):
    m = model([helper.make_node("Dropout", ["x"], ["y", "mask"])], {"x": x34}, ["y", "mask"], opset=opset, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34, "mask": np.ones((3, 4), dtype)})


def test_swish(ingot_library):
    for alpha in (1.0, 0.5):
        m = model([helper.make_node("Swish", ["x"], ["y"], alpha=alpha)], {"x": x34}, ["y"], opset=24, dynamic=False)
        check(ingot_library, m, {"x": x34}, {"y": (x34 / (1 + np.exp(-alpha * x34.astype(np.float64)))).astype(np.float32)})


# ---- Constants, functions, subgraphs, com.microsoft

CONSTANTS = {
    "value": numpy_helper.from_array(x34),
    "value_int": 3,
    "value_ints": [1, 2, 3],
    "value_float": 0.5,
    "value_floats": [0.5, 1.5],
    "sparse_value": helper.make_sparse_tensor(numpy_helper.from_array(np.array([5, 6], np.float32), "v"),
                                              helper.make_tensor("i", TensorProto.INT64, [2], [1, 3]), [4]),
}


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize("as_output", [False, True])
def test_constant(ingot_library, name, as_output):
    nodes = [helper.make_node("Constant", [], ["k"], **{name: CONSTANTS[name]})]
    nodes.append(helper.make_node("Relu" if name not in ("value_int", "value_ints") else "Abs", ["k"], ["y"]))
    nodes.append(helper.make_node("Relu", ["x"], ["z"]))
    expected = None
    if name == "sparse_value":  # ONNX Runtime can't give one away
        k = np.array([0, 5, 0, 6], np.float32)
        expected = {"y": k, "z": np.maximum(x34, 0), **({"k": k} if as_output else {})}
    check(ingot_library, model(nodes, {"x": x34}, ["y", "z"] + ["k"] * as_output, opset=14, dynamic=False), {"x": x34}, expected)


def test_function_nested(ingot_library):
    inner = helper.make_function("local", "Scale", ["v", "absent"], ["w"],
                                 [helper.make_node("Constant", [], ["k"], name="k"), helper.make_node("Mul", ["v", "k"], ["w"])],
                                 [helper.make_opsetid("", 17)], ["factor"])
    a = inner.node[0].attribute.add()
    a.name, a.ref_attr_name, a.type = "value_float", "factor", onnx.AttributeProto.FLOAT
    outer = helper.make_function("local", "Twice", ["a"], ["b", "c"],
                                 [helper.make_node("Scale", ["a"], ["t"], domain="local", factor=3.0),
                                  helper.make_node("Scale", ["t"], ["b"], domain="local", factor=0.25), helper.make_node("Identity", ["a"], ["c"])],
                                 [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)])
    nodes = [helper.make_node("Twice", ["x"], ["p", "q"], domain="local"), helper.make_node("Twice", ["p"], ["y", ""], domain="local")]
    m = model(nodes, {"x": x34}, ["y", "q"], opset=17, functions=[inner, outer], extra_opsets=[helper.make_opsetid("local", 1)], dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34 * 0.5625, "q": x34})


def branch(name, nodes, outputs):
    return helper.make_graph(nodes, name, [], [helper.make_empty_tensor_value_info(o) for o in outputs])


@pytest.mark.parametrize("flag", [True, False])
def test_if(ingot_library, flag):
    then_graph = branch("t", [helper.make_node("Mul", ["x", "x"], ["tr"])], ["tr"])
    else_graph = branch("e", [helper.make_node("Relu", ["x"], ["er"])], ["er"])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then_graph, else_branch=else_graph)
    inputs = {"x": x34, "c": np.array(flag)}
    check(ingot_library, model([node], inputs, ["y"], opset=16, dynamic=False), inputs, {"y": x34 * x34 if flag else np.maximum(x34, 0)})


def test_loop(ingot_library):
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["s2"]), helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Relu", ["s2"], ["scan"])], "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("s", TensorProto.FLOAT, [3, 4])],
        [info("c2", TensorProto.BOOL, []), info("s2", TensorProto.FLOAT, [3, 4]), info("scan", TensorProto.FLOAT, [3, 4])])
    m = model([helper.make_node("Loop", ["n", "", "x"], ["y", "all"], body=body)], {"x": x34}, ["y", "all"], {"n": np.int64(3)}, opset=16,
              dynamic=False, ir_version=8)
    check(ingot_library, m, {"x": x34})


@pytest.mark.parametrize("activation, parameters", [("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.75]), ("Sigmoid", []), ("", [])])
@pytest.mark.parametrize("residual", [False, True])
def test_fused_conv(ingot_library, activation, parameters, residual):
    attributes = {"activation": activation} if activation else {}
    if parameters:
        attributes["activation_params"] = [float(p) for p in parameters]
    w, b, z = f(4, 4, 3, 3), f(4), f(2, 4, 6, 6)
    names = ["x", "w", "b"] + (["z"] if residual else [])
    node = helper.make_node("FusedConv", names, ["y"], domain="com.microsoft", pads=[1, 1, 1, 1], **attributes)
    m = model([node], {"x": image}, ["y"], {"w": w, "b": b, **({"z": z} if residual else {})}, opset=17,
              extra_opsets=[helper.make_opsetid("com.microsoft", 1)], dynamic=False, ir_version=8)
    conv = model([helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])], {"x": image}, ["y"], {"w": w, "b": b}, 17, dynamic=False)
    y = runtime(conv, {"x": image})["y"] + (z if residual else 0)
    y = {"Relu": lambda: np.maximum(y, 0), "LeakyRelu": lambda: np.where(y < 0, y * np.float32(0.2), y), "Clip": lambda: np.clip(y, -0.5, 0.75),
         "Sigmoid": lambda: 1 / (1 + np.exp(-y)), "": lambda: y}[activation]()
    check(ingot_library, m, {"x": image}, {"y": y.astype(np.float32)})


@pytest.mark.parametrize("op, n", [("Gelu", 1), ("BiasGelu", 2), ("FastGelu", 1), ("FastGelu", 2), ("QuickGelu", 1)])
def test_microsoft_gelu(ingot_library, op, n):
    inputs = {"x": x34, "b": f(4)} if n == 2 else {"x": x34}
    m = model([helper.make_node(op, list(inputs), ["y"], domain="com.microsoft")], inputs, ["y"], opset=17,
              extra_opsets=[helper.make_opsetid("com.microsoft", 1)], dynamic=False)
    m.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 4]))
    check(ingot_library, m, inputs, rtol=1e-4, atol=1e-5)


def test_external_data(ingot_library, tmp_path):
    w = f(4, 300)
    m = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": x34}, ["y"], {"w": w}, opset=13, dynamic=False)
    onnx.save(m, str(tmp_path / "m.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    check(ingot_library, tmp_path / "m.onnx", {"x": x34}, {"y": x34 @ w})


# ---- What ingot doesn't take


def fails(library, m, status, *words):
    with pytest.raises(reference_engine.IngotError) as caught:
        library.layers(m)
    assert caught.value.status == status, caught.value
    for word in words:
        assert word in caught.value.text, caught.value


def test_training(ingot_library):
    constants = {n: np.ones(4, np.float32) for n in "sbmv"}
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y", "a", "c"], "bn", training_mode=1)
    fails(ingot_library, model([node], {"x": image}, ["y"], constants, 15), 5, "bn (BatchNormalization)", "training mode")
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y", "mean", "var", "", ""], "bn")
    nodes = [node, helper.make_node("Relu", ["mean"], ["z"], "r")]
    fails(ingot_library, model(nodes, {"x": image}, ["y", "z"], constants, 9), 6, "r (Relu)", "exists in training only")


def test_unknown_operators_are_listed(ingot_library):
    nodes = [helper.make_node("GridSample", ["x", "x"], [f"a{i}"], f"grid_{i}") for i in range(12)] + [
        helper.make_node("Scan", ["x"], ["b"], "scan", num_scan_inputs=1, body=branch("s", [helper.make_node("Det", ["x"], ["d"], "det")], ["d"])),
        helper.make_node("Relu", ["b"], ["y"])]
    fails(ingot_library, model(nodes, {"x": x34}, ["y"], opset=20), 5,
          "14 nodes use operators that ingot doesn't have: GridSample (node 'grid_0', 'grid_1' and 10 more), Scan (node 'scan'), Det (node 'det')")


def test_every_default_is_onnx_s(ingot_library, root):
    """The rows of ops.def against the newest schemas: an attribute's default that differs would change models in silence."""
    import re

    text = (root / "src" / "ops.def").read_text()
    lists = dict(re.findall(r"#define (A_\w+)\(I, F, S, IS, FS, SS, T, G\)((?:.*\\\n)*.*)", text))
    rows = re.findall(r'INGOT_(?:OP\(\w+, "(\w+)", "", .*|ELEMENTWISE\(\w+, "(\w+)", .*)\b(A_\w+)[,)]', text)
    assert len(rows) > 100
    number = lambda v: float(v.rstrip("f"))
    absent = set()
    for a, b, row in rows:
        op = a or b
        if op == "MatMul":
            continue  # all of its attributes are ours
        body = lists[row]
        for _ in range(3):
            body = re.sub(r"(A_\w+)\(I, F, S, IS, FS, SS, T, G\)", lambda m: lists[m.group(1)], body)
        schema = onnx.defs.get_schema(op)
        for kind, field, default in re.findall(r"\b([IFS])\((\w+), ([^()]*)\)", body):
            if field not in schema.attributes or op == "CastLike" and field == "to":
                continue
            proto = schema.attributes[field].default_value
            if schema.attributes[field].required or not proto.name:
                continue  # checked by the importer, or without a default
            want = helper.get_attribute_value(proto)
            if kind == "S":
                assert default.strip('"') == want.decode(), (op, field)
            elif default != "INGOT__NO_INT":
                assert abs(number(default) - want) <= 1e-6 * abs(want), (op, field, default, want)
        ours = set(re.findall(r"\b(?:[IFSTG]|IS|FS|SS)\((\w+)", body)) 
        absent |= {f"{op}.{name}" for name in set(schema.attributes) - ours}
    # What conversions take, what changes nothing, and what is refused.
    assert absent == {"BatchNormalization.momentum", "BatchNormalization.training_mode", "Cast.round_mode", "CastLike.round_mode",
                      "Range.stash_type"}
