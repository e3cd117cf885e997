"""Rows of what networks are made of: convolutions, products, pools, normalisations, recurrent layers, resizing, quantised arithmetic."""
import numpy as np
import onnx

from builder import Reject
from rows_elements import partner
from table import row


def image(g, low=3, high=5):
    ranks = [r for r in g.theme.ranks if low <= r <= high] or [min(max(4, low), high)]
    return g.pick(lambda v: v.dtype == g.main_float and low <= v.rank <= high and not v.const and all(min(s) > 0 for s in v.sizes),
                  lambda: g.input(g.draw_shape(g.one_of(ranks))))


def window(g, x, most=5):
    """Attributes of a window over x's spatial axes; auto_pad or pads."""
    spatial = x.rank - 2
    kernel, attrs = [], {}
    for d in range(spatial):
        fit = min(x.sizes[d + 2])
        kernel.append(g.one_of([k for k in (1, 2, 3, 3, 3, 5, 7) if k <= min(most, fit + 1)]))
    if g.chance(0.5):
        kernel = [min(kernel)] * spatial
    reach = [k for k in kernel]
    if g.chance(0.5):
        attrs["strides"] = [g.one_of([1, 2, 2, 3])] * spatial if g.chance(0.7) else [g.one_of([1, 2]) for _ in range(spatial)]
    if g.chance(0.2):
        attrs["dilations"] = [g.one_of([1, 2])] * spatial
        reach = [(k - 1) * attrs["dilations"][0] + 1 for k in kernel]
    style = g.number(0, 4)
    if style == 0:
        attrs["auto_pad"] = g.one_of(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif style < 4:
        pads = [k // 2 for k in kernel] if g.chance(0.7) else [g.number(0, (k - 1)) for k in kernel]
        attrs["pads"] = pads + (pads if g.chance(0.8) else [g.number(0, (k - 1)) for k in kernel])
    for d in range(spatial):  # a window that is larger than what it slides over is refused
        pads = attrs.get("pads", [0] * 2 * spatial)
        if "SAME" not in attrs.get("auto_pad", "") and reach[d] > min(x.sizes[d + 2]) + pads[d] + pads[d + spatial]:
            raise Reject("a window too large")
    return kernel, attrs


CHANNELS = [1, 2, 3, 4, 8, 12, 16, 17, 24, 33]


def convolve(g, x, out=None, kernel=None, attrs=None, bias=None):
    """A Conv with new weights; kernel and attrs are drawn unless given."""
    c = x.dim(1)
    if kernel is None:
        kernel, attrs = window(g, x)
    group, out = 1, out or g.one_of(CHANNELS)
    if g.chance(0.2):
        group, out = c, c * g.one_of([1, 1, 2])
    elif c % 2 == 0 and g.chance(0.1):
        group, out = 2, out + out % 2
    if c == 0 or out * c * np.prod(kernel) > 20000:
        raise Reject("too large")
    w = g.floats(out, c // group, *kernel, scale=1.5 / np.sqrt(c // group * np.prod(kernel)))
    if g.chance(0.1) and not g.outer:
        w = g.input([(n,) * g.n_sets for n in w.shape])
    attrs = dict(attrs)
    if group > 1:
        attrs["group"] = group
    if g.chance(0.8):
        attrs["kernel_shape"] = kernel
    b = g.floats(out) if (g.chance(0.6) if bias is None else bias) else None
    return g.add("Conv", [x, w, b], **attrs)


@row("Conv", tags=("image",), weight=3.0)
def conv(g):
    convolve(g, image(g))


@row("ConvTranspose", tags=("image",))
def conv_transpose(g):
    x = image(g, 3, 4)
    c, spatial = x.dim(1), x.rank - 2
    kernel = [g.one_of([1, 2, 3, 4])] * spatial
    group = c if g.chance(0.15) else 1
    out = g.one_of([1, 3, 4, 8]) * (1 if group == 1 else 1)
    strides = [g.one_of([1, 2, 2, 3])] * spatial
    attrs = {"strides": strides}
    if g.chance(0.2):
        attrs["dilations"] = [2] * spatial
    if g.chance(0.5):
        attrs["pads"] = [g.number(0, (k - 1) // 2) for k in kernel] * 2
        if strides[0] > 1 and g.chance(0.4):
            attrs["output_padding"] = [g.number(0, strides[0] - 1)] * spatial
    elif g.chance(0.2) and kernel[0] >= strides[0]:
        attrs["auto_pad"] = g.one_of(["SAME_UPPER", "SAME_LOWER", "VALID"])
    if group > 1:
        attrs["group"] = group
    w = g.floats(c, out, *kernel, scale=1.5 / np.sqrt(c * np.prod(kernel)))
    g.add("ConvTranspose", [x, w, g.floats(out * group) if g.chance(0.5) else None], **attrs)


@row("MaxPool", "AveragePool", "LpPool", tags=("image",), weight=1.5)
def pool(g):
    x = image(g)
    op = g.one_of(["MaxPool", "AveragePool", "MaxPool", "AveragePool", "LpPool"])
    kernel, attrs = window(g, x, 3)
    if op == "LpPool" and "dilations" in attrs and g.opset < 18:
        raise Reject("opset")
    if "dilations" in attrs and ("SAME" in attrs.get("auto_pad", "") or ("auto_pad" in attrs and x.dtype != "float32")):
        raise Reject("evaluators differ")  # VALID: onnx's reference (1.23.2), alone with other types than float32, forgets the dilations
    if op == "AveragePool":
        if g.opset < 19:
            attrs.pop("dilations", None)
        if g.chance(0.4):
            attrs["count_include_pad"] = 1
    if "pads" in attrs:
        if any(p >= k for p, k in zip(attrs["pads"], kernel * 2)):
            raise Reject("more padding than kernel")
        if op != "LpPool" and g.chance(0.25):
            attrs["ceil_mode"] = 1
    if op == "LpPool" and g.chance(0.5):
        attrs["p"] = g.one_of([1, 2, 3])
    if op == "MaxPool" and g.chance(0.15):
        g.add(op, [x], n_out=2, kernel_shape=kernel, **attrs)
    else:
        g.add(op, [x], kernel_shape=kernel, **attrs)


@row("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", tags=("image",))
def global_pool(g):
    g.add(g.one_of(["GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]), [image(g)])


@row("Resize", "Upsample", tags=("image",), weight=1.2)
def resize(g):
    x = image(g, 3, 4)
    mode = g.one_of(["nearest", "linear", "cubic"])
    attrs = {"mode": mode}
    if mode == "cubic" and x.rank != 4:
        raise Reject("two axes")
    coordinates = g.one_of(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel"])
    if g.chance(0.8):
        attrs["coordinate_transformation_mode"] = coordinates
    if mode == "nearest":  # positions that rounding doesn't decide
        attrs["coordinate_transformation_mode"] = "asymmetric"
        attrs["nearest_mode"] = g.one_of(["floor", "round_prefer_floor"])
    if mode == "cubic" and g.chance(0.4):
        attrs["cubic_coeff_a"] = -0.5
    if mode == "cubic" and g.chance(0.2):
        attrs["exclude_outside"] = 1
    if mode != "nearest" and g.opset >= 18 and g.chance(0.15):
        attrs["antialias"] = 1
    if g.chance(0.65):
        scales = [1.0, 1.0] + [g.one_of([1.0, 2.0, 2.0, 3.0, 0.5]) for _ in range(x.rank - 2)]
        if coordinates == "align_corners" and any(n * s % 1 for sizes, s in zip(x.sizes, scales) for n in sizes):
            raise Reject("evaluators differ")
        g.add("Resize", [x, None, g.const(np.array(scales, np.float32))], **attrs)
    else:
        sizes = [x.dim(0), x.dim(1)] + [g.one_of([2, 3, 4, 8]) * x.dim(d) for d in range(2, x.rank)]
        g.add("Resize", [x, None, None, g.ints(*sizes)], **attrs)


@row("MatMul", tags=("matrix",), weight=3.0)
def matmul(g):
    x = g.pick_float(low=1, high=5)
    k = x.dim(x.rank - 1)
    n = g.one_of([1, 2, 3, 8, 16, 17, 33])
    style = g.number(0, 5)
    scale = 1.5 / np.sqrt(max(k, 1))
    if style <= 2:
        y = g.floats(k, n, scale=scale) if g.chance(0.8) else g.floats(k, scale=scale)
        if g.chance(0.1) and not g.outer:
            y = g.input([(d,) * g.n_sets for d in y.shape])
    elif style == 3 and x.rank >= 2:
        y = g.add("Transpose", [x], perm=list(range(x.rank - 2)) + [x.rank - 1, x.rank - 2])
    elif style == 4 and x.rank >= 3:
        y = g.floats(x.dim(0) if x.rank == 3 and g.chance(0.5) else 1, k, n, scale=scale)
    else:
        y = g.pick(lambda v: v.dtype == x.dtype and v.rank >= 2 and set(v.sizes[-2]) == {k} and v is not x)
    z = g.add("MatMul", [x, y])
    if g.chance(0.5) and z.rank:
        g.add("Add", [z, g.floats(z.dim(z.rank - 1))])


@row("Gemm", tags=("matrix",), weight=2.0)
def gemm(g):
    x = g.pick_float(2, 2)
    attrs, n = {}, g.one_of([1, 2, 3, 8, 16, 17, 33])
    across = g.chance(0.25)
    k = x.dim(0 if across else 1)
    if across:
        attrs["transA"] = 1
    if k == 0:
        raise Reject("of nothing, where evaluators differ")
    scale = 1.5 / np.sqrt(k)
    if g.chance(0.5):
        w = g.floats(n, k, scale=scale)
        attrs["transB"] = 1
    else:
        w = g.floats(k, n, scale=scale)
    for name in ("alpha", "beta"):
        if g.chance(0.25):
            attrs[name] = g.one_of([0.5, 2.0, 0.0, -1.0])
    bias = None
    if g.chance(0.75):
        shape = g.one_of([(n,), (1, n), (), (1,)] + ([(x.dim(1 if across else 0), 1)] if g.n_sets == 1 else []))
        bias = g.floats(*shape)
    g.add("Gemm", [x, w, bias], **attrs)


@row("Einsum", tags=("matrix",))
def einsum(g):
    equation, low = g.one_of([("ij,jk->ik", 2), ("bij,bjk->bik", 3), ("bij,jk->bik", 3), ("ij->ji", 2), ("bij->bi", 3), ("...j,j->...", 2),
                              ("bid,bjd->bij", 3), ("ii->i", 0), ("ij,ij->", 2), ("i,j->ij", 1), ("...ij->...ji", 3), ("bhld,bhsd->bhls", 4)])
    if equation == "ii->i":
        x = g.pick(lambda v: v.dtype == g.main_float and v.rank == 2 and v.sizes[0] == v.sizes[1])
        g.add("Einsum", [x], equation=equation)
        return
    x = g.pick_float(low, low)
    left, dims = equation.split("->")[0].split(","), {}
    for letter, sizes in zip([c for c in left[0] if c != "."][::-1], range(x.rank - 1, -1, -1)):
        dims[letter] = x.dim(sizes)
    inputs = [x]
    if len(left) == 2:
        inputs.append(g.floats(*[dims.get(c) or g.one_of([1, 2, 3, 5]) for c in left[1]]))
    g.add("Einsum", inputs, equation=equation)


@row("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization", "LpNormalization", "LRN",
     "MeanVarianceNormalization", tags=("norm",), weight=2.0)
def norm(g):
    op = g.one_of(["BatchNormalization", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization",
                   "LayerNormalization", "RMSNormalization", "LpNormalization", "LRN", "MeanVarianceNormalization"])
    if op in ("LayerNormalization", "RMSNormalization"):
        x = g.pick_float(1, 5)
        if op == "RMSNormalization" and g.opset < 23:
            raise Reject("opset")
        axis = g.number(max(0, x.rank - 2), x.rank - 1)
        shape = [x.dim(d) for d in range(axis, x.rank)]
        attrs = {"axis": axis if g.chance(0.5) else axis - x.rank, "epsilon": 1e-3}
        if op == "LayerNormalization":
            g.add(op, [x, g.floats(*shape), g.floats(*shape) if g.chance(0.7) else None], n_out=3 if g.chance(0.1) else 1, **attrs)
        else:
            g.add(op, [x, g.floats(*shape)], **attrs)
        return
    if op == "LpNormalization":
        x = g.pick_float(1, 5)
        g.add(op, [into_away(g, x)], axis=g.number(-1, x.rank - 1), p=g.number(1, 2))
        return
    x = image(g, 2 if op == "BatchNormalization" else 4 if op in ("LRN", "MeanVarianceNormalization") else 3, 4)
    c = x.dim(1)
    if op == "BatchNormalization":
        g.add(op, [x, g.floats(c), g.floats(c), g.floats(c), g.floats(c, kind="positive")], **({"epsilon": 1e-3} if g.chance(0.5) else {}))
    elif op == "InstanceNormalization":
        g.add(op, [x, g.floats(c), g.floats(c)], epsilon=1e-2)
    elif op == "GroupNormalization":
        if g.opset < 21:
            raise Reject("opset")
        g.add(op, [x, g.floats(c), g.floats(c)], num_groups=g.one_of([d for d in range(1, c + 1) if c % d == 0]), epsilon=1e-2)
    elif op == "LRN":
        g.add(op, [x], size=g.one_of([1, 3, 5]), **({"alpha": 0.01, "beta": 0.6, "bias": 1.5} if g.chance(0.7) else {}))
    else:
        g.add(op, [x])


def into_away(g, x):
    return g.add("Add", [g.add("Abs", [x]), g.scalar(0.1, x)]) if g.chance(0.5) else x


@row("Softmax", "LogSoftmax", "Hardmax", tags=("norm", "reduce"), weight=1.5)
def softmax(g):
    x = g.pick_float(1, 5)
    if min(c[0].size for c in x.data) == 0:
        raise Reject("of nothing")
    g.add(g.one_of(["Softmax", "Softmax", "LogSoftmax", "Hardmax"]), [x], **({"axis": g.number(-x.rank, x.rank - 1)} if g.chance(0.7) else {}))


@row("LSTM", "GRU", "RNN", tags=("rnn",))
def recurrent(g):
    need_float32(g)
    op = g.one_of(["LSTM", "GRU", "RNN"])
    x = g.pick_float(3, 3)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    direction = g.one_of(["forward", "forward", "reverse", "bidirectional"])
    d, h = 2 if direction == "bidirectional" else 1, g.one_of([1, 2, 4, 8, 17])
    layout = 0  # ONNX Runtime has no other
    length, batch, width = x.sizes[0], x.sizes[1], x.dim(2)
    if min(length) == 0 or min(batch) == 0 or width == 0:
        raise Reject("empty")
    attrs = {"hidden_size": h, "direction": direction}
    inputs = [x, g.floats(d, gates * h, width, scale=0.5), g.floats(d, gates * h, h, scale=0.5)]
    inputs.append(g.floats(d, 2 * gates * h) if g.chance(0.7) else None)
    fixed = len(set(length)) == 1 and len(set(batch)) == 1
    inputs.append(g.const(g.rng.integers(1, length[0] + 1, batch[0]).astype(np.int32)) if fixed and g.chance(0.2) else None)
    for _ in range(2 if op == "LSTM" else 1):
        inputs.append(g.floats(d, batch[0], h) if len(set(batch)) == 1 and g.chance(0.4) else None)
    if op == "LSTM" and g.chance(0.2):
        inputs.append(g.floats(d, 3 * h))
    if op == "GRU" and g.chance(0.5):
        attrs["linear_before_reset"] = 1
    if g.chance(0.15):
        attrs["clip"] = 0.7
    if g.chance(0.2):
        attrs["activations"] = {"LSTM": ["Sigmoid", "Tanh", g.one_of(["Relu", "Softsign", "Tanh"])], "GRU": ["Sigmoid", g.one_of(["Relu", "Tanh"])],
                                "RNN": [g.one_of(["Relu", "Sigmoid"])]}[op] * d
    del layout
    outs = g.add(op, inputs, n_out=3 if op == "LSTM" else 2, **attrs)
    if g.chance(0.6):
        g.add("Squeeze", [outs[0], g.ints(1)]) if d == 1 else g.add("Transpose", [outs[0]], perm=[0, 2, 1, 3])


# ---- Quantised arithmetic


def quantized(g, x, dtype=None, channel=False):
    """x rounded to 8 bits and back, as quantised models have it."""
    dtype = dtype or g.one_of(["uint8", "int8"])
    top = max(abs(x.low()), abs(x.high()), 0.1)
    zero = int(g.number(110, 140)) if dtype == "uint8" else int(g.one_of([0, 0, 3]))
    scale = np.array(top / 110, np.float32)
    z = g.const(np.array(zero, dtype)) if zero or dtype == "int8" or g.chance(0.5) else None
    s = g.const(scale)
    q = g.add("QuantizeLinear", [x, s, z])
    return g.add("DequantizeLinear", [q, s, z])


def quantized_weights(g, shape, axis):
    per = g.chance(0.5)
    n = shape[axis] if per else 1
    scale = (g.rng.uniform(0.5, 1.5, n) * 1.5 / np.sqrt(max(np.prod(shape) / max(shape[axis], 1), 1)) / 127).astype(np.float32)
    q = g.const(g.rng.integers(-127, 128, shape).astype(np.int8))
    zero = g.const(np.zeros(n if per else (), np.int8))
    return g.add("DequantizeLinear", [q, g.const(scale if per else scale.reshape(())), zero], **({"axis": axis} if per else {})), scale


def tensors(g):
    """The constants of a graph, as initialisers and as nodes."""
    return list(g.initializers) + [n.attribute[0].t for n in g.nodes if n.op_type == "Constant"]


def need_float32(g):
    if g.main_float != "float32":
        raise Reject("type")


@row("QuantizeLinear", "DequantizeLinear", tags=("quant",), weight=1.5)
def quantize(g):
    need_float32(g)
    x = g.pick_float(1, 4)
    if g.chance(0.6):
        quantized(g, x)
        return
    axis = g.number(0, x.rank - 1)
    n = x.dim(axis)
    scale = g.const((g.rng.uniform(0.5, 1.5, n) * max(x.scale, 0.1) / 100).astype(np.float32))
    zero = g.const(g.rng.integers(-5, 6, n).astype(np.int8)) if g.chance(0.7) else g.const(np.zeros(n, np.uint8))
    q = g.add("QuantizeLinear", [x, scale, zero], axis=axis if g.chance(0.6) else axis - x.rank)
    if g.chance(0.7):
        g.add("DequantizeLinear", [q, scale, zero], axis=axis)


@row("QuantizeLinear", "DequantizeLinear", "Conv", "MatMul", "Gemm", tags=("quant", "chain"), weight=1.5)
def quantized_product(g):
    need_float32(g)
    if g.chance(0.5):
        x = quantized(g, image(g, 4, 4))
        unit = onnx.numpy_helper.to_array(next(t for t in tensors(g) if t.name == g.nodes[-1].input[1]))
        c, out, k = x.dim(1), g.one_of([1, 4, 8, 16, 17]), g.one_of([1, 3])
        if min(min(x.sizes[2]), min(x.sizes[3])) < k - 1:
            raise Reject("small")
        w, scale = quantized_weights(g, (out, c, k, k), 0)
        bias = None  # whole numbers of products of levels, as quantised models have it: else its rounding decides between levels
        if g.chance(0.6):
            bias = g.const((g.rng.integers(-500, 501, out) * (unit * scale)).astype(np.float32))
        y = g.add("Conv", [x, w, bias], kernel_shape=[k, k], pads=[k // 2] * 4)
    else:
        x = quantized(g, g.pick_float(2, 4))
        k, n = x.dim(x.rank - 1), g.one_of([1, 4, 8, 16, 17])
        if k == 0:
            raise Reject("empty")
        y = g.add("MatMul", [x, quantized_weights(g, (k, n), 1)[0]])
        if g.chance(0.5):
            y = g.add("Add", [y, g.floats(n)])
    if g.chance(0.5):
        y = g.add("Relu", [y])
    if g.chance(0.7):
        y = quantized(g, y)
    if g.chance(0.3):
        g.add("Add", [y, quantized(g, partner(g, y))])


@row("DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul", tags=("quant",))
def integer_products(g):
    need_float32(g)
    style = g.number(0, 3)
    if style == 0:
        x = g.pick_float(2, 3)
        k, n = x.dim(x.rank - 1), g.one_of([1, 4, 17])
        q, s, z = g.add("DynamicQuantizeLinear", [x], n_out=3)
        r = g.add("MatMulInteger", [q, g.const(g.rng.integers(-127, 128, (k, n)).astype(np.int8)), z])
        g.add("Mul", [g.add("Cast", [r], check=False, to=1), g.add("Mul", [s, g.scalar(0.001)])])
    elif style == 1:
        x = g.pick(lambda v: v.dtype == "uint8" and v.rank == 4, lambda: g.input(g.draw_shape(4), "uint8"))
        w = g.const(g.rng.integers(0, 256, (g.one_of([1, 4, 8]), x.dim(1), 1, 1)).astype(np.uint8))
        r = g.add("ConvInteger", [x, w, g.const(np.array(g.number(0, 255), np.uint8))])
        g.add("Mul", [g.add("Cast", [r], check=False, to=1), g.scalar(1e-3)])
    elif style == 2:
        x = g.pick_float(4, 4)
        c, out = x.dim(1), g.one_of([1, 4, 8])
        s, z = g.const(np.array(max(x.scale, 0.1) / 110, np.float32)), g.const(np.array(128, np.uint8))
        q = g.add("QuantizeLinear", [x, s, z])
        w = g.const(g.rng.integers(-127, 128, (out, c, 1, 1)).astype(np.int8))
        ws, wz = g.const(np.array(0.01, np.float32)), g.const(np.array(0, np.int8))
        g.add("QLinearConv", [q, s, z, w, ws, wz, g.const(np.array(max(x.scale, 0.1) * np.sqrt(c) / 80, np.float32)), z])
    else:
        x = g.pick_float(2, 2)
        s, z = g.const(np.array(max(x.scale, 0.1) / 110, np.float32)), g.const(np.array(128, np.uint8))
        q = g.add("QuantizeLinear", [x, s, z])
        k = x.dim(1)
        if k == 0:
            raise Reject("of nothing, where evaluators differ")
        w = g.const(g.rng.integers(0, 256, (k, g.one_of([1, 4, 17]))).astype(np.uint8))
        ys = g.const(np.array(max(x.scale, 0.1) * np.sqrt(max(k, 1)) / 80, np.float32))
        g.add("QLinearMatMul", [q, s, z, w, g.const(np.array(0.01, np.float32)), z, ys, z])
