"""Small networks of many kinds, each for what few others have: weights that are data, sums of constants, products across, states, windows in three dims.

`KINDS` gives for each a class and a function that makes its inputs. For kinds_test.py.
"""
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

random = torch.randn


def words(most, *shape):
    return torch.randint(0, most, shape)


def heads(x, count):
    n, t, w = x.shape
    return x.view(n, t, count, w // count).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).flatten(2)


class ModulatedConv(nn.Module):
    """StyleGAN's: a convolution's weights are scaled by a style and normalised, so each image has its own, which are groups."""

    def __init__(self):
        super().__init__()
        self.weight, self.style, self.out = nn.Parameter(random(12, 8, 3, 3)), nn.Linear(6, 8), nn.Conv2d(12, 3, 1)

    def forward(self, x, z):
        n, c, h, w = x.shape
        weight = self.weight[None] * self.style(z)[:, None, :, None, None]
        weight = weight * torch.rsqrt(weight.pow(2).sum([2, 3, 4], keepdim=True) + 1e-8)
        y = F.conv2d(x.reshape(1, n * c, h, w), weight.reshape(-1, c, 3, 3), padding=1, groups=n)
        return self.out(F.leaky_relu(y.reshape(n, 12, h, w), 0.2))


class ConstantSums(nn.Module):
    """Constants of a map's size added to convolutions, as coordinates and position embeddings are; squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.stem, self.depthwise, self.point = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 5, padding=2, groups=16), nn.Conv2d(16, 8, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 16, 1), nn.Hardsigmoid())
        self.first, self.last = nn.Parameter(random(1, 16, 12, 12)), nn.Parameter(random(1, 8, 12, 12))

    def forward(self, x):
        y = self.depthwise(F.hardswish(self.stem(x))) + self.first
        return self.point(y * self.gate(y)) + self.last


class Flow(nn.Module):
    """RAFT's loop, twice: correlation of all pixels, samples of it at coordinates that move, a convolutional GRU."""

    def __init__(self):
        super().__init__()
        self.features, self.context = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(3, 16, 3, 2, 1)
        self.gates, self.new, self.flow = nn.Conv2d(16 + 3, 32, 3, padding=1), nn.Conv2d(16 + 3, 16, 3, padding=1), nn.Conv2d(16, 2, 3, padding=1)

    def forward(self, a, b):
        f, g, h = self.features(a), self.features(b), torch.tanh(self.context(a))
        n, c, height, width = f.shape
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        start = torch.stack([x, y]).float()[None].repeat(n, 1, 1, 1)
        volume = (f.flatten(2).transpose(1, 2) @ g.flatten(2) / c**0.5).reshape(n * height * width, 1, height, width)
        at = start
        for _ in range(2):
            place = at.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
            place = torch.stack([2 * place[..., 0] / (width - 1) - 1, 2 * place[..., 1] / (height - 1) - 1], -1)
            seen = F.grid_sample(volume, place, align_corners=True).reshape(n, 1, height, width)
            read = torch.cat([h, seen, at - start], 1)
            z, r = torch.sigmoid(self.gates(read)).chunk(2, 1)
            h = (1 - z) * h + z * torch.tanh(self.new(torch.cat([r * h, seen, at - start], 1)))
            at = at + self.flow(h)
        return F.interpolate(at - start, scale_factor=2, mode="bilinear", align_corners=True)


class Volumes(nn.Module):
    """A U-Net of three dims with instance norms."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.down = nn.Conv3d(1, 8, 3, padding=1), nn.InstanceNorm3d(8, affine=True), nn.Conv3d(8, 16, 3, 2, 1)
        self.up, self.out = nn.ConvTranspose3d(16, 8, 2, 2), nn.Conv3d(16, 2, 1)

    def forward(self, x):
        a = F.relu(self.norm(self.first(x)))
        return self.out(torch.cat([a, self.up(F.relu(self.down(a)))], 1)).softmax(1)


class Translator(nn.Module):
    """T5's decoder layer: a bias by relative places, RMS norms, attention to other states, the embedding as the last matrix."""

    def __init__(self, w=48):
        super().__init__()
        self.words, self.places, self.scale = nn.Embedding(60, w), nn.Embedding(16, 4), nn.Parameter(torch.ones(w))
        self.own, self.other = (nn.ModuleList(nn.Linear(w, w, bias=False) for _ in range(4)) for _ in range(2))

    def norm(self, x):
        return self.scale * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

    def attend(self, layers, x, states, bias=0.0):
        q, k, v = (heads(layer(s), 4) for layer, s in zip(layers, (x, states, states)))
        return layers[3](joined((q @ k.transpose(2, 3) + bias).softmax(-1) @ v))

    def forward(self, ids, states):
        x, t = self.words(ids), ids.shape[1]
        bias = self.places((torch.arange(t)[None] - torch.arange(t)[:, None]).clamp(-8, 7) + 8).permute(2, 0, 1)[None]
        x = x + self.attend(self.own, self.norm(x), self.norm(x), bias)
        return (x + self.attend(self.other, self.norm(x), states)) @ self.words.weight.T


class Listener(nn.Module):
    """Whisper's encoder: convolutions along time, learnt places, attention."""

    def __init__(self, w=32):
        super().__init__()
        self.a, self.b, self.places = nn.Conv1d(20, w, 3, padding=1), nn.Conv1d(w, w, 3, 2, 1), nn.Parameter(random(25, w))
        self.norms = nn.ModuleList(nn.LayerNorm(w) for _ in range(2))
        self.q, self.k, self.v, self.o = nn.Linear(w, w), nn.Linear(w, w, bias=False), nn.Linear(w, w), nn.Linear(w, w)
        self.up, self.down = nn.Linear(w, 4 * w), nn.Linear(4 * w, w)

    def forward(self, x):
        x = F.gelu(self.b(F.gelu(self.a(x)))).permute(0, 2, 1) + self.places
        y = self.norms[0](x)
        x = x + self.o(joined(F.scaled_dot_product_attention(heads(self.q(y), 4), heads(self.k(y), 4), heads(self.v(y), 4))))
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class Masks(nn.Module):
    """Attention behind masks of large numbers, as exporters write padding; where all is padding nothing is left of the scores, and all keys count alike."""

    def __init__(self, w=32):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(w, w) for _ in range(3))

    def forward(self, x, mask):
        q, k, v = (heads(layer(x), 4) for layer in (self.q, self.k, self.v))
        scores, keep = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5, mask[:, None, None, :].float()
        biases = [(1 - keep) * big for big in (-1e9, torch.finfo(torch.float32).min)]
        outs = [joined((scores + bias).softmax(-1) @ v) for bias in biases] + [joined(F.scaled_dot_product_attention(q, k, v, attn_mask=biases[1]))]
        return *outs, joined(scores.masked_fill(keep == 0, -1e4).softmax(-1) @ v)


class Positions(nn.Module):
    """Attention without a scale to whose scores biases of positions and then padding are added, as T5 has it."""

    def __init__(self, w=32):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(w, w, bias=False) for _ in range(4))
        self.bias = nn.Parameter(torch.randn(1, 4, 7, 7))

    def forward(self, x, mask):
        q, k, v = (heads(layer(x), 4) for layer in (self.q, self.k, self.v))
        padding = torch.where(mask[:, None, None, :] != 0, 0.0, torch.finfo(torch.float32).min)
        return x + self.o(joined((q @ k.transpose(2, 3) + self.bias + padding).softmax(-1) @ v))


def padded():
    mask = torch.ones(3, 7, dtype=torch.int64)
    mask[1, 4:] = mask[2] = 0
    return random(3, 7, 32), mask


class ConvLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.gates = nn.Conv2d(3 + 8, 32, 3, padding=1)

    def forward(self, x):
        h = c = torch.zeros(x.shape[1], 8, *x.shape[3:])
        for frame in x:
            i, f, g, o = self.gates(torch.cat([frame, h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h


class Experts(nn.Module):
    """A mixture: the two best of four, by TopK and a scatter, computed by sums of products."""

    def __init__(self, w=16):
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(w, 4), nn.Parameter(random(4, w, 32) * 0.2), nn.Parameter(random(4, 32, w) * 0.2)

    def forward(self, x):
        best, which = self.gate(x).softmax(-1).topk(2, -1)
        y = torch.einsum("btnh,nhw->btnw", torch.einsum("btw,nwh->btnh", x, self.up).relu(), self.down)
        return (y * torch.zeros(*x.shape[:2], 4).scatter(-1, which, best)[..., None]).sum(2)


class Pyramid(nn.Module):
    """Feature maps of odd sizes, from the smallest down, each resized to the next one's size."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in ((3, 16), (16, 24), (24, 40)))
        self.sides, self.head = nn.ModuleList(nn.Conv2d(c, 16, 1) for c in (16, 24, 40)), nn.Conv2d(16, 6, 3, padding=1)

    def forward(self, x):
        maps = []
        for stage in self.stages:
            maps.append(x := F.silu(stage(x)))
        y = self.sides[2](maps[2])
        outs = [self.head(y)]
        for side, m in ((self.sides[1], maps[1]), (self.sides[0], maps[0])):
            y = side(m) + F.interpolate(y, size=m.shape[2:], mode="nearest")
            outs.append(self.head(y))
        return torch.cat([o.flatten(2) for o in outs], 2).permute(0, 2, 1).sigmoid()


class Rolls(nn.Module):
    """Rolls, pads, slices with steps, flips, sums that run, groups of two."""

    def __init__(self):
        super().__init__()
        self.conv, self.line = nn.Conv2d(6, 6, 3, padding=1, groups=3), nn.Linear(10, 10)

    def forward(self, x):
        y = F.pad(self.conv(torch.roll(x, (2, -3), (2, 3))), (1, 2, 3, 0), mode="replicate")[:, :, 1::2, :10]
        z = self.line(torch.flip(y, [3])).cumsum(2)
        return torch.einsum("bchw,bdhw->bcd", z, y), torch.where(z > 0, z, z.exp() - 1).amax((1, 2))


class Scan(nn.Module):
    """Mamba's: a state that gates and products of the input move, step by step."""

    def __init__(self, w=12):
        super().__init__()
        self.input, self.conv, self.select = nn.Linear(w, 2 * w), nn.Conv1d(w, w, 4, padding=3, groups=w), nn.Linear(w, 2 * 4 + w)
        self.rate, self.skip, self.out = nn.Parameter(-torch.rand(w, 4)), nn.Parameter(torch.ones(w)), nn.Linear(w, w)

    def forward(self, x):
        y, z = self.input(x).chunk(2, -1)
        y = F.silu(self.conv(y.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        b, c, step = self.select(y).split([4, 4, y.shape[2]], -1)
        step, state, outs = F.softplus(step), torch.zeros(x.shape[0], y.shape[2], 4), []
        for t in range(x.shape[1]):
            state = torch.exp(step[:, t, :, None] * self.rate) * state + step[:, t, :, None] * b[:, t, None] * y[:, t, :, None]
            outs.append((state * c[:, t, None]).sum(-1))
        return self.out((torch.stack(outs, 1) + self.skip * y) * F.silu(z))


class Sizes(nn.Module):
    """Pixels moved into channels, padding around, group and instance norms, resizing up and down, windows unfolded."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 8, 3, padding=1), nn.Conv2d(32, 16, 3, padding=1, padding_mode="circular")
        self.norm, self.each = nn.GroupNorm(1, 16), nn.InstanceNorm2d(16)

    def forward(self, x):
        y = self.each(F.mish(self.norm(self.b(F.pixel_unshuffle(self.a(x), 2)))))
        return (F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True), F.adaptive_avg_pool2d(y, (3, 2)),
                F.interpolate(y, size=(5, 9), mode="bilinear", align_corners=False), F.unfold(y, 3, padding=1))


class Voice(nn.Module):
    """A vocoder: transposed convolutions along time with overlap, holes in windows."""

    def __init__(self):
        super().__init__()
        self.pre, self.out = nn.Conv1d(8, 32, 7, padding=3), nn.Conv1d(8, 1, 7, padding=3)
        self.ups = nn.ModuleList([nn.ConvTranspose1d(32, 16, 8, 4, 2), nn.ConvTranspose1d(16, 8, 5, 3, 1, 1)])
        self.holes = nn.ModuleList(nn.Conv1d(8, 8, 3, dilation=d, padding=d) for d in (1, 3, 5))

    def forward(self, x):
        x = self.pre(x)
        for up in self.ups:
            x = up(F.leaky_relu(x, 0.1))
        for conv in self.holes:
            x = x + conv(F.leaky_relu(x, 0.1))
        return torch.tanh(self.out(x))


class Pools(nn.Module):
    """Local response norms, pools that round up, pooling by attention, unit vectors."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 24, 7, 2, 3), nn.BatchNorm2d(24)
        self.local, self.query, self.out = nn.LocalResponseNorm(5), nn.Linear(24, 1), nn.Linear(24, 7)

    def forward(self, x):
        y = F.max_pool2d(F.relu(self.norm(self.conv(self.local(x)))), 3, 2, 1, ceil_mode=True)
        t = y.flatten(2).transpose(1, 2)
        pooled = (self.query(t).softmax(1).transpose(1, 2) @ t).squeeze(1)
        return self.out(pooled), F.normalize(t, dim=-1), F.avg_pool2d(y, 3, 2, 1, count_include_pad=False)


KINDS = {
    "modulated convolution": (ModulatedConv, lambda: (random(2, 8, 9, 11), random(2, 6))),
    "constants added": (ConstantSums, lambda: (random(1, 3, 24, 24),)),
    "flow": (Flow, lambda: (random(1, 3, 16, 24), random(1, 3, 16, 24))),
    "volumes": (Volumes, lambda: (random(1, 1, 8, 12, 10),)),
    "translator": (Translator, lambda: (words(60, 2, 11), random(2, 7, 48))),
    "listener": (Listener, lambda: (random(1, 20, 50),)),
    "masks": (Masks, padded),
    "positions": (Positions, padded),
    "convolutional LSTM": (ConvLSTM, lambda: (random(3, 2, 3, 9, 8),)),
    "experts": (Experts, lambda: (random(2, 5, 16),)),
    "pyramid": (Pyramid, lambda: (random(1, 3, 45, 53),)),
    "rolls": (Rolls, lambda: (random(2, 6, 13, 12),)),
    "scan": (Scan, lambda: (random(2, 6, 12),)),
    "sizes": (Sizes, lambda: (random(1, 4, 12, 16),)),
    "voice": (Voice, lambda: (random(1, 8, 13),)),
    "pools": (Pools, lambda: (random(2, 3, 30, 26),)),
}


def make(name, path):
    """Writes the network as ONNX; its inputs by name and PyTorch's outputs, as arrays."""
    torch.manual_seed(0)
    kind, inputs = KINDS[name]
    model, given = kind().eval(), inputs()
    names = [f"x{i}" for i in range(len(given))]
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, given, str(path), dynamo=False, opset_version=17, input_names=names)
        found = model(*given)
    return {n: t.numpy() for n, t in zip(names, given)}, [t.numpy() for t in (found if isinstance(found, tuple) else (found,))]
