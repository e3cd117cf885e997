"""Rows of sampling and region operators, attention as one operator, losses, sequences of tensors, and other newer operators."""
import numpy as np

from builder import Reject
from oracle import elem
from rows_networks import image, need_float32
from rows_shape import anything
from table import row


@row("GridSample", "AffineGrid", tags=("image",))
def grid_sample(g):
    need_float32(g)
    x = image(g, 4, 4)
    n, h, w = x.dim(0), g.number(1, 6), g.number(1, 6)
    align = g.number(0, 1)
    if g.chance(0.5) and g.opset >= 20 and not (align and 1 in (h, w)):  # where evaluators differ
        theta = g.const(g.rng.uniform(-0.9, 0.9, (n, 2, 3)).astype(np.float32))
        grid = g.add("AffineGrid", [theta, g.ints(n, x.dim(1), h, w)], align_corners=align)
    else:
        grid = g.const(g.rng.uniform(-1.2, 1.2, (n, h, w, 2)).astype(np.float32))
    linear = "linear" if g.opset >= 20 else "bilinear"
    attrs = {"mode": g.one_of([linear, linear, "cubic" if g.opset >= 20 else "bicubic"]), "align_corners": align}
    if g.chance(0.6):
        attrs["padding_mode"] = g.one_of(["zeros", "border", "reflection"])
    g.add("GridSample", [x, grid], **attrs)


@row("RoiAlign", "MaxRoiPool", tags=("image",), weight=0.7)
def regions(g):
    need_float32(g)
    x = image(g, 4, 4)
    n, k = x.dim(0), g.number(1, 4)
    h, w = x.dim(2), x.dim(3)
    corner = g.rng.uniform(0, 0.5, (k, 2)) * [w, h]
    boxes = np.concatenate([corner, corner + g.rng.uniform(0.6, 1, (k, 2)) * [w / 2, h / 2]], 1).astype(np.float32)
    which = g.rng.integers(0, n, k)
    out = {"output_height": g.number(1, 4), "output_width": g.number(1, 4)}
    if g.chance(0.25):
        rois = np.concatenate([which[:, None], np.round(boxes)], 1).astype(np.float32)
        g.add("MaxRoiPool", [x, g.const(rois)], pooled_shape=list(out.values()), **({"spatial_scale": 0.5} if g.chance(0.3) else {}))
        return
    attrs = {**out, "sampling_ratio": g.number(0, 3)}
    if g.chance(0.5):
        attrs["coordinate_transformation_mode"] = g.one_of(["half_pixel", "output_half_pixel"])
    if g.chance(0.3):
        attrs["spatial_scale"] = 0.5
    g.add("RoiAlign", [x, g.const(boxes), g.const(which.astype(np.int64))], **attrs)


@row("Col2Im", "CenterCropPad", "MaxUnpool", "DeformConv", tags=("image",), since=18, weight=0.8)
def image_pieces(g):
    style = g.number(0, 3)
    if style == 0:
        h, w, kh, kw, c = g.number(2, 6), g.number(2, 6), g.number(1, 2), g.number(1, 2), g.number(1, 3)
        columns = (h - kh + 1) * (w - kw + 1)
        x = g.input([(n,) * g.n_sets for n in (g.number(1, 2), c * kh * kw, columns)])
        g.add("Col2Im", [x, g.ints(h, w), g.ints(kh, kw)])
    elif style == 1:
        x = anything(g, 1, 4)
        axes = sorted(int(a) for a in g.rng.choice(x.rank, g.number(1, x.rank), replace=False))
        g.add("CenterCropPad", [x, g.ints(*[g.number(1, 8) for _ in axes])], axes=axes)
    elif style == 2:
        need_float32(g)
        x = image(g, 4, 4)
        if any(n < 2 or n % 2 for d in (2, 3) for n in x.sizes[d]):
            raise Reject("small or odd")
        y, i = g.add("MaxPool", [x], n_out=2, kernel_shape=[2, 2], strides=[2, 2])
        g.add("MaxUnpool", [y, i], kernel_shape=[2, 2], strides=[2, 2])
    else:
        need_float32(g)
        x = image(g, 4, 4)
        c, k, out = x.dim(1), g.one_of([1, 2, 3]), g.one_of([1, 3, 8])
        h, w = x.dim(2) - k + 1, x.dim(3) - k + 1
        if h < 1 or w < 1 or not c:
            raise Reject("small")
        offset = g.const(g.rng.uniform(-1, 1, (x.dim(0), 2 * k * k, h, w)).astype(np.float32))
        mask = g.const(g.rng.uniform(0, 1, (x.dim(0), k * k, h, w)).astype(np.float32)) if g.chance(0.5) else None
        bias = g.floats(out) if g.chance(0.5) else None
        g.add("DeformConv", [x, g.floats(out, c, k, k, scale=0.5), offset, bias, mask], kernel_shape=[k, k], pads=[0] * 4)


@row("Det", "Unique", "BitCast", "TensorScatter", tags=("index",), weight=0.8)
def oddments(g):
    style = g.number(0, 3)
    if style == 0:
        n = g.number(1, 4)
        x = g.input([(k,) * g.n_sets for k in ([2] if g.chance(0.5) else []) + [n, n]])
        g.add("Det", [x])
    elif style == 1:
        x = g.pick(lambda v: v.dtype in ("int64", "int32", "int8", "float32") and v.rank >= 1 and not v.const,
                   lambda: g.input(g.draw_shape(g.number(1, 2)), "int64"))
        attrs = {"sorted": g.number(0, 1)} if g.chance(0.5) else {}
        if g.chance(0.4):
            attrs["axis"] = g.number(0, x.rank - 1)
            if x.dtype == "int32":  # not in ONNX Runtime, and onnx's reference (1.23.2) takes unsorted slices along axis 0, whatever the axis
                attrs["sorted"] = 1
        g.add("Unique", [x], n_out=g.one_of([1, 4]), **attrs)
    elif style == 2 and g.opset >= 26:
        x = g.pick(lambda v: v.dtype in ("int32", "uint32", "int64") and not v.const, lambda: g.input(g.draw_shape(g.number(0, 3)), "int32"))
        to = {"int32": "uint32", "uint32": "int32", "int64": "uint64"}[x.dtype]
        g.add("BitCast", [x], check=False, to=elem(to))
    elif g.opset >= 24:
        n, length = g.number(1, 3), g.number(2, 6)
        width, new = g.number(1, 4), g.number(1, 2)
        cache = g.input([(k,) * g.n_sets for k in (n, length, width)])
        update = g.input([(k,) * g.n_sets for k in (n, new, width)])
        where = g.const(g.rng.integers(0, length - new + 1, n).astype(np.int64)) if g.chance(0.7) else None
        g.add("TensorScatter", [cache, update, where], **({"mode": g.one_of(["linear", "circular"])} if g.chance(0.5) else {}))


@row("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss", tags=("reduce",), weight=0.5)
def losses(g):
    need_float32(g)
    x = g.pick_float(2, 4)
    n, c = x.dim(0), x.dim(1)
    if 0 in x.shape:
        raise Reject("empty")
    target = g.const(g.rng.integers(0, c, [n] + [x.dim(d) for d in range(2, x.rank)]).astype(np.int64))
    weight = g.floats(c, kind="positive") if g.chance(0.4) else None
    attrs = {"reduction": g.one_of(["none", "mean", "sum"])} if g.chance(0.7) else {}
    if g.chance(0.2):
        attrs["ignore_index"] = 0
    if g.chance(0.5):
        g.add("NegativeLogLikelihoodLoss", [g.add("LogSoftmax", [x], axis=1), target, weight], **attrs)
    else:
        g.add("SoftmaxCrossEntropyLoss", [x, target, weight], n_out=g.one_of([1, 2]), **attrs)


@row("Attention", "RotaryEmbedding", tags=("matrix", "chain"), since=23, weight=1.2)
def attention_operator(g):
    need_float32(g)
    batch, heads, length, width = g.number(1, 2), g.one_of([1, 2, 4]), g.one_of([1, 2, 3, 5, 8]), g.one_of([2, 4, 8])
    key_heads = g.one_of([h for h in (1, 2, 4) if heads % h == 0])
    keys = length if g.chance(0.6) else g.one_of([1, 3, 7])

    def make(h, n, w=width):
        return g.input([(k,) * g.n_sets for k in (batch, h, n, w)]) if g.chance(0.5) else g.floats(batch, h, n, w)

    q, k = make(heads, length), make(key_heads, keys)
    v = make(key_heads, keys, g.one_of([width, width, 3]))
    if g.chance(0.3):
        half = width // 2
        angle = g.rng.uniform(-3, 3, (16, half))
        cos, sin = g.const(np.cos(angle).astype(np.float32)), g.const(np.sin(angle).astype(np.float32))
        at = g.const(np.tile(np.arange(length), (batch, 1)).astype(np.int64))
        q = g.add("RotaryEmbedding", [q, cos, sin, at], **({"interleaved": 1} if g.chance(0.4) else {}))
    inputs, attrs, n_out = [q, k, v], {}, 1
    if g.chance(0.4):
        attrs["is_causal"] = 1
    if g.chance(0.4):
        attrs["scale"] = 0.3
    if g.chance(0.2):
        attrs["softcap"] = 2.0
    past = g.number(1, 4) if g.chance(0.25) else 0
    if past and keys != length:
        attrs.pop("is_causal", None)  # ONNX Runtime counts from the end there, ONNX from the past
    total = keys + past
    mask = None
    if g.chance(0.5):
        shape = g.one_of([(length, total), (batch, 1, length, total), (1, heads, length, total)])
        mask = g.const(g.rng.random(shape) < 0.8) if g.chance(0.4) else g.const(g.rng.uniform(-2, 0, shape).astype(np.float32))
    inputs.append(mask)
    if past:
        inputs += [g.floats(batch, key_heads, past, width), g.floats(batch, key_heads, past, v.dim(3))]
        n_out = 3
    g.add("Attention", inputs, n_out=n_out, **attrs)


@row("SplitToSequence", "SequenceConstruct", "SequenceAt", "SequenceInsert", "SequenceErase", "SequenceLength", "ConcatFromSequence", tags=("shape",))
def sequences(g):
    if g.outer:
        raise Reject("not inside")
    x = anything(g, 1, 4)
    axis = g.number(0, x.rank - 1)
    if x.dim(axis) < 1 or x.dtype not in ("float32", "float64", "int64", "int32"):
        raise Reject("nothing to split")
    if g.chance(0.5):
        s = g.add_sequence("SplitToSequence", [x, g.const(np.array(g.number(1, 2), np.int64)) if g.chance(0.6) else None], axis=axis)
        parts = -(-x.dim(axis) // 2)
    else:
        s = g.add_sequence("SequenceConstruct", [x, g.add("Neg", [x]), x])
        parts = 3
    for _ in range(g.number(0, 2)):
        if g.chance(0.5):
            s = g.add_sequence("SequenceInsert", [s, x] + ([g.const(np.array(0, np.int64))] if g.chance(0.5) else []))
        elif parts > 1:
            s = g.add_sequence("SequenceErase", [s, g.const(np.array(g.number(-1, 0), np.int64))])
    style = g.number(0, 2)
    if style == 0:
        g.add("SequenceAt", [s, g.const(np.array(g.number(-1, 0), np.int64))])
    elif style == 1:
        g.add("SequenceLength", [s])
    else:
        g.add("ConcatFromSequence", [s], axis=axis)


