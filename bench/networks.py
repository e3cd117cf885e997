"""The networks that benches and tests measure: torchvision's classifiers, a U-Net and an SSD300, with random weights, and their export to ONNX.

Weights come from a fixed seed. Batch norms get random scales and the statistics of random pictures, and heads that start at zero get random
weights, so that activations keep their size through all layers and no output is constant.
"""
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

try:
    import torchvision
except RuntimeError:  # its compiled operators are for another build of PyTorch: the names of two of them are all that the import needs
    _names = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _names.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import sys

    for _key in [key for key in sys.modules if key.split(".")[0] == "torchvision"]:
        del sys.modules[_key]
    import torchvision


def conv_bn(inputs, outputs, kernel=3, **options):
    """Convolution without bias, batch norm, ReLU."""
    return [nn.Conv2d(inputs, outputs, kernel, bias=False, **options), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class UNet(nn.Module):
    """The classic U-Net: (N, 1, H, W) to (N, 2, H, W), H and W multiples of 16; `width` channels at the top, doubled at each of four levels."""

    def __init__(self, width=64):
        super().__init__()
        sizes = [width << level for level in range(5)]

        def double(inputs, outputs):
            return nn.Sequential(*conv_bn(inputs, outputs, padding=1), *conv_bn(outputs, outputs, padding=1))

        self.encoders = nn.ModuleList(double(i, o) for i, o in zip([1] + sizes, sizes))
        self.widen = nn.ModuleList(nn.ConvTranspose2d(2 * o, o, 2, stride=2) for o in reversed(sizes[:-1]))
        self.decoders = nn.ModuleList(double(2 * o, o) for o in reversed(sizes[:-1]))
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        skips = []
        for level, encoder in enumerate(self.encoders):
            x = encoder(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for widen, decoder in zip(self.widen, self.decoders):
            x = decoder(torch.cat((skips.pop(), widen(x)), 1))
        return self.head(x)


class SSD300(nn.Module):
    """SSD on ResNet-50 up to conv4_x, whose stride is 1: (N, 3, 300, 300) to boxes (N, 4, 8732) and scores (N, 81, 8732)."""

    CLASSES = 81
    CHANNELS = (1024, 512, 512, 256, 256, 256)
    BOXES = (4, 6, 6, 6, 4, 4)  # at each position of each map

    def __init__(self):
        super().__init__()
        backbone = torchvision.models.resnet50(weights=None)
        block = backbone.layer3[0]
        for conv in (block.conv1, block.conv2, block.downsample[0]):
            conv.stride = (1, 1)
        self.backbone = nn.Sequential(*list(backbone.children())[:7])
        self.extras = nn.ModuleList()
        for i, (a, b) in enumerate(zip(self.CHANNELS, self.CHANNELS[1:])):
            middle = 256 if i < 2 else 128
            shape = {"padding": 1, "stride": 2} if i < 3 else {}
            self.extras.append(nn.Sequential(*conv_bn(a, middle, 1), *conv_bn(middle, b, 3, **shape)))
        pairs = list(zip(self.CHANNELS, self.BOXES))
        self.boxes = nn.ModuleList(nn.Conv2d(c, 4 * n, 3, padding=1) for c, n in pairs)
        self.scores = nn.ModuleList(nn.Conv2d(c, self.CLASSES * n, 3, padding=1) for c, n in pairs)

    def forward(self, x):
        maps = [self.backbone(x)]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        boxes = [head(m).flatten(2).reshape(x.shape[0], 4, -1) for head, m in zip(self.boxes, maps)]
        scores = [head(m).flatten(2).reshape(x.shape[0], self.CLASSES, -1) for head, m in zip(self.scores, maps)]
        return torch.cat(boxes, 2), torch.cat(scores, 2)


class Transformer(nn.Module):
    """A BERT-like encoder: ids and mask (N, S) to logits (N, S, words). Its shapes are computed with tensors, as exporters write them."""

    def __init__(self, width=256, heads=4, layers=6, words=1000, longest=512):
        super().__init__()
        self.heads = heads
        self.words = nn.Embedding(words, width)
        self.places = nn.Embedding(longest, width)
        self.layers = nn.ModuleList(nn.ModuleDict({
            "qkv": nn.Linear(width, 3 * width), "out": nn.Linear(width, width), "up": nn.Linear(width, 4 * width),
            "down": nn.Linear(4 * width, width), "norm1": nn.LayerNorm(width), "norm2": nn.LayerNorm(width)}) for _ in range(layers))
        self.head = nn.Linear(width, words)

    def forward(self, ids, mask):
        n, s = ids.shape
        x = self.words(ids) + self.places(torch.arange(s)[None])
        for layer in self.layers:
            q, k, v = layer["qkv"](x).view(n, s, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
            scores = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).masked_fill(mask[:, None, None, :] == 0, -1e4)
            x = layer["norm1"](x + layer["out"]((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, s, -1)))
            x = layer["norm2"](x + layer["down"](F.gelu(layer["up"](x))))
        return self.head(x)


def export_transformer(path, dynamo=False, **options):
    """Writes a Transformer as ONNX with free N and S."""
    torch.manual_seed(0)
    model, inputs = Transformer(**options).eval(), (torch.randint(0, 1000, (2, 16)), torch.ones(2, 16, dtype=torch.int64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            free = {0: torch.export.Dim("N", min=1, max=64), 1: torch.export.Dim("S", min=2, max=512)}
            torch.onnx.export(model, inputs, str(path), dynamo=True, external_data=False, input_names=["ids", "mask"],
                              dynamic_shapes=(free, free), verbose=False)
        else:
            free = {0: "N", 1: "S"}
            torch.onnx.export(model, inputs, str(path), dynamo=False, opset_version=17, input_names=["ids", "mask"],
                              dynamic_axes={"ids": free, "mask": free})
    return path


def small_vit(size=64):
    """A ViT of four small layers."""
    return torchvision.models.VisionTransformer(image_size=size, patch_size=16, num_layers=4, num_heads=3, hidden_dim=96, mlp_dim=192)


def small_swin():
    """A Swin of two layers a stage: windows of 7, shifted and not, and patch merging."""
    return torchvision.models.SwinTransformer(patch_size=[4, 4], embed_dim=48, depths=[2, 2, 2, 2], num_heads=[3, 6, 12, 24], window_size=[7, 7])


_OWN = {"unet": (UNet, (1, 512, 512)), "unet_small": (lambda: UNet(16), (1, 64, 64)), "ssd300": (SSD300, (3, 300, 300)),
        "small_vit": (small_vit, (3, 64, 64)), "small_swin": (small_swin, (3, 64, 64))}


def settle(model, shape):
    """Gives batch norms random scales and the statistics of random pictures, and layers that are all zeros random weights."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1 and not p.any():
                p.normal_(0, 0.05)
        model.eval()
        for norm in norms:
            norm.weight.uniform_(0.7, 1.3)
            norm.bias.normal_(0, 0.2)
            norm.train()
            norm.momentum = None  # the plain mean
        if norms:
            model(torch.randn(4 if shape[-1] <= 160 else 2, *shape))
        for norm in norms:
            norm.eval()
            norm.running_var.add_(0.01).mul_(torch.empty_like(norm.running_var).uniform_(0.8, 1.25))
    return model


def make(name, size=None):
    """(network ready to run, input shape without batch). `size`: pixels a side instead of the network's own."""
    torch.manual_seed(0)
    if name in _OWN:
        create, shape = _OWN[name]
    else:
        options = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
        create, shape = lambda: getattr(torchvision.models, name)(weights=None, **options), (3, 224, 224)
        if name == "inception_v3":
            shape = (3, 299, 299)
    if size:
        shape = (shape[0], size, size)
    model = create()
    return settle(model, (1, 128, 128) if name == "unet" else shape), shape


def export(model, shape, path, dynamo=False, external=False, batch=1, free_size=False, dtype=torch.float32):
    """Writes `model` as ONNX with a free batch: by PyTorch's newer exporter (`dynamo`) or the TorchScript one, which can leave height and width free
    as well; the input is 'input', of `dtype`."""
    free = {0: "N", 2: "H", 3: "W"} if free_size else {0: "N"}
    x = torch.randn(max(batch, 2) if dynamo else batch, *shape).to(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            torch.onnx.export(model, (x,), str(path), dynamo=True, external_data=external, input_names=["input"],
                              dynamic_shapes=({0: torch.export.Dim("N", min=1, max=1024)},), verbose=False)
        else:
            torch.onnx.export(model, (x,), str(path), dynamo=False, opset_version=17, input_names=["input"], dynamic_axes={"input": free})
    return path
