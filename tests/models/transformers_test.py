"""Transformers from PyTorch through both of its exporters, with random weights and free batch and lengths: a decoder with its keys and values
as inputs and outputs, rotary embeddings and shared heads, padding masks, an encoder and decoder, resized position embeddings. One engine
each, run at several shapes, against PyTorch; nothing of attention may be left unfused.

INGOT_TEST_ALL=1 takes each by both exporters and all opsets.
"""
import json
import math
import os
import pathlib
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no PyTorch here")
pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import ingot_library  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

WIDTH, HEADS = 32, 4
ALL = os.environ.get("INGOT_TEST_ALL") == "1"


def split(x, heads=HEADS):
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def join(x):
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


class Decoder(nn.Module):
    """Like GPT-2: learned positions, one projection for queries, keys and values, a mask of bools."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(50, WIDTH), nn.Embedding(64, WIDTH)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(5))
        self.qkv, self.out = (nn.ModuleList(nn.Linear(WIDTH, n * WIDTH) for _ in range(2)) for n in (3, 1))
        self.up, self.down = nn.ModuleList(nn.Linear(WIDTH, 64) for _ in range(2)), nn.ModuleList(nn.Linear(64, WIDTH) for _ in range(2))

    def forward(self, ids, k0, v0, k1, v1):
        past, length, present = k0.shape[2], ids.shape[1], []
        x = self.words(ids) + self.places(torch.arange(past, past + length))
        mask = torch.arange(past + length)[None] <= torch.arange(length)[:, None] + past
        for i, (pk, pv) in enumerate([(k0, v0), (k1, v1)]):
            q, k, v = (split(t) for t in self.qkv[i](self.norms[2 * i](x)).split(WIDTH, 2))
            k, v = torch.cat([pk, k], 2), torch.cat([pv, v], 2)
            x = x + self.out[i](join(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)))
            x = x + self.down[i](F.gelu(self.up[i](self.norms[2 * i + 1](x)), approximate="tanh"))
            present += [k, v]
        return self.norms[4](x) @ self.words.weight.T, *present


class Rotary(nn.Module):
    """Like Llama: rotary embeddings, two heads of queries for one of keys, RMS norms, a gated feed-forward; attention spelt out or not."""

    def __init__(self, spelt):
        super().__init__()
        self.spelt, self.scale = spelt, nn.ParameterList(nn.Parameter(torch.rand(WIDTH) + 0.5) for _ in range(2))
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, n, bias=False) for n in (WIDTH, WIDTH // 2, WIDTH // 2, WIDTH))
        self.gate, self.up, self.down = (nn.Linear(*n, bias=False) for n in ((WIDTH, 96), (WIDTH, 96), (96, WIDTH)))
        self.register_buffer("speeds", 1 / 10000 ** (torch.arange(0, 8, 2).float() / 8))

    def norm(self, i, x):
        return self.scale[i] * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    def forward(self, x, positions, pk, pv):
        y, length = self.norm(0, x), x.shape[1]
        angles = positions[:, :, None].float() * self.speeds
        angles = torch.cat([angles, angles], -1)
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        q, k, v = split(self.q(y)), split(self.k(y), 2), split(self.v(y), 2)
        q, k = (t * cos + torch.cat([-t[..., 4:], t[..., :4]], -1) * sin for t in (q, k))
        k, v = torch.cat([pk, k], 2), torch.cat([pv, v], 2)
        wide_k, wide_v = (t[:, :, None].expand(-1, 2, 2, -1, 8).reshape(t.shape[0], HEADS, -1, 8) for t in (k, v))
        total = k.shape[2]
        mask = torch.full((length, total), -math.inf).triu(total - length + 1)
        if self.spelt:
            a = F.softmax(q @ wide_k.transpose(2, 3) / math.sqrt(8) + mask, -1, dtype=torch.float32) @ wide_v
        else:
            a = F.scaled_dot_product_attention(q, wide_k, wide_v, attn_mask=mask)
        x = x + self.o(join(a))
        y = self.norm(1, x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y)), k, v


class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x, y, mask=None, spelt=False):
        q, k, v = split(self.q(x)), split(self.k(y)), split(self.v(y))
        if not spelt:
            return self.o(join(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)))
        scores = q @ k.transpose(-1, -2) / math.sqrt(8)
        return self.o(join((scores if mask is None else scores + mask).softmax(-1) @ v))


class Encoder(nn.Module):
    """Like BERT: three embeddings, a padding mask that is added, norms behind the sums."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(60, WIDTH), nn.Embedding(64, WIDTH), nn.Embedding(2, WIDTH)
        self.norms, self.attend = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3)), Attend()
        self.up, self.down, self.pool = nn.Linear(WIDTH, 128), nn.Linear(128, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, ids, mask, kinds):
        x = self.norms[0](self.words(ids) + self.places(torch.arange(ids.shape[1])) + self.kinds(kinds))
        added = (1 - mask[:, None, None].float()) * torch.finfo(torch.float32).min
        x = self.norms[1](x + self.attend(x, x, added, spelt=True))
        x = self.norms[2](x + self.down(F.gelu(self.up(x))))
        return x, torch.tanh(self.pool(x[:, 0]))


class Speech(nn.Module):
    """Like Whisper: convolutions before an encoder, a causal decoder that looks at its result."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(16, WIDTH, 3, padding=1), nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.words, self.places = nn.Embedding(40, WIDTH), nn.Parameter(torch.randn(64, WIDTH) / 9)
        self.attend, self.norms = nn.ModuleList(Attend() for _ in range(3)), nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))

    def forward(self, sound, ids):
        x = F.gelu(self.second(F.gelu(self.first(sound)))).transpose(1, 2)
        y = self.norms[0](x)
        x = x + self.attend[0](y, y)
        length = ids.shape[1]
        y = self.words(ids) + self.places[:length]
        mask = torch.full((length, length), -math.inf).triu(1)
        z = self.norms[1](y)
        y = y + self.attend[1](z, z, mask)
        return (y + self.attend[2](self.norms[2](y), x)) @ self.words.weight.T


class Pictures(nn.Module):
    """Like ViT, with its position embeddings resized to the picture."""

    def __init__(self):
        super().__init__()
        self.patches, self.first = nn.Conv2d(3, WIDTH, 4, 4), nn.Parameter(torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(torch.randn(1, 50, WIDTH) / 9)
        self.norm, self.qkv, self.out = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        x = self.patches(x)
        batch, _, height, width = x.shape
        grid = self.places[:, 1:].reshape(1, 7, 7, WIDTH).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(height, width), mode="bicubic", align_corners=False).permute(0, 2, 3, 1).reshape(1, -1, WIDTH)
        x = torch.cat([self.first.expand(batch, -1, -1) + self.places[:, :1], x.flatten(2).transpose(1, 2) + grid], 1)
        q, k, v = self.qkv(self.norm(x)).reshape(batch, -1, 3, HEADS, 8).permute(2, 0, 3, 1, 4).unbind(0)
        return x + self.out(join(F.scaled_dot_product_attention(q, k, v)))


def ids(*shape):
    return torch.randint(0, 40, shape)


def caches(count, batch, heads, past):
    return [torch.randn(batch, heads, past, 8) for _ in range(count)]


def rotary_inputs(batch, length, past):
    return torch.randn(batch, length, WIDTH), torch.arange(past, past + length)[None].repeat(batch, 1), *caches(2, batch, 2, past)


def encoder_inputs(batch, length):
    kept = torch.arange(length)[None] < torch.arange(length, length - batch, -1)[:, None]
    return ids(batch, length), kept.long(), torch.zeros(batch, length, dtype=torch.long)


CACHE = {0: "batch", 2: "past"}
TEXT = {0: "batch", 1: "length"}
# The network, its inputs at a shape, their free dims, shapes to run at, attentions
NETWORKS = {
    "decoder": (Decoder, lambda b, n, p: (ids(b, n), *caches(4, b, HEADS, p)),
                {"ids": TEXT, **{n: CACHE for n in ("k0", "v0", "k1", "v1")}}, [(2, 3, 5), (1, 1, 17), (1, 9, 1)], 2),
    "rotary": (lambda: Rotary(False), rotary_inputs, {"x": TEXT, "positions": TEXT, "pk": CACHE, "pv": CACHE}, [(2, 3, 5), (1, 1, 17), (3, 9, 1)], 1),
    "rotary_spelt": (lambda: Rotary(True), rotary_inputs, {"x": TEXT, "positions": TEXT, "pk": CACHE, "pv": CACHE}, [(2, 3, 5), (1, 1, 17)], 1),
    "encoder": (Encoder, encoder_inputs, {n: TEXT for n in ("ids", "mask", "kinds")}, [(2, 7), (1, 20), (4, 5)], 1),
    "speech": (Speech, lambda b, n, m: (torch.randn(b, 16, m), ids(b, n)), {"sound": {0: "batch", 2: "frames"}, "ids": TEXT},
               [(2, 5, 40), (1, 1, 62), (1, 12, 100)], 3),
    "pictures": (Pictures, lambda b, h, w: (torch.randn(b, 3, h, w),), {"x": {0: "batch", 2: "height", 3: "width"}},
                 [(2, 28, 28), (1, 40, 24), (3, 16, 32)], 1),
}
QUICK = [("decoder", 18), ("rotary", 17), ("rotary", 23), ("rotary_spelt", 18), ("encoder", 17), ("speech", 18), ("pictures", 17)]
CASES = [(n, opset) for n in NETWORKS for opset in (17, 18, 23)] if ALL else QUICK


def export(network, inputs, free, opset, path):
    """Opset 17 by the older exporter, others by the newer."""
    names = list(free)
    if opset == 17:
        torch.onnx.export(network, inputs, path, input_names=names, dynamic_axes=free, dynamo=False, opset_version=opset)
    else:
        shapes = tuple({d: torch.export.Dim.DYNAMIC for d in free[n]} for n in names)
        torch.onnx.export(network, inputs, path, input_names=names, dynamic_shapes=shapes, dynamo=True, opset_version=opset, external_data=False,
                          verbose=False)


@pytest.mark.seconds(150)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, opset", CASES)
def test_transformer(name, opset, tmp_path, ingot):
    if opset != 17:
        pytest.importorskip("onnxscript", reason="no onnxscript here, which the newer exporter needs")
    torch.manual_seed(1)
    make, inputs_at, free, shapes, attentions = NETWORKS[name]
    network = make().eval()
    path = tmp_path / "network.onnx"
    export(network, inputs_at(*shapes[0]), free, opset, str(path))
    runs = [inputs_at(*s) for s in shapes]
    profile = {}
    for i, n in enumerate(free):
        dims = [tuple(r[i].shape) for r in runs]
        profile[n] = tuple(map(min, zip(*dims))), dims[0], tuple(map(max, zip(*dims)))
    engine = ingot_library.Engine(path, shapes=profile, budget=0.1)
    for inputs in runs:
        with torch.inference_mode():
            want = network(*inputs)
        engine.set({n: t.numpy() for n, t in zip(free, inputs)})
        engine.run()
        got = engine.get()
        for g, w in zip(got, want if isinstance(want, tuple) else (want,), strict=True):
            assert g.shape == w.shape
            assert np.abs(g - w.numpy()).max() <= 1e-5 * np.ptp(w.numpy())
    engine.save(tmp_path / "network.ingot")
    layers = [layer["type"] for layer in json.loads(ingot("inspect", tmp_path / "network.ingot", "--json").stdout)["layers"]]
    assert layers.count("FusedAttention") == attentions
    assert "Softmax" not in layers
    if name.startswith("rotary"):
        assert layers.count("RotaryEmbedding") == 2
