"""Shapes computed with tensors, as exporters write them: detection heads, windows, decoders and image transformers with free sizes. ingot must get
ONNX Runtime's numbers at several sizes, and tell every shape before it runs: one region."""
import pathlib
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no CPU build of PyTorch here")
onnx = pytest.importorskip("onnx", reason="no onnx package here")
ort = pytest.importorskip("onnxruntime", reason="no ONNX Runtime here")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import ingot_library  # noqa: E402


class Detector(nn.Module):
    """Three levels joined by interpolation to each other's size, anchors from meshgrid, the best 20 boxes."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in ((3, 8), (8, 16), (16, 32))])
        self.side = nn.ModuleList([nn.Conv2d(i, 8, 1) for i in (8, 16, 32)])
        self.classes, self.boxes = nn.Conv2d(8, 6, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)

    def forward(self, x):
        n, maps = x.shape[0], []
        for conv in self.down:
            x = F.relu(conv(x))
            maps.append(x)
        levels = [self.side[2](maps[2])]
        for i in (1, 0):
            levels.append(self.side[i](maps[i]) + F.interpolate(levels[-1], size=maps[i].shape[-2:], mode="nearest"))
        scores, boxes, anchors = [], [], []
        for k, p in enumerate(levels):
            h, w = p.shape[-2:]
            scores.append(self.classes(p).view(n, 3, 2, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, 2))
            boxes.append(self.boxes(p).view(n, 3, 4, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, 4))
            y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            anchors.append(torch.stack((x, y), -1).float().view(-1, 1, 2).expand(-1, 3, 2).reshape(-1, 2) * (8 >> k))
        scores, boxes = torch.cat(scores, 1).sigmoid(), torch.cat(boxes, 1)
        boxes = torch.cat((boxes[..., :2] + torch.cat(anchors, 0)[None], boxes[..., 2:].exp()), -1)
        best, at = scores.max(-1)[0].topk(20, dim=1)
        return best, boxes.gather(1, at[..., None].expand(-1, -1, 4))


class Windows(nn.Module):
    """Attention in shifted windows of 7, padded to whole ones."""

    def __init__(self):
        super().__init__()
        self.patch, self.qkv = nn.Conv2d(3, 16, 4, stride=4), nn.Linear(16, 48)

    def forward(self, x):
        x = self.patch(x).permute(0, 2, 3, 1)
        b, h, w, c = x.shape
        y = F.pad(x, (0, 0, 0, (7 - w % 7) % 7, 0, (7 - h % 7) % 7))
        tall, wide = y.shape[1], y.shape[2]
        y = torch.roll(y, (-3, -3), (1, 2)).view(b, tall // 7, 7, wide // 7, 7, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 49, c)
        q, k, v = self.qkv(y).chunk(3, -1)
        y = (q @ k.transpose(1, 2)).softmax(-1) @ v
        y = y.view(b, tall // 7, wide // 7, 7, 7, c).permute(0, 1, 3, 2, 4, 5).reshape(b, tall, wide, c)
        return (x + torch.roll(y, (3, 3), (1, 2))[:, :h, :w]).permute(0, 3, 1, 2)


class Decoder(nn.Module):
    """One layer of a decoder with the keys and values of earlier words and a causal mask made from their number."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.qkv = nn.Embedding(50, 32), nn.Embedding(64, 32), nn.Linear(32, 96)

    def forward(self, ids, past):
        b, s = ids.shape
        p = past.shape[2]
        x = self.words(ids) + self.places(torch.arange(p, p + s)[None])
        q, k, v = self.qkv(x).view(b, s, 3, 4, 8).permute(2, 0, 3, 1, 4).unbind(0)
        k, v = torch.cat((past, k), 2), torch.cat((past, v), 2)
        t = k.shape[2]
        mask = torch.ones(t, t, dtype=torch.bool).tril()[t - s:t, :t][None, None].expand(b, 1, s, t)
        scores = (q @ k.transpose(-1, -2) / 8**0.5).masked_fill(~mask, float("-inf")).softmax(-1)
        return (scores @ v).transpose(1, 2).reshape(b, s, 32), k


class Patches(nn.Module):
    """An image transformer's embedding, its places interpolated to the image's size, and back to a map."""

    def __init__(self):
        super().__init__()
        self.patch, self.line = nn.Conv2d(3, 16, 8, stride=8), nn.Linear(16, 16)
        self.places, self.first = nn.Parameter(torch.randn(1, 16, 4, 4)), nn.Parameter(torch.randn(1, 1, 16))

    def forward(self, x):
        y = self.patch(x)
        h, w = y.shape[-2:]
        y = (y + F.interpolate(self.places, size=(h, w), mode="bilinear", align_corners=False)).flatten(2).transpose(1, 2)
        y = self.line(torch.cat((self.first.expand(y.shape[0], -1, -1), y), 1))
        return y[:, 0], y[:, 1:].transpose(1, 2).reshape(-1, 16, h, w).repeat(1, 1, 2, 1)


IMAGE = {"x": {0: "N", 2: "H", 3: "W"}}
MODELS = {
    "detector": (Detector, {"x": (2, 3, 64, 96)}, IMAGE, [{"x": (1, 3, 64, 64)}, {"x": (2, 3, 96, 128)}, {"x": (1, 3, 50, 70)}]),
    "windows": (Windows, {"x": (2, 3, 56, 64)}, IMAGE, [{"x": (1, 3, 56, 56)}, {"x": (2, 3, 60, 100)}]),
    "decoder": (Decoder, {"ids": (2, 5), "past": (2, 4, 6, 8)}, {"ids": {0: "N", 1: "S"}, "past": {0: "N", 2: "P"}},
                [{"ids": (1, 4), "past": (1, 4, 3, 8)}, {"ids": (3, 7), "past": (3, 4, 20, 8)}, {"ids": (2, 1), "past": (2, 4, 9, 8)}]),
    "patches": (Patches, {"x": (2, 3, 40, 48)}, IMAGE, [{"x": (1, 3, 32, 32)}, {"x": (3, 3, 64, 40)}]),
}


def check(path, shapes):
    """At every one of the shapes; the profile spans them."""
    types = {i.name: i.type.tensor_type.elem_type for i in onnx.load(str(path)).graph.input}
    profile = {}
    for name in types:
        dims = np.array([s[name] for s in shapes])
        profile[name] = (tuple(map(int, dims.min(0))), tuple(map(int, dims[0])), tuple(map(int, dims.max(0))))
    engine = ingot_library.Engine(path, profile, threads=1, budget=0)
    assert engine.inspect()["regions"] == 1
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    for shape in shapes:
        feeds = {n: random.integers(0, 50, shape[n]) if t == TensorProto.INT64 else random.standard_normal(shape[n], np.float32)
                 for n, t in types.items()}
        engine.set(feeds)
        engine.run()
        for got, want in zip(engine.get(), session.run(None, feeds)):
            assert got.shape == want.shape
            assert np.abs(got.astype(np.float64) - want).max() <= 1e-5 * max(np.abs(want).max(), 1e-6)


@pytest.mark.seconds(120)
@pytest.mark.parametrize("name, dynamo", [(n, False) for n in MODELS] + [("decoder", True)])
@pytest.mark.filterwarnings("ignore")
def test_exported(name, dynamo, tmp_path):
    create, sizes, free, shapes = MODELS[name]
    torch.manual_seed(0)
    inputs = tuple(torch.randint(0, 50, s) if n == "ids" else torch.randn(s) for n, s in sizes.items())
    path, model = tmp_path / "m.onnx", create().eval()
    if dynamo:
        pytest.importorskip("onnxscript", reason="no onnxscript here")
        dims = tuple({d: torch.export.Dim.DYNAMIC for d in free[n]} for n in sizes)
        torch.onnx.export(model, inputs, str(path), dynamo=True, external_data=False, input_names=list(sizes), dynamic_shapes=dims, verbose=False)
    else:
        torch.onnx.export(model, inputs, str(path), dynamo=False, opset_version=17, input_names=list(sizes), dynamic_axes=free)
    check(path, shapes)


def test_as_tensorflow_writes_it(tmp_path):
    """Shapes through floats, Where and Equal for -1, Range over a product, -1 dims of what was reduced."""
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["s"]), node("Cast", ["s"], ["sf"], to=TensorProto.FLOAT), node("Slice", ["sf", "one", "three", "zero"], ["hwf"]),
        node("Mul", ["hwf", "twice"], ["hw2"]), node("Floor", ["hw2"], ["hw2f"]), node("Cast", ["hw2f"], ["hw2i"], to=TensorProto.INT64),
        node("Slice", ["s", "zero", "one", "zero"], ["n"]), node("Slice", ["s", "three", "four", "zero"], ["c"]),
        node("Transpose", ["x"], ["xt"], perm=[0, 3, 1, 2]), node("Concat", ["n", "c", "hw2i"], ["size"], axis=0),
        node("Resize", ["xt", "", "", "size"], ["r"], mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
        node("Shape", ["r"], ["rs"]), node("Gather", ["rs", "at2"], ["h"]), node("Gather", ["rs", "at3"], ["w"]), node("Mul", ["h", "w"], ["hw"]),
        node("Unsqueeze", ["hw", "zero"], ["hwu"]), node("Concat", ["n", "c", "hwu"], ["flat"], axis=0), node("Reshape", ["r", "flat"], ["rf"]),
        node("Concat", ["n", "minus", "hwu"], ["want"], axis=0), node("Equal", ["want", "minus"], ["free"]),
        node("ConstantOfShape", ["three"], ["ones"], value=numpy_helper.from_array(np.array([1]))), node("Where", ["free", "ones", "want"], ["to"]),
        node("Expand", ["half", "to"], ["halves"]), node("Add", ["rf", "halves"], ["a"]),
        node("Range", ["begin", "hw", "step"], ["count"]), node("Cast", ["count"], ["countf"], to=TensorProto.FLOAT),
        node("Add", ["a", "countf"], ["b"]),
        node("Reshape", ["b", "tail"], ["b2"]), node("Shape", ["b2"], ["bs"]), node("ReduceProd", ["bs"], ["total"], keepdims=1),
        node("Div", ["total", "three"], ["part"]), node("Concat", ["part", "minus"], ["last"], axis=0), node("Reshape", ["b2", "last"], ["y"]),
    ]
    constants = {"one": [1], "three": [3], "zero": [0], "four": [4], "twice": np.float32([2, 2]), "at2": 2, "at3": 3, "minus": [-1],
                 "half": np.full((1, 3, 1), 0.5, np.float32), "begin": 0, "step": 1, "tail": [0, -1]}
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "H", "W", 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "m.onnx"))
    check(tmp_path / "m.onnx", [{"x": (1, 8, 8, 3)}, {"x": (2, 5, 9, 3)}, {"x": (3, 16, 4, 3)}])
