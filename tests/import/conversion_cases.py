"""Models of one operator each for onnx_test.py: every form that the importer converts."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)


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


x34, x234, image = f(3, 4), f(2, 3, 4), f(2, 4, 6, 6)

# name, operator, opset, inputs in order (an array is an input, a tuple of one a constant, None is left out), attributes, outputs
CASES = [
    ("einsum_heads", "Einsum", 13, [f(2, 3, 5, 4), f(2, 3, 6, 4)], {"equation": "bhqd,bhkd->bhqk"}, 1),
    ("einsum_heads_inside", "Einsum", 13, [f(2, 5, 3, 4), f(2, 6, 3, 4)], {"equation": "bqhd,bkhd->bhqk"}, 1),
    ("einsum_heads_back", "Einsum", 13, [f(2, 3, 5, 6), f(2, 6, 3, 4)], {"equation": "bhqk, bkhd -> bqhd"}, 1),
    ("einsum_weights", "Einsum", 13, [x234, (f(4, 5),)], {"equation": "bij,jk->bik"}, 1),
    ("einsum_weights_turned", "Einsum", 13, [x234, (f(5, 3),)], {"equation": "bij,ki->kbj"}, 1),
    ("einsum_one_against_many", "Einsum", 13, [f(2, 3, 1), (f(4, 5),)], {"equation": "bij,jk->bik"}, 1),
    ("einsum_outer", "Einsum", 13, [f(3), f(4)], {"equation": "i,j->ij"}, 1),
    ("einsum_implicit", "Einsum", 13, [x34, f(4, 2)], {"equation": "ij,jk"}, 1),
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

q4, kv4, k6, v6 = f(2, 4, 3, 5), f(2, 4, 7, 5), f(2, 2, 6, 5), f(2, 2, 6, 8)
q3, k3, v3 = f(2, 3, 20), f(2, 7, 20), f(2, 7, 24)
bools = np.array([[1, 0, 1, 1, 0, 1, 1]] * 3, bool)
CASES += [
    ("attention", "Attention", 23, [q4, kv4, kv4], {}, 1),
    ("attention_scale", "Attention", 23, [q4, kv4, kv4], {"scale": 0.3}, 1),
    ("attention_mask", "Attention", 23, [q4, kv4, kv4, f(3, 7)], {}, 1),
    ("attention_bools", "Attention", 23, [q4, kv4, kv4, bools], {}, 1),
    ("attention_causal", "Attention", 23, [q4, kv4[:, :, :3], kv4[:, :, :3]], {"is_causal": 1}, 1),
    ("attention_causal_bools", "Attention", 23, [q4, kv4[:, :, :3], kv4[:, :, :3], np.eye(3, dtype=bool) | bools[:, :3]], {"is_causal": 1}, 1),
    ("attention_causal_mask", "Attention", 23, [q4, kv4[:, :, :3], kv4[:, :, :3], f(3, 3)], {"is_causal": 1}, 1),
    ("attention_flat", "Attention", 23, [q3, k3, v3], {"q_num_heads": 4, "kv_num_heads": 4}, 1),
    ("attention_groups", "Attention", 23, [q4, k6, v6], {}, 1),
    ("attention_groups_mask", "Attention", 23, [q4, k6, v6, f(2, 1, 3, 6)], {}, 1),
    ("attention_groups_flat", "Attention", 23, [q3, k3[:, :, :10], v3[:, :, :12]], {"q_num_heads": 4, "kv_num_heads": 2}, 1),
    ("attention_one_key_head", "Attention", 23, [q4, k6[:, :1], v6[:, :1]], {}, 1),
    ("attention_past", "Attention", 23, [q4, kv4[:, :, :3], kv4[:, :, :3], None, kv4, kv4], {}, 3),
]
