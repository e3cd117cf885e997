"""Prints vision_cases.txt: small cases of operators of vision and selection and of losses, with ONNX Runtime's results. Run by hand when cases
change."""
import numpy as np
from onnx_cases import case, const, f, head

head("make_vision_cases.py")
grid = f(1, 3, 2, 2, low=-1.4, high=1.4)
for mode in "bilinear nearest bicubic".split():
    for padding in "zeros border reflection".split():
        for align in (0, 1):
            case("GridSample", [f(1, 2, 4, 5), grid], opset=16, name=f"GridSample {mode} {padding} {align}", mode=mode, padding_mode=padding,
                 align_corners=align)
grid = f(1, 2, 2, 2, 3, low=-1.4, high=1.4)
for mode in "linear nearest".split():
    for padding in "zeros border reflection".split():
        case("GridSample", [f(1, 2, 3, 4, 3), grid], name=f"GridSample volume {mode} {padding}", mode=mode, padding_mode=padding)
case("AffineGrid", [f(2, 2, 3), const([2, 3, 4, 5])])
case("AffineGrid", [f(1, 3, 4), const([1, 1, 2, 3, 2])], name="AffineGrid volume, corners", align_corners=1)
case("DeformConv", [f(1, 2, 5, 5), f(3, 2, 3, 3), f(1, 18, 3, 3), f(3), f(1, 9, 3, 3)], opset=22)
case("DeformConv", [f(2, 4, 5, 4), f(4, 2, 2, 2), f(2, 16, 3, 4)], opset=22, name="DeformConv groups", group=2, offset_group=2, strides=[2, 1],
     pads=[1, 0, 0, 1])
boxes = np.array([[0, 0, 5, 4], [1.5, 1, 9, 8], [-3, 2, 4, 2.5]], np.float32)
size = {"output_height": 2, "output_width": 3}
case("RoiAlign", [f(2, 2, 6, 7), boxes, const([0, 1, 1])], opset=16, **size)
case("RoiAlign", [f(2, 2, 6, 7), boxes, const([0, 1, 1])], opset=16, name="RoiAlign max", mode="max", sampling_ratio=2, **size)
case("RoiAlign", [f(2, 2, 6, 7), boxes, const([0, 1, 1])], opset=16, name="RoiAlign output_half_pixel",
     coordinate_transformation_mode="output_half_pixel", spatial_scale=0.5, **size)
case("MaxRoiPool", [f(2, 2, 6, 7), np.array([[0, 0, 0, 5, 4], [1, 1, 1, 4, 3], [1, 2, 3, 9, 8]], np.float32)], pooled_shape=[2, 3])
case("MaxUnpool", [f(1, 2, 2, 2), const([[[[5, 7], [13, 15]], [[21, 23], [24, 31]]]])], kernel_shape=[2, 2], strides=[2, 2])
case("Col2Im", [f(1, 8, 4), const([3, 3]), const([2, 2])])
case("Col2Im", [f(1, 4, 12), const([5, 4]), const([2, 2])], name="Col2Im strides, pads", strides=[2, 1], pads=[0, 1, 1, 0])
case("LpPool", [f(1, 2, 5, 5)], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], p=3)
case("LpPool", [f(1, 1, 7)], name="LpPool dilations", opset=18, kernel_shape=[2], dilations=[2], ceil_mode=1, strides=[2])
case("GlobalLpPool", [f(1, 2, 5, 5)], p=3)
case("CenterCropPad", [f(3, 4, 5), const([6, 3])], axes=[-1, 0])
case("ReverseSequence", [f(4, 3, 2), const([1, 4, 0])])
case("ReverseSequence", [f(3, 4, 2), const([1, 4, 0])], name="ReverseSequence batches first", batch_axis=0, time_axis=1)
case("EyeLike", [f(3, 4)], k=-1, dtype=7)
case("Det", [f(2, 3, 3)])
case("Compress", [f(3, 4), np.array([True, False, True])], axis=0)
case("Compress", [f(3, 4), np.array([True, False, True, True, False, False, True])], name="Compress elements")
case("Unique", [np.array([2, 1, 1, 3, 4, 3.0])], outputs=4)
case("Unique", [const([2, 1, 1, 3, 4, 3])], outputs=4, name="Unique as met", sorted=0)
case("Unique", [np.array([[1, 0, 0], [2, 3, 4], [1, 0, 0]], np.float32)], outputs=4, name="Unique rows", axis=0)
case("Unique", [np.array([[2, 1, 2], [0, 1, 0]], np.int8)], outputs=4, name="Unique columns as met", axis=-1, sorted=0)
case("CumProd", [f(2, 3), const(1)], opset=26)
case("CumProd", [const([2, -3, 4]), const(0)], opset=26, name="CumProd int64, reverse", exclusive=1, reverse=1)
case("NegativeLogLikelihoodLoss", [f(2, 3, 2), const([[2, 1], [0, 2]]), f(3, low=0.1)])
case("NegativeLogLikelihoodLoss", [f(2, 3, 2), const([[2, 1], [0, 2]])], name="NegativeLogLikelihoodLoss none", reduction="none", ignore_index=1)
case("Dropout", [f(3, 2), np.array(0.0, np.float32), np.array(True)], name="Dropout of nothing", outputs=2)
