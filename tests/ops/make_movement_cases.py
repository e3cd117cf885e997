"""Prints movement_cases.txt: small cases of the operators that move, resize, cast or quantise elements and of the recurrent ones, with ONNX
Runtime's results. Run by hand when cases change."""
import numpy as np
from onnx_cases import case, const, f, head, i

head("make_movement_cases.py")
far = np.iinfo(np.int64)
case("Identity", [i(2, 3, dtype=np.int8)])
case("Reshape", [f(2, 3, 4), const([0, -1, 2])])
case("Reshape", [f(0, 3), const([3, 0])], name="Reshape allowzero", allowzero=1)
case("Flatten", [f(2, 3, 2)], axis=-1)
case("Flatten", [f(2, 3)], name="Flatten 0", axis=0)
case("Squeeze", [f(1, 3, 1), const([-1])])
case("Squeeze", [f(1, 3, 1)], name="Squeeze all")
case("Unsqueeze", [f(2, 3), const([-1, 0])])
case("Transpose", [f(2, 3, 4)], perm=[2, 0, 1])
case("Transpose", [i(3, 5, dtype=np.uint8, low=0)], name="Transpose reversed")
case("Transpose", [f(2, 2, 3, 3)], name="Transpose NHWC", perm=[0, 2, 3, 1])
case("Transpose", [f(40, 37).astype(np.float64)], name="Transpose beyond a tile")
case("Concat", [f(2, 1, 2), f(2, 2, 2), f(2, 0, 2)], axis=1)
case("Concat", [i(2), i(3)], name="Concat int64", axis=-1)
case("Split", [f(2, 5), const([1, 4])], outputs=2, axis=1)
case("Split", [f(7)], outputs=3, name="Split in equal parts", num_outputs=3)
case("Slice", [f(3, 4), const([-1, 1]), const([far.min, far.max]), const([0, 1]), const([-2, 2])])
case("Slice", [f(3, 4), const([1]), const([-1])], name="Slice, first axis")
case("Slice", [f(4), const([7]), const([9])], name="Slice past the end")
case("Slice", [f(2, 3, 4), const([3]), const([-5]), const([-1]), const([-1])], name="Slice backwards")
for mode in "constant reflect edge wrap".split():
    case("Pad", [f(2, 3), const([1, 1, 0, 2]), np.array(0.5, np.float32)], name="Pad " + mode, mode=mode)
case("Pad", [f(2, 3), const([-1, 1]), None, const([-1])], name="Pad crops, axes")
case("Pad", [i(3), const([2, 2])], name="Pad reflect int64", mode="reflect")
case("Expand", [f(2, 1), const([2, 1, 3])])
case("Tile", [f(2, 2), const([2, 3])])
case("Gather", [f(3, 4), const([[0, -1], [2, 1]])], axis=1)
case("Gather", [f(3, 4), np.array(-1, np.int32)], name="Gather scalar")
case("GatherElements", [f(3, 3), const([[0, -1, 2], [1, 1, 0]])], axis=1)
case("GatherElements", [f(3, 2), const([[2, 0]])], name="GatherElements axis 0")
case("GatherND", [f(2, 2, 3), const([[0, 1], [1, -1]])])
case("GatherND", [f(2, 2, 3), const([[1], [0]])], name="GatherND batches", batch_dims=1)
case("ScatterElements", [f(3, 3), const([[0, -1, 1], [2, 0, 1]]), f(2, 3)], axis=0)
for reduction in "add mul max min".split():
    case("ScatterElements", [f(2, 4), const([[1, 1, 0], [3, 3, 3]]), f(2, 3)], name="ScatterElements " + reduction, axis=1, reduction=reduction)
    case("ScatterND", [i(5, dtype=np.int64), const([[1], [1], [4]]), i(3)], name="ScatterND " + reduction, reduction=reduction)
case("ScatterND", [f(3, 2, 2), const([[2], [0]]), f(2, 2, 2)])
case("Shape", [f(2, 3, 4)], start=-2, end=9)
case("Size", [f(2, 3, 4)])
case("Range", [np.array(10, np.int64), np.array(3, np.int64), np.array(-2, np.int64)])
case("Range", [np.array(0.5, np.float32), np.array(3, np.float32), np.array(0.75, np.float32)], name="Range float")
case("NonZero", [np.array([[1, 0, 2], [0, 0, 3]], np.int64)])
case("NonZero", [np.array([0, 0], np.float32)], name="NonZero of none")
case("OneHot", [const([0, -1, 5]), const([3]), np.array([2, 7], np.float32)], axis=0)
case("Trilu", [f(2, 3, 4), np.array(-1, np.int64)], upper=1)
case("Trilu", [f(3, 4), np.array(1, np.int64)], name="Trilu lower", upper=0)
for mode in "DCR CRD".split():
    case("DepthToSpace", [f(1, 8, 2, 3)], name="DepthToSpace " + mode, blocksize=2, mode=mode)
case("SpaceToDepth", [f(1, 2, 4, 6)], blocksize=2)

x = f(1, 2, 4, 5)
for how in "half_pixel asymmetric align_corners pytorch_half_pixel half_pixel_symmetric".split():
    for mode in "nearest linear cubic".split():
        case("Resize", [x, None, None, const([1, 2, 7, 3])], name=f"Resize {mode} {how}", mode=mode, coordinate_transformation_mode=how)
for how in "round_prefer_floor round_prefer_ceil floor ceil".split():
    case("Resize", [x, None, np.array([1, 1, 1.5, 0.7], np.float32)], name="Resize nearest " + how, mode="nearest", nearest_mode=how)
case("Resize", [x, None, np.array([1, 1, 0.6, 2.5], np.float32)], name="Resize linear by scales", mode="linear")
case("Resize", [x, None, None, const([1, 2, 2, 3])], name="Resize linear antialias", mode="linear", antialias=1)
case("Resize", [x, None, None, const([1, 2, 2, 9])], name="Resize cubic antialias", mode="cubic", antialias=1, cubic_coeff_a=-0.5)
case("Resize", [x, None, None, const([1, 2, 6, 8])], name="Resize cubic exclude_outside", mode="cubic", exclude_outside=1)
case("Resize", [x, None, None, const([6, 9])], name="Resize axes, not_larger", mode="linear", axes=[3, 2], keep_aspect_ratio_policy="not_larger")
case("Resize", [x, np.array([-0.2, 0.1, 1.1, 0.8], np.float32), None, const([3, 4])], name="Resize tf_crop_and_resize", mode="linear", axes=[2, 3],
     coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=9.5)
case("Resize", [i(1, 1, 2, 3, dtype=np.uint8, low=0, high=255), None, None, const([1, 1, 3, 5])], name="Resize nearest uint8", mode="nearest")
case("Resize", [f(1, 1, 2, 3, 2), None, None, const([1, 1, 3, 5, 4])], name="Resize trilinear", mode="linear")

boxes = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [1, -0.1, 0, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1], [0, 100, 1, 101]]], np.float32)
scores = np.array([[[0.9, 0.75, 0.6, 0.95, 0.5, 0.3], [0.1, 0.5, 0.5, 0.5, 0.2, 0.95]]], np.float32)
case("NonMaxSuppression", [boxes, scores, const([3]), np.array([0.5], np.float32), np.array([0.25], np.float32)])
case("NonMaxSuppression", [np.abs(boxes) + 0.1, scores, const([2]), np.array([0.3], np.float32)], name="NonMaxSuppression centres", center_point_box=1)

kinds = {np.float32: 1, np.uint8: 2, np.int8: 3, np.int16: 5, np.int32: 6, np.int64: 7, np.bool_: 9, np.float16: 10, np.float64: 11, np.uint32: 12}
for source in kinds:
    for to in kinds.values():
        values = np.array([0, 1, -1, 100, -100, 0.5], np.float64) if np.dtype(source).kind == "f" else np.array([0, 1, 2, 100])
        if kinds[source] != to:
            if np.dtype(source).kind == "f" and to in (2, 12):
                values = np.abs(values)
            case("Cast", [values.astype(source)], name=f"Cast {np.dtype(source).name} to {to}", to=to)
case("Cast", [np.array([300, -200, 65537], np.int32)], name="Cast drops high bits", to=3)

q = f(2, 3, 4, low=-4, high=4)
scale = np.array([0.02, 0.5, 0.03125], np.float32)
case("QuantizeLinear", [q, np.array(0.02, np.float32), np.array(128, np.uint8)])
case("QuantizeLinear", [q, scale, np.array([0, -3, 5], np.int8)], name="QuantizeLinear axis", axis=1)
case("QuantizeLinear", [q, np.array(0.0001, np.float32), np.array(-9, np.int16)], name="QuantizeLinear int16")
case("QuantizeLinear", [np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32), np.array(1, np.float32)], name="QuantizeLinear half to even")
case("QuantizeLinear", [f(3, 5), f(3, 2, low=0.1, high=0.5), i(3, 2, dtype=np.int8)], name="QuantizeLinear blocks", axis=1, block_size=3)
case("DequantizeLinear", [i(2, 3, 4, dtype=np.uint8, low=0, high=255), np.array(0.02, np.float32), np.array(128, np.uint8)])
case("DequantizeLinear", [i(2, 3, dtype=np.int8), scale, np.array([0, -3, 5], np.int8)], name="DequantizeLinear last axis", axis=-1)
case("DequantizeLinear", [i(3, 2, dtype=np.int32), scale], name="DequantizeLinear int32", axis=0)
case("DequantizeLinear", [i(4, 2, dtype=np.int8), f(2, 2, low=0.1)], name="DequantizeLinear blocks", axis=0, block_size=2)

for op, gates, extra in (("RNN", 1, {}), ("GRU", 3, {}), ("GRU", 3, {"linear_before_reset": 1}), ("LSTM", 4, {}), ("LSTM", 4, {"input_forget": 1})):
    for direction, d in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
        h, n, steps, width = 3, 2, 4, 5
        w = [f(steps, n, width), f(d, gates * h, width), f(d, gates * h, h), f(d, 2 * gates * h), np.array([4, 2], np.int32), f(d, n, h)]
        if op == "LSTM":
            w += [f(d, n, h), f(d, 3 * h)]
        case(op, w, outputs=3 if op == "LSTM" else 2, name=f"{op} {direction} {extra}", hidden_size=h, direction=direction, **extra)
case("GRU", [f(2, 1, 3), f(1, 6, 3), f(1, 6, 2)], outputs=2, name="GRU clip, activations", hidden_size=2, clip=0.5,
     activations=["HardSigmoid", "LeakyRelu"], activation_alpha=[0.3, 0.1], activation_beta=[0.4])
case("LSTM", [f(2, 1, 3), f(1, 8, 3), f(1, 8, 2)], outputs=3, name="LSTM clip", hidden_size=2, clip=0.5)
case("Slice", [f(0, 2), const([-1]), const([far.min]), const([0]), const([-1])], name="Slice nothing backwards")
case("Slice", [f(3), const([-9]), const([-9]), const([0]), const([-1])], name="Slice backwards from before the first")
case("ConstantOfShape", [const([0, 2])], name="ConstantOfShape of nothing")
