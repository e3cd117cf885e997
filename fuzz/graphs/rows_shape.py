"""Rows of operators that move elements, index, and compute shapes."""
import math

import numpy as np
from onnx import helper, numpy_helper

from builder import FLOATS, Reject
from oracle import elem
from rows_elements import integers, partner
from table import row


def anything(g, low=0, high=5):
    ranks = [r for r in g.theme.ranks if low <= r <= high] or [low]
    return g.pick(lambda v: low <= v.rank <= high and not v.const, lambda: g.input(g.draw_shape(g.one_of(ranks))))


def axis_of(g, x):
    axis = g.number(0, x.rank - 1)
    return axis if g.chance(0.6) else axis - x.rank


def whole(g, x):
    """Dims as numbers, -1 where symbolic."""
    return [s[0] if len(set(s)) == 1 else -1 for s in x.sizes]


@row("Transpose", tags=("shape",), weight=2.0)
def transpose(g):
    x = anything(g, 1)
    if g.chance(0.15):
        g.add("Transpose", [x])
        return
    if x.rank == 4 and g.chance(0.6):
        perm = g.one_of([[0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [0, 2, 1, 3]])
    else:
        perm = [int(p) for p in g.rng.permutation(x.rank)]
    y = g.add("Transpose", [x], perm=perm)
    if g.chance(0.35):  # something between it and its inverse
        z = g.add(g.one_of(["Relu", "Neg", "Abs", "Identity"]), [y]) if y.dtype in FLOATS and g.chance(0.7) else y
        back = [int(i) for i in np.argsort(perm)]
        g.add("Transpose", [z], perm=back if g.chance(0.8) else perm)


def split_size(g, n):
    return g.one_of([d for d in range(1, n + 1) if n % d == 0]) if n else 1


@row("Reshape", tags=("shape",), weight=2.0)
def reshape(g):
    x = anything(g)
    dims = whole(g, x)
    style = g.number(0, 4)
    if style == 0:
        shape = [-1]
    elif style == 1 and x.rank:  # one axis in two
        d = g.number(0, x.rank - 1)
        if dims[d] <= 0:
            raise Reject("symbolic")
        k = split_size(g, dims[d])
        shape = [0] * d + ([k, -1] if g.chance(0.5) else [k, dims[d] // k]) + dims[d + 1:]
    elif style == 2 and x.rank >= 2:  # two axes in one
        d = g.number(0, x.rank - 2)
        shape = [0] * d + [-1] + dims[d + 2:]
    elif style == 3 and x.rank:
        d = g.number(0, x.rank)
        shape = dims[:d] + [1] + dims[d:]
    else:
        shape = [0] * min(1, x.rank) + [-1]
    if shape.count(-1) > 1:
        raise Reject("two unknown dims")
    g.add("Reshape", [x, g.ints(*shape)])


@row("Shape", "Gather", "Concat", "Reshape", "Slice", "Unsqueeze", "Mul", tags=("shape", "chain"), weight=1.5)
def computed_reshape(g):
    """As exporters of PyTorch write x.view(x.size(0), -1, ..). A computed dim of 0 would copy the input's, and -1 beside it stands for nothing
    in particular: no program means that, and with symbols a computed dim counts as not 0."""
    x = anything(g, 2)
    if min(min(s) for s in x.sizes) == 0:
        raise Reject("empty")
    parts, d = [], g.number(0, x.rank - 1)
    shape = g.add("Shape", [x])
    for axis in range(x.rank):
        if axis == d:
            part = g.ints(-1)
        elif g.chance(0.4):
            part = g.add("Unsqueeze", [g.add("Gather", [shape, g.const(np.array(axis, np.int64))], axis=0), g.ints(0)])
        elif g.chance(0.3):
            part = g.add("Slice", [shape, g.ints(axis), g.ints(axis + 1), g.ints(0)])
        elif g.chance(0.3):
            part = g.add("Shape", [x], start=axis, end=axis + 1)
        else:
            part = g.ints(x.dim(axis))
        parts.append(part)
    if g.chance(0.4):  # merge the first two
        merged = g.add("Mul", parts[:2]) if d > 1 else g.ints(-1)
        parts = [merged] + parts[2:] if d <= 1 or g.chance(1) else parts
    g.add("Reshape", [x, g.add("Concat", parts, axis=0)])


@row("Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", tags=("shape",), weight=1.5)
def simple_views(g):
    op = g.one_of(["Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"])
    if op == "Flatten":
        x = anything(g)
        g.add(op, [x], **({"axis": g.number(-x.rank, x.rank)} if g.chance(0.8) else {}))
    elif op == "Squeeze":
        x = g.pick(lambda v: any(set(s) == {1} for s in v.sizes) and not v.const)
        axes = [d for d, s in enumerate(x.sizes) if set(s) == {1}]
        if g.chance(0.15) and not any(1 in s and set(s) != {1} for s in x.sizes):
            g.add(op, [x])
        else:
            axes = [int(a) for a in g.rng.choice(axes, g.number(1, len(axes)), replace=False)]
            g.add(op, [x, g.ints(*[a if g.chance(0.6) else a - x.rank for a in axes])])
    elif op == "Unsqueeze":
        x = anything(g, 0, 4)
        n = g.number(1, 2)
        g.add(op, [x, g.ints(*[int(a) for a in g.rng.choice(x.rank + n, n, replace=False)])])
    else:
        g.add(op, [anything(g) if op == "Identity" else g.pick_float()])


@row("Concat", tags=("shape",), weight=2.0)
def concat(g):
    x = anything(g, 1)
    axis = g.number(0, x.rank - 1)
    parts = [x]
    for _ in range(g.number(0, 3)):
        def fits(v):
            return v.dtype == x.dtype and v.rank == x.rank and all(a == b for d, (a, b) in enumerate(zip(v.sizes, x.sizes)) if d != axis)

        def make():
            sizes = list(x.sizes)
            sizes[axis] = (g.one_of([0, 1, 2, 3, 5, 16]) if g.chance(0.9) else 1,) * g.n_sets
            if all(len(set(s)) == 1 for s in sizes) and g.chance(0.5):
                return g.const(g.draw_data([s[0] for s in sizes], x.dtype))
            return g.input(sizes, x.dtype)

        parts.append(g.pick(fits, make))
    parts = [parts[i] for i in g.rng.permutation(len(parts))]
    g.add("Concat", parts, axis=axis if g.chance(0.6) else axis - x.rank)


@row("Split", tags=("shape",), weight=1.5)
def split(g):
    x = anything(g, 1)
    axis = g.number(0, x.rank - 1)
    n = x.dim(axis)
    parts = g.number(1, min(4, max(n, 1)))
    attrs = {"axis": axis if g.chance(0.6) else axis - x.rank}
    if g.opset >= 18 and g.chance(0.4):
        out = g.add("Split", [x], n_out=parts, num_outputs=parts, **attrs)
    elif n % parts == 0 and g.opset < 18 and g.chance(0.3):
        out = g.add("Split", [x], n_out=parts, **attrs)
    else:
        cuts = sorted(int(c) for c in g.rng.integers(0, n + 1, parts - 1))
        sizes = [b - a for a, b in zip([0] + cuts, cuts + [n])]
        out = g.add("Split", [x, g.ints(*sizes)], n_out=parts, **attrs)
    out = out if isinstance(out, list) else [out]
    if g.chance(0.3):  # together again
        g.add("Concat", out[::-1] if g.chance(0.5) else out, axis=axis)


@row("Slice", tags=("shape",), weight=1.5)
def slice_(g):
    x = anything(g, 1)
    axes = sorted(int(a) for a in g.rng.choice(x.rank, g.number(1, min(2, x.rank)), replace=False))
    starts, ends, steps = [], [], []
    for a in axes:
        n = max(x.sizes[a])
        step = g.one_of([1, 1, 1, 2, 3, -1, -2])
        i, j = sorted(int(k) for k in g.rng.integers(0, n + 1, 2))
        if step < 0:
            i, j = j, i - 1 if i else -n - 5
        starts.append(i if g.chance(0.7) else i - n)
        ends.append(j if g.chance(0.7) or step < 0 else g.one_of([j - n if j < n else 2**31, 2**63 - 1, n]))
        steps.append(step)
    inputs = [x, g.ints(*starts), g.ints(*ends), g.ints(*[a if g.chance(0.7) else a - x.rank for a in axes])]
    if any(s != 1 for s in steps) or g.chance(0.3):
        inputs.append(g.ints(*steps))
    elif axes == list(range(len(axes))) and g.chance(0.3):
        inputs = inputs[:3]
    g.add("Slice", inputs)


@row("Pad", tags=("shape",))
def pad(g):
    x = g.pick(lambda v: 1 <= v.rank <= 5 and v.dtype in FLOATS + ("int64", "int32") and not v.const, lambda: g.pick_float(low=1))
    mode = g.one_of(["constant", "constant", "reflect", "edge", "wrap"])
    if mode == "wrap" and g.opset < 19:
        raise Reject("opset")
    pads = [int(p) if g.chance(0.5) else 0 for p in g.rng.integers(-1 if mode == "constant" else 0, 3, 2 * x.rank)]
    if mode in ("reflect", "wrap", "edge"):
        for d in range(x.rank):
            if max(pads[d], pads[d + x.rank]) >= min(x.sizes[d]):
                raise Reject("pads more than there is")
    elif any(min(x.sizes[d]) + min(pads[d], 0) + min(pads[d + x.rank], 0) < 0 for d in range(x.rank)):
        raise Reject("nothing is left")
    value = g.const(np.array(g.one_of([0, 1, 5]), x.dtype)) if g.chance(0.4) else None
    if g.chance(0.2) and g.opset >= 18:
        axes = [int(a) for a in g.rng.permutation(x.rank)]
        g.add("Pad", [x, g.ints(*[pads[a] for a in axes], *[pads[a + x.rank] for a in axes]), value, g.ints(*axes)], mode=mode)
    else:
        g.add("Pad", [x, g.ints(*pads), value], mode=mode)


@row("Expand", "Tile", "Shape", tags=("shape",))
def widen(g):
    x = anything(g)
    if g.chance(0.5):
        shape = [n if g.chance(0.5) else 1 for n in whole(g, x)]
        shape = [g.one_of([1, 2, 3, 5]) if set(s) == {1} and n == 1 else max(n, 1) if n else 0 for n, s in zip(shape, x.sizes)]
        if g.chance(0.3):
            shape = [g.number(1, 3)] + shape
        if g.chance(0.2) and x.rank:  # as large as another value
            other = g.pick(lambda v: v.rank >= x.rank and v is not x and all(a == b or set(a) == {1} for a, b in zip(x.sizes[::-1], v.sizes[::-1])))
            g.add("Expand", [x, g.add("Shape", [other])])
        else:
            g.add("Expand", [x, g.ints(*shape)])
    else:
        g.add("Tile", [x, g.ints(*[g.one_of([1, 1, 2, 3, 0] if g.chance(0.1) else [1, 1, 2, 3]) for _ in range(x.rank)])])


def indices(g, shape, n, negative=True):
    a = g.rng.integers(-n if negative and g.chance(0.4) else 0, n, shape)
    return g.const(a.astype(g.one_of(["int64", "int64", "int32"])))


@row("Gather", tags=("index", "shape"), weight=1.5)
def gather(g):
    x = anything(g, 1)
    axis = g.number(0, x.rank - 1)
    n = min(x.sizes[axis])
    if n == 0:
        raise Reject("empty")
    if g.chance(0.2):
        i = g.add("Mod", [integers(g, ("int64",)), g.const(np.array(n, np.int64))])
    else:
        i = indices(g, [g.one_of([1, 2, 3, 5]) for _ in range(g.number(0, 2))], n)
    if i.rank + x.rank > 6:
        raise Reject("rank")
    g.add("Gather", [x, i], axis=axis if g.chance(0.6) else axis - x.rank)


@row("GatherElements", "GatherND", tags=("index",))
def gather_more(g):
    x = anything(g, 1, 4)
    shape = [x.dim(d) for d in range(x.rank)]
    if 0 in shape:
        raise Reject("empty")
    if g.chance(0.5):
        axis = g.number(0, x.rank - 1)
        size = [g.number(1, n) if d != axis else g.number(1, 4) for d, n in enumerate(shape)]
        g.add("GatherElements", [x, indices(g, size, shape[axis])], axis=axis)
        return
    batch = g.number(0, min(1, x.rank - 1))
    k = g.number(1, x.rank - batch)
    size = shape[:batch] + [g.number(1, 4) for _ in range(g.number(0, 2))] + [k]
    index = np.stack([g.rng.integers(-n if g.chance(0.3) else 0, n, size[:-1]) for n in shape[batch:batch + k]], -1).astype(np.int64)
    g.add("GatherND", [x, g.const(index)], **({"batch_dims": batch} if batch else {}))


@row("ScatterElements", "ScatterND", tags=("index",))
def scatter(g):
    x = g.pick(lambda v: 1 <= v.rank <= 4 and v.dtype in FLOATS + ("int64", "int32") and not v.const, lambda: g.pick_float(low=1, high=4))
    shape = [x.dim(d) for d in range(x.rank)]
    if 0 in shape:
        raise Reject("empty")
    reduction = g.one_of(["none", "none", "add", "mul", "max", "min"] if g.opset >= 18 else ["none", "add", "mul"])
    attrs = {} if reduction == "none" and g.chance(0.7) else {"reduction": reduction}
    if g.chance(0.5):
        axis = g.number(0, x.rank - 1)
        size = [g.number(1, n) for n in shape]
        index = np.argsort(g.rng.random(shape), axis).astype(np.int64)[tuple(slice(0, n) for n in size)]  # none twice
        g.add("ScatterElements", [x, g.const(index), g.const(g.draw_data(size, x.dtype))], axis=axis, **attrs)
        return
    k = g.number(1, x.rank)
    total = int(np.prod(shape[:k]))
    n = g.number(1, min(total, 5))
    flat = g.rng.choice(total, n, replace=False)
    index = np.stack(np.unravel_index(flat, shape[:k]), -1).astype(np.int64)
    g.add("ScatterND", [x, g.const(index), g.const(g.draw_data([n] + shape[k:], x.dtype))], **attrs)


@row("Shape", "Size", "ConstantOfShape", "Range", "Cast", tags=("shape", "index"))
def made_shapes(g):
    x = anything(g)
    style = g.number(0, 4)
    if style == 0:
        start = {} if g.chance(0.5) else {"start": g.number(-x.rank, x.rank), "end": g.number(-x.rank, x.rank)}
        g.add("Shape", [x], **start)
    elif style == 1:
        g.add("Size", [x])
    elif style == 2:
        value = numpy_helper.from_array(np.array([g.one_of([0, 1, 2])], g.one_of(["float32", "int64", "bool", g.main_float])))
        g.add("ConstantOfShape", [g.add("Shape", [x])], **({"value": value} if g.chance(0.7) else {}))
    elif style == 3 and x.rank:
        n = g.add("Squeeze", [g.add("Shape", [x], start=x.rank - 1)])
        r = g.add("Range", [g.const(np.array(0, np.int64)), n, g.const(np.array(g.number(1, 2), np.int64))])
        if g.chance(0.6):
            g.add("Cast", [r], to=elem(g.main_float))
    else:
        g.add("Range", [g.const(np.array(a, g.one_of(["float32"]))) for a in g.one_of([(0, 5, 1), (3, -2, -0.75), (0, 0, 1), (1, 9, 2.5)])])


@row("NonZero", "OneHot", "Trilu", "Compress", "ReverseSequence", "EyeLike", tags=("index",))
def selection(g):
    op = g.one_of(["NonZero", "OneHot", "Trilu", "Trilu", "Compress", "ReverseSequence", "EyeLike"])
    if op == "NonZero":
        g.add(op, [g.pick(lambda v: v.dtype in ("bool", "int64", "int32", "float32") and 1 <= v.rank and not v.const,
                          lambda: g.input(g.draw_shape(g.number(1, 3)), "bool"))])
    elif op == "OneHot":
        x = g.pick(lambda v: v.dtype in ("int64", "int32") and 1 <= v.rank <= 3, lambda: g.input(g.draw_shape(g.number(1, 2)), "int64"))
        g.add(op, [x, g.const(np.array(g.number(1, 8), np.int64)), g.const(np.array(g.one_of([[0, 1], [-1, 2]]), g.one_of(["float32", "int64"])))],
              **({"axis": g.number(-x.rank - 1, x.rank)} if g.chance(0.6) else {}))
    elif op == "Trilu":
        x = anything(g, 2)
        if x.dtype not in FLOATS + ("int64", "bool"):
            raise Reject("type")
        g.add(op, [x, g.const(np.array(g.number(-3, 3), np.int64)) if g.chance(0.6) else None], upper=g.number(0, 1))
    elif op == "Compress":
        x = anything(g, 1)
        n = min(x.sizes[0])
        if g.chance(0.3):
            g.add(op, [x, g.const(g.rng.random(min(x.size, 5)) < 0.5)])
        else:
            g.add(op, [x, g.const(g.rng.random(n) < 0.5)], axis=0)
    elif op == "ReverseSequence":
        x = anything(g, 2, 4)
        time, batch = x.dim(0), x.dim(1)
        if not time:
            raise Reject("empty")
        g.add(op, [x, g.const(g.rng.integers(1, time + 1, batch).astype(np.int64))], time_axis=0, batch_axis=1)
    else:
        x = anything(g, 2, 2)
        g.add(op, [x], dtype=elem(g.one_of(["float32", "int64"])), k=g.number(-2, 2))


@row("DepthToSpace", "SpaceToDepth", tags=("image",))
def pixels(g):
    x = g.pick_float(4, 4)
    b = g.one_of([1, 2, 2, 3])
    if g.chance(0.6):
        c = x.dim(1)
        if c % (b * b):
            x = g.add("Conv", [x, g.floats(b * b * 2, c, 1, 1)])
        g.add("DepthToSpace", [x], blocksize=b, **({"mode": g.one_of(["DCR", "CRD"])} if g.chance(0.7) else {}))
    else:
        g.add("SpaceToDepth", [x], blocksize=b)


@row("TopK", tags=("index", "reduce"))
def topk(g):
    x = g.pick(lambda v: v.rank >= 1 and v.dtype in FLOATS + ("int64", "int32") and not v.const, lambda: g.pick_float(low=1))
    axis = g.number(0, x.rank - 1)
    k = g.number(0, min(x.sizes[axis])) if g.chance(0.2) else max(1, min(x.sizes[axis]) // 2)
    g.add("TopK", [x, g.ints(k)], n_out=2, axis=axis, **({"largest": 0} if g.chance(0.4) else {}))


@row("NonMaxSuppression", tags=("index",), weight=0.5)
def suppression(g):
    n, boxes = g.number(1, 2), g.number(1, 12)
    corner = g.rng.uniform(0, 4, (n, boxes, 2))
    box = np.concatenate([corner, corner + g.rng.uniform(0.5, 3, (n, boxes, 2))], -1).astype(np.float32)
    scores = g.rng.permuted(np.arange(n * 2 * boxes)).reshape(n, 2, boxes).astype(np.float32) / (n * 2 * boxes)
    b = g.input([(d,) * g.n_sets for d in box.shape], "float32", "unit") if g.chance(0) else g.const(box)
    inputs = [b, g.const(scores), g.const(np.array(g.number(1, boxes), np.int64)), g.const(np.array(0.37, np.float32))]
    if g.chance(0.5):
        inputs.append(g.const(np.array(0.3, np.float32)))
    g.add("NonMaxSuppression", inputs, **({"center_point_box": 1} if g.chance(0.3) else {}))


REDUCE = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
          "ReduceSumSquare"]


@row(*REDUCE, tags=("reduce", "any"), weight=2.0)
def reduce(g):
    x = g.pick_float() if g.chance(0.85) else integers(g, ("int64", "int32"))
    op = g.one_of(["ReduceSum", "ReduceMean", "ReduceMax"] if g.chance(0.5) else REDUCE)
    if x.dtype in ("int64", "int32") and op not in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"):
        raise Reject("type")
    if op == "ReduceProd" and x.dtype in ("int64", "int32") and math.log2(max(abs(x.low()), abs(x.high()), 1)) * x.size > 30:
        raise Reject("would overflow")
    if op == "ReduceLogSum":
        x = g.add("Add", [g.add("Abs", [x]), g.scalar(0.5, x)])
    axes = sorted(int(a) for a in g.rng.choice(x.rank, g.number(1, x.rank), replace=False)) if x.rank and g.chance(0.85) else []
    axes = [a if g.chance(0.7) else a - x.rank for a in axes]
    attrs = {"keepdims": 0} if g.chance(0.5) else {}
    if g.opset >= 18 or op == "ReduceSum":
        if g.chance(0.1) and not axes:
            attrs["noop_with_empty_axes"] = 1
        g.add(op, [x, g.ints(*axes) if axes or g.chance(0.3) else None], **attrs)
    else:
        g.add(op, [x], **attrs, **({"axes": axes} if axes else {}))


@row("ArgMax", "ArgMin", tags=("reduce", "index"))
def arg(g):
    x = g.pick(lambda v: v.rank >= 1 and v.dtype in FLOATS + ("int64", "int32") and not v.const, lambda: g.pick_float(low=1))
    attrs = {"keepdims": 0} if g.chance(0.5) else {}
    if g.chance(0.3):
        attrs["select_last_index"] = 1
    axis = axis_of(g, x)
    if min(x.sizes[axis]) == 0:
        raise Reject("of nothing")
    g.add(g.one_of(["ArgMax", "ArgMin"]), [x], axis=axis, **attrs)


@row("CumSum", "CumProd", tags=("reduce",))
def cumulate(g):
    x = g.pick(lambda v: v.rank >= 1 and v.dtype in FLOATS + ("int64", "int32") and not v.const, lambda: g.pick_float(low=1))
    attrs = {k: 1 for k in ("exclusive", "reverse") if g.chance(0.4)}
    op = "CumProd" if g.opset >= 26 and g.chance(0.4) else "CumSum"
    g.add(op, [x, g.const(np.array(axis_of(g, x), g.one_of(["int64", "int32"])))], **attrs)
