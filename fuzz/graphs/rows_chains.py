"""Chains that the passes look for: whole pieces of networks as exporters write them, with their variations and near misses."""
import numpy as np

from builder import Reject
from oracle import elem
from rows_elements import partner
from rows_networks import convolve, image
from table import row


def act(g, x):
    """An activation, at times spelt out."""
    style = g.number(0, 8)
    if style <= 1:
        return g.add("Relu", [x])
    if style == 2:
        return g.add("Clip", [x, g.scalar(0.0, x), g.scalar(6.0, x)])
    if style == 3:
        return g.add("Mul", [x, g.add("Sigmoid", [x])])  # SiLU
    if style == 4:  # hard swish
        ramp = g.add("Clip", [g.add("Add", [x, g.scalar(3.0, x)]), g.scalar(0.0, x), g.scalar(6.0, x)])
        return g.add("Div", [g.add("Mul", [x, ramp]), g.scalar(6.0, x)])
    if style == 5:  # GELU by erf
        e = g.add("Erf", [g.add("Div", [x, g.scalar(1.4142135381698608, x)])])
        return g.add("Mul", [g.add("Mul", [x, g.add("Add", [e, g.scalar(1.0, x)])]), g.scalar(0.5, x)])
    if style == 6:  # GELU by tanh
        cube = g.add("Pow", [x, g.scalar(3.0, x)]) if g.chance(0.5) else g.add("Mul", [x, g.add("Mul", [x, x])])
        inner = g.add("Mul", [g.add("Add", [x, g.add("Mul", [cube, g.scalar(0.044715, x)])]), g.scalar(0.7978845608, x)])
        return g.add("Mul", [g.add("Mul", [x, g.scalar(0.5, x)]), g.add("Add", [g.add("Tanh", [inner]), g.scalar(1.0, x)])])
    if style == 7:
        return g.add("LeakyRelu", [x], alpha=0.1)
    return g.add(g.one_of(["Sigmoid", "Tanh", "Elu", "Softplus", "HardSwish", "HardSigmoid", "Mish"]), [x])


def batch_norm(g, x):
    c = x.dim(1)
    if g.chance(0.75):
        return g.add("BatchNormalization", [x, g.floats(c), g.floats(c), g.floats(c), g.floats(c, kind="positive")], epsilon=1e-3)
    shape = (c,) + (1,) * (x.rank - 2)  # scale and shift, spelt out
    y = g.add("Mul", [x, g.floats(*shape)])
    return g.add("Add", [y, g.floats(*shape)]) if g.chance(0.8) else y


@row("Conv", "BatchNormalization", "Add", "Relu", tags=("chain", "image"), weight=2.5)
def conv_block(g):
    x = image(g, 4, 4)
    y = convolve(g, x)
    if g.chance(0.6):
        y = batch_norm(g, y)
    if g.chance(0.3):
        y = act(g, y)
    if g.chance(0.5):  # a residual
        other = g.pick(lambda v: v.dtype == y.dtype and v.sizes == y.sizes and v is not y,
                       lambda: convolve(g, x, y.dim(1), [1, 1], {}) if g.chance(0.7) else partner(g, y))
        if g.chance(0.15) and all(len(set(s)) == 1 for s in y.sizes):
            other = g.floats(*(s[0] for s in y.sizes))
        y = g.add("Add", [y, other] if g.chance(0.5) else [other, y])
    if g.chance(0.7):
        y = act(g, y)
    if g.chance(0.3):
        y = convolve(g, y, None, [1, 1], {})


@row("Conv", "Concat", "Relu", tags=("chain", "image"))
def branches(g):
    """Branches that meet in a Concat, which may grow."""
    x = image(g, 4, 4)
    parts = []
    for _ in range(g.number(1, 3)):
        y = convolve(g, x, g.one_of([1, 3, 8, 16]), *g.one_of([([1, 1], {}), ([3, 3], {"pads": [1, 1, 1, 1]})]))
        parts.append(act(g, y) if g.chance(0.5) else y)
        if g.chance(0.3) and len(parts) > 1:
            x = parts[-1] = g.add("Concat", parts[-2:], axis=1)
    if g.chance(0.4):
        parts.append(x)
    y = g.add("Concat", parts, axis=1)
    if g.chance(0.5):
        convolve(g, y, 8, [1, 1], {})


@row("Split", "Concat", "Mul", "Sigmoid", tags=("chain", "image"))
def split_and_join(g):
    """Halves of the channels: gated units, shuffled channels, parts that skip a layer."""
    x = g.pick_float(2, 4)
    c = x.dim(1)
    if c < 2 or c % 2:
        raise Reject("odd")
    a, b = g.add("Split", [x, g.ints(c // 2, c // 2)], n_out=2, axis=1)
    style = g.number(0, 2)
    if style == 0:
        g.add("Mul", [a, g.add("Sigmoid", [b])])
    elif style == 1:
        b = convolve(g, b, None, [3, 3], {"pads": [1, 1, 1, 1]}) if b.rank == 4 and min(min(s) for s in b.sizes) > 0 else act(g, b)
        g.add("Concat", [a, b], axis=1)
    elif x.rank == 4:
        h, w = x.dim(2), x.dim(3)
        y = g.add("Reshape", [x, g.ints(0, 2, c // 2, h, w)])
        y = g.add("Transpose", [y], perm=[0, 2, 1, 3, 4])
        g.add("Reshape", [y, g.ints(0, c, h, w)])


def spelt_norm(g, x, axes=(-1,)):
    """A layer normalisation of ReduceMean, Sub, Pow, Sqrt, Div."""
    def mean(v):
        if g.opset >= 18:
            return g.add("ReduceMean", [v, g.ints(*axes)])
        return g.add("ReduceMean", [v], axes=list(axes))

    d = g.add("Sub", [x, mean(x)])
    square = g.add("Pow", [d, g.scalar(2.0, x)]) if g.chance(0.5) else g.add("Mul", [d, d])
    root = g.add("Sqrt", [g.add("Add", [mean(square), g.scalar(1e-2, x)])])
    y = g.add("Div", [d, root]) if g.chance(0.7) else g.add("Mul", [d, g.add("Reciprocal", [root])])
    n = x.dim(x.rank - 1)
    if g.chance(0.8):
        y = g.add("Mul", [y, g.floats(n)] if g.chance(0.5) else [g.floats(n), y])
        if g.chance(0.8):
            y = g.add("Add", [y, g.floats(n)])
    return y


@row("ReduceMean", "Sub", "Pow", "Sqrt", "Div", tags=("chain", "norm"))
def spelt_norms(g):
    x = g.pick_float(2, 4)
    style = g.number(0, 2)
    if style == 0:
        spelt_norm(g, x)
    elif style == 1:  # RMS norm
        square = g.add("Mul", [x, x]) if g.chance(0.5) else g.add("Pow", [x, g.scalar(2.0, x)])
        mean = g.add("ReduceMean", [square, g.ints(-1)]) if g.opset >= 18 else g.add("ReduceMean", [square], axes=[-1])
        root = g.add("Sqrt", [g.add("Add", [mean, g.scalar(1e-2, x)])])
        y = g.add("Div", [x, root]) if g.chance(0.5) else g.add("Mul", [x, g.add("Reciprocal", [root])])
        g.add("Mul", [y, g.floats(x.dim(x.rank - 1))])
    elif x.rank >= 3:  # group norm as exporters write it
        c = x.dim(1)
        k = g.one_of([d for d in range(1, c + 1) if c % d == 0] or [1])
        y = g.add("InstanceNormalization", [g.add("Reshape", [x, g.ints(0, k, -1)]), g.const(np.ones(k, x.dtype)), g.const(np.zeros(k, x.dtype))],
                  epsilon=1e-2)
        y = g.add("Reshape", [y, g.add("Shape", [x])])
        shape = (c,) + (1,) * (x.rank - 2)
        g.add("Add", [g.add("Mul", [y, g.floats(*shape)]), g.floats(*shape)])


def linear(g, x, n):
    k = x.dim(x.rank - 1)
    y = g.add("MatMul", [x, g.floats(k, n, scale=1.5 / np.sqrt(max(k, 1)))])
    return g.add("Add", [g.floats(n), y]) if g.chance(0.7) else y


@row("MatMul", "Softmax", "Transpose", "Reshape", "Where", tags=("chain", "matrix"), weight=2.0)
def attention(g):
    x = g.pick_float(3, 3)
    heads, width = g.one_of([1, 2, 3]), g.one_of([2, 4, 8, 17])
    n = heads * width
    if min(min(s) for s in x.sizes) == 0:
        raise Reject("empty")
    y = spelt_norm(g, x) if g.chance(0.2) else x
    shape = g.ints(0, 0, heads, width) if g.chance(0.7) else g.ints(0, -1, heads, width)

    def split(v, perm):
        return g.add("Transpose", [g.add("Reshape", [v, shape])], perm=perm)

    if g.chance(0.3):
        q, k, v = g.add("Split", [linear(g, y, 3 * n), g.ints(n, n, n)], n_out=3, axis=-1)
    else:
        q, k, v = linear(g, y, n), linear(g, y, n), linear(g, y, n)
    q, v = split(q, [0, 2, 1, 3]), split(v, [0, 2, 1, 3])
    k = split(k, [0, 2, 3, 1]) if g.chance(0.5) else g.add("Transpose", [split(k, [0, 2, 1, 3])], perm=[0, 1, 3, 2])
    scale = 1 / np.sqrt(width)
    if g.chance(0.2):
        q = g.add("Mul", [q, g.scalar(scale, x)])
    s = g.add("MatMul", [q, k])
    if g.chance(0.8):
        s = g.add("Mul", [s, g.scalar(scale, x)]) if g.chance(0.5) else g.add("Div", [s, g.scalar(1 / scale, x)])
    if g.chance(0.4):
        length = x.sizes[1]
        if len(set(length)) == 1 and g.chance(0.7):
            mask = g.const(np.triu(np.full((length[0], length[0]), -1e2 if g.main_float == "float16" else -1e3), 1).astype(x.dtype))
            s = g.add("Add", [s, mask])
        elif len(set(length)) == 1:
            s = g.add("Where", [g.const(np.tril(np.ones((length[0], length[0]), bool))), s, g.scalar(-1e2, x)])
    p = g.add("Softmax", [s], axis=-1 if g.chance(0.8) else 3)
    y = g.add("Transpose", [g.add("MatMul", [p, v])], perm=[0, 2, 1, 3])
    y = g.add("Reshape", [y, g.ints(0, 0, n)])
    if g.chance(0.5):
        y = linear(g, y, x.dim(2))
        y = g.add("Add", [y, x])


@row("MatMul", "Add", "Gemm", "Relu", tags=("chain", "matrix"), weight=1.5)
def perceptron(g):
    x = g.pick_float(2, 3)
    y = linear(g, x, g.one_of([1, 3, 8, 16, 33]))
    y = act(g, y)
    y = linear(g, y, x.dim(x.rank - 1))
    if g.chance(0.6):
        y = g.add("Add", [y, x])
    if g.chance(0.4):
        spelt_norm(g, y)


@row("Add", "Mul", "Sub", "Div", tags=("chain", "any"))
def arithmetic(g):
    """Neutral elements, double negation, constants that fold: what simplification removes."""
    x = g.pick_float()
    for _ in range(g.number(1, 4)):
        style = g.number(0, 9)
        if style == 0:
            x = g.add("Add", [x, g.scalar(0.0, x)])
        elif style == 1:
            x = g.add("Mul", [g.scalar(1.0, x), x])
        elif style == 2:
            x = g.add("Neg", [g.add("Neg", [x])])
        elif style == 3:
            x = g.add("Div", [x, g.scalar(g.one_of([2.0, 3.0, 1.0]), x)])
        elif style == 4:
            x = g.add("Sub", [g.scalar(0.0, x), x])
        elif style == 5:
            x = g.add("Mul", [g.add("Mul", [x, g.scalar(0.5, x)]), g.scalar(3.0, x)])
        elif style == 6:
            x = g.add("Add", [x, g.add("Sqrt", [g.add("Abs", [g.floats(g.number(1, 1))])])])
        elif style == 7:
            x = g.add("Max", [g.add("Min", [x, g.scalar(1.0, x)]), g.scalar(-1.0, x)])
        elif style == 8:
            x = g.add("Cast", [g.add("Cast", [x], to=elem("float64" if x.dtype != "float64" else "float32"))], to=elem(x.dtype))
        else:
            x = g.add("Where", [g.const(np.array(g.chance(0.5))), x, g.scalar(1.0, x)])


@row("Conv", "Resize", "Concat", "MaxPool", tags=("chain", "image"))
def unet_step(g):
    x = image(g, 4, 4)
    h, w = x.dim(2), x.dim(3)
    if h % 2 or w % 2 or not x.dim(1):
        raise Reject("odd")
    a = act(g, convolve(g, x, g.one_of([3, 8, 16]), [3, 3], {"pads": [1, 1, 1, 1]}))
    p = g.add("MaxPool", [a], kernel_shape=[2, 2], strides=[2, 2])
    p = act(g, convolve(g, p, g.one_of([4, 16]), [3, 3], {"pads": [1, 1, 1, 1]}))
    if g.chance(0.5):
        u = g.add("ConvTranspose", [p, g.floats(p.dim(1), 4, 2, 2, scale=0.3)], strides=[2, 2])
    else:
        u = g.add("Resize", [p, None, g.const(np.array([1, 1, 2, 2], np.float32))], mode=g.one_of(["nearest", "linear"]),
                  coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    g.add("Concat", [a, u] if g.chance(0.5) else [u, a], axis=1)


@row("GlobalAveragePool", "Flatten", "Gemm", "Mul", tags=("chain", "image"))
def heads(g):
    x = image(g, 4, 4)
    c = x.dim(1)
    if g.chance(0.5):
        p = g.add("GlobalAveragePool", [x])
    else:
        p = g.add("ReduceMean", [x, g.ints(2, 3)]) if g.opset >= 18 else g.add("ReduceMean", [x], axes=[2, 3])
    if g.chance(0.5):  # squeeze and excitation
        y = act(g, convolve(g, p, g.one_of([1, 2, 4]), [1, 1], {}))
        w = g.floats(c, y.dim(1), 1, 1)
        g.add("Mul", [x, g.add(g.one_of(["Sigmoid", "HardSigmoid"]), [g.add("Conv", [y, w])])])
    else:
        f = g.add("Flatten", [p])
        g.add("Gemm", [f, g.floats(5, c), g.floats(5)], transB=1)


@row("Transpose", "MatMul", "Conv", "LayerNormalization", tags=("chain", "image"))
def channels_last_block(g):
    """As ConvNeXt: depthwise, to channels last, a perceptron, back, and a residual."""
    x = image(g, 4, 4)
    c = x.dim(1)
    y = g.add("Conv", [x, g.floats(c, 1, 3, 3, scale=0.4), g.floats(c)], group=c, pads=[1, 1, 1, 1])
    y = g.add("Transpose", [y], perm=[0, 2, 3, 1])
    if g.chance(0.7):
        y = g.add("LayerNormalization", [y, g.floats(c), g.floats(c)], axis=-1, epsilon=1e-2)
    y = linear(g, act(g, linear(g, y, 2 * c)), c)
    if g.chance(0.5):
        y = g.add("Mul", [y, g.floats(c)])
    y = g.add("Transpose", [y], perm=[0, 3, 1, 2])
    if g.chance(0.7):
        g.add("Add", [x, y])
