"""Networks of vision whose operators classifiers lack, small, against PyTorch and ONNX Runtime: segmentation of free sizes, optical flow and
attention by sampling, detectors that select boxes, layers as TensorFlow's exporter writes them."""
import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
onnx = pytest.importorskip("onnx", reason="no onnx package here")
ort = pytest.importorskip("onnxruntime", reason="no ONNX Runtime here")
import ingot_library  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

rng = np.random.default_rng(7)


def f(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def against_runtime(path, feeds, shapes=None, budget=0.2):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    engine = ingot_library.Engine(path, shapes or {n: a.shape for n, a in feeds[0].items()}, budget=budget)
    for feed in [*feeds, feeds[0]]:
        want = session.run(None, feed)
        engine.set(feed)
        engine.run()
        for got, wanted in zip(engine.get(), want):
            assert got.shape == wanted.shape
            assert wanted.size, "an empty output would tell nothing"
            spread = np.ptp(wanted.astype(np.float64))
            assert np.abs(got.astype(np.float64) - wanted).max() <= 1e-3 * spread


def save(path, nodes, inputs, outputs, constants, opset=18):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(n, 1, s) for n, s in inputs.items()],
                              [helper.make_tensor_value_info(n, t, None) for n, t in outputs.items()],
                              [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), str(path))
    return path


def export(torch, model, inputs, names, path, dynamic):
    torch.manual_seed(0)
    torch.onnx.export(model.eval(), inputs, str(path), dynamo=False, opset_version=17, input_names=names, dynamic_axes=dynamic)
    return path


def test_segmentation_of_free_sizes(torch, torchvision, tmp_path):
    class Head(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)

        def forward(self, x):
            return self.net(x)["out"]

    torch.manual_seed(0)
    path = export(torch, Head(), (torch.randn(1, 3, 64, 64),), ["x"], tmp_path / "n.onnx", {"x": {0: "N", 2: "H", 3: "W"}})
    against_runtime(path, [{"x": f(1, 3, 64, 64)}, {"x": f(2, 3, 48, 80)}], {"x": ((1, 3, 32, 32), (1, 3, 64, 64), (2, 3, 128, 128))})


def test_flow_by_sampling(torch, tmp_path):
    """As RAFT: correlations looked up around the flow, which they move, some times over."""
    F = torch.nn.functional

    class Flow(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = torch.nn.Conv2d(3, 16, 7, 4, 3)
            self.update = torch.nn.Conv2d(9 + 2, 2, 3, padding=1)
            self.register_buffer("around", torch.stack(torch.meshgrid(torch.arange(-1.0, 2), torch.arange(-1.0, 2), indexing="ij"), -1))

        def forward(self, a, b):
            a, b = self.features(a), self.features(b)
            n, c, h, w = a.shape
            volume = (a.flatten(2).transpose(1, 2) @ b.flatten(2) / 4).reshape(n * h * w, 1, h, w)
            ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            start = torch.stack((xs, ys)).float()[None].expand(n, -1, -1, -1)
            place = start
            for _ in range(3):
                at = place.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2) + self.around
                grid = at * 2 / torch.tensor([w - 1.0, h - 1.0]) - 1
                seen = F.grid_sample(volume, grid, align_corners=True).reshape(n, h, w, 9).permute(0, 3, 1, 2)
                place = place + self.update(torch.cat((seen, place - start), 1))
            return F.interpolate(place - start, scale_factor=4, mode="bilinear", align_corners=True)

    torch.manual_seed(0)
    path = export(torch, Flow(), (torch.randn(1, 3, 32, 48), torch.randn(1, 3, 32, 48)), ["a", "b"], tmp_path / "n.onnx", {})
    against_runtime(path, [{"a": f(1, 3, 32, 48), "b": f(1, 3, 32, 48)}])


def test_deformable_attention(torch, tmp_path):
    """Several levels, sampled at points that the queries choose (Deformable DETR)."""
    F = torch.nn.functional

    class Attention(torch.nn.Module):
        levels, heads, points, width = ((12, 16), (6, 8)), 4, 3, 32

        def __init__(self):
            super().__init__()
            n = self.heads * len(self.levels) * self.points
            self.value, self.out = torch.nn.Linear(self.width, self.width), torch.nn.Linear(self.width, self.width)
            self.where, self.weight = torch.nn.Linear(self.width, 2 * n), torch.nn.Linear(self.width, n)

        def forward(self, query, memory):
            b, q, _ = query.shape
            shape = (b, q, self.heads, len(self.levels), self.points)
            where = torch.tanh(self.where(query)).view(*shape, 2)
            weight = self.weight(query).view(b, q, self.heads, -1).softmax(-1).permute(0, 2, 1, 3).reshape(b * self.heads, 1, q, -1)
            value = self.value(memory).split([h * w for h, w in self.levels], 1)
            seen = []
            for i, (h, w) in enumerate(self.levels):
                picture = value[i].transpose(1, 2).reshape(b * self.heads, -1, h, w)
                grid = where[:, :, :, i].permute(0, 2, 1, 3, 4).reshape(b * self.heads, q, self.points, 2)
                seen.append(F.grid_sample(picture, grid, align_corners=False))
            seen = (torch.cat(seen, -1) * weight).sum(-1).view(b, -1, q)
            return self.out(seen.transpose(1, 2))

    torch.manual_seed(0)
    path = export(torch, Attention(), (torch.randn(2, 20, 32), torch.randn(2, 240, 32)), ["q", "m"], tmp_path / "n.onnx", {"q": {1: "Q"}, "m": {}})
    against_runtime(path, [{"q": f(2, 20, 32), "m": f(2, 240, 32)}, {"q": f(2, 33, 32), "m": f(2, 240, 32)}],
                    {"q": ((2, 1, 32), (2, 20, 32), (2, 50, 32))})


def test_boxes_are_selected_inside(tmp_path):
    """A one-stage head: boxes about their cells, non-maximum suppression, the kept boxes gathered, the best of them, and features under those."""
    n = helper.make_node
    cells = np.stack(np.meshgrid(np.arange(16), np.arange(16), indexing="ij"), -1).reshape(1, 256, 2).astype(np.float32) * 4 + 2
    nodes = [n("Conv", ["x", "w0", "b0"], ["h0"], kernel_shape=[3, 3], strides=[4, 4], pads=[1, 1, 0, 0]), n("Relu", ["h0"], ["h"]),
             n("Conv", ["h", "w1", "b1"], ["head"]), n("Reshape", ["head", "rows"], ["flat"]), n("Split", ["flat"], ["raw", "logit"], axis=1),
             n("Transpose", ["raw"], ["sides"], perm=[0, 2, 1]), n("Softplus", ["sides"], ["size"]), n("Split", ["size"], ["s0", "s1"], axis=2),
             n("Sub", ["cells", "s0"], ["low"]), n("Add", ["cells", "s1"], ["high"]), n("Concat", ["low", "high"], ["boxes"], axis=2),
             n("Sigmoid", ["logit"], ["scores"]), n("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["chosen"]),
             n("Slice", ["chosen", "one", "three", "one"], ["class_box"]), n("Slice", ["chosen", "two", "three", "one"], ["which"]),
             n("Squeeze", ["which", "one"], ["index"]), n("Squeeze", ["boxes", "zero"], ["all"]), n("Gather", ["all", "index"], ["kept"]),
             n("Transpose", ["scores"], ["by_box"], perm=[0, 2, 1]), n("Squeeze", ["by_box", "zero"], ["table"]),
             n("Slice", ["class_box", "zero", "one", "one"], ["class"]), n("Concat", ["which", "class"], ["pair"], axis=1),
             n("GatherND", ["table", "pair"], ["score"]), n("Shape", ["score"], ["found"]), n("Min", ["found", "eight"], ["k"]),
             n("TopK", ["score", "k"], ["best", "order"]), n("Gather", ["kept", "order"], ["final"]),
             n("Mul", ["order", "nought"], ["image"]), n("RoiAlign", ["h", "final", "image"], ["features"], output_height=3, output_width=3,
                                                         sampling_ratio=2, spatial_scale=0.25), n("ReduceMean", ["features"], ["mean"], axes=[2, 3])]
    constants = {"w0": f(16, 3, 3, 3, scale=0.3), "b0": f(16), "w1": f(8, 16, 1, 1, scale=0.4), "b1": f(8), "rows": [1, 8, 256], "cells": cells,
                 "most": [20], "iou": np.float32([0.4]), "least": np.float32([0.5]), "zero": [0], "one": [1], "two": [2], "three": [3],
                 "eight": [8], "nought": [0]}
    constants = {k: v if isinstance(v, np.ndarray) else np.array(v, np.int64) for k, v in constants.items()}
    path = save(tmp_path / "n.onnx", nodes, {"x": [1, 3, 64, 64]}, {"final": 1, "best": 1, "mean": 1, "class": 7}, constants, 17)
    against_runtime(path, [{"x": f(1, 3, 64, 64)} for _ in range(3)])


def test_layers_as_tensorflow_s_exporter_writes_them(tmp_path):
    """NHWC: a Transpose before and after each convolution, padding as a node of its own, strided slices, Resize by corners."""
    n = helper.make_node
    nodes = [n("Pad", ["x", "pads", "zero_f"], ["padded"]), n("Transpose", ["padded"], ["t0"], perm=[0, 3, 1, 2]),
             n("Conv", ["t0", "w0", "b0"], ["c0"], strides=[2, 2], kernel_shape=[3, 3]), n("Transpose", ["c0"], ["t1"], perm=[0, 2, 3, 1]),
             n("Clip", ["t1", "zero_f", "six"], ["r0"]), n("Transpose", ["r0"], ["t2"], perm=[0, 3, 1, 2]),
             n("Conv", ["t2", "w1"], ["c1"], group=16, kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
             n("Transpose", ["c1"], ["t3"], perm=[0, 2, 3, 1]), n("Mul", ["t3", "scale"], ["m0"]), n("Add", ["m0", "shift"], ["r1"]),
             n("Transpose", ["r1"], ["t4"], perm=[0, 3, 1, 2]),
             n("Resize", ["t4", "", "scales"], ["big"], mode="linear", coordinate_transformation_mode="asymmetric"),
             n("Resize", ["t4", "", "scales"], ["near"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
             n("Concat", ["big", "near"], ["both"], axis=1), n("Transpose", ["both"], ["t5"], perm=[0, 2, 3, 1]),
             n("Slice", ["t5", "from", "to", "axes", "steps"], ["cut"]), n("Add", ["cut", "cut"], ["doubled"]),
             n("ReduceMean", ["doubled"], ["mean"], axes=[1, 2], keepdims=0), n("MatMul", ["mean", "dense"], ["y"])]
    constants = {"pads": [0, 0, 0, 0, 0, 1, 1, 0], "from": [0, 1], "to": [2**31 - 1, -1], "axes": [1, 2], "steps": [2, 1]}
    constants = {k: np.array(v, np.int64) for k, v in constants.items()}
    constants |= {"zero_f": np.float32(0), "six": np.float32(6), "w0": f(16, 3, 3, 3, scale=0.4), "b0": f(16), "w1": f(16, 1, 3, 3), "scale": f(16),
                  "shift": f(16), "scales": np.float32([1, 1, 2, 2]), "dense": f(32, 10)}
    path = save(tmp_path / "n.onnx", nodes, {"x": ["N", "H", "W", 3]}, {"y": 1, "doubled": 1}, constants, 17)
    against_runtime(path, [{"x": f(1, 40, 56, 3)}, {"x": f(2, 33, 35, 3)}], {"x": ((1, 16, 16, 3), (1, 40, 56, 3), (2, 64, 64, 3))})


def test_topk_s_indices_are_read_in_the_same_run(tmp_path):
    nodes = [helper.make_node("TopK", ["x", "k"], ["v", "i"]), helper.make_node("Gather", ["table", "i"], ["y"])]
    path = save(tmp_path / "n.onnx", nodes, {"x": [20]}, {"y": 1}, {"k": np.array([5]), "table": f(20, 3)})
    against_runtime(path, [{"x": f(20)}])
