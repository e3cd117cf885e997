"""Rows of elementwise operators, types and selection, comparisons, integers."""
import numpy as np
from onnx import helper

from builder import Reject
from oracle import elem
from table import row

INTS = ("int64", "int32", "int8", "uint8", "int16", "uint16", "uint32", "uint64")


def partner(g, x, dtype=None, kind="any"):
    """A value that broadcasts with x: x's shape with some dims 1 or left out, or the other way round."""
    dtype = dtype or x.dtype

    def fits(v):
        if v.dtype != dtype or v is x:
            return False
        for a, b in zip(v.sizes[::-1], x.sizes[::-1]):
            if any(m != n and m != 1 and n != 1 for m, n in zip(a, b)):
                return False
        return True

    if g.chance(0.45):
        return g.pick(fits, None if g.chance(0.3) else lambda: partner(g, x, dtype, kind))
    if g.chance(0.08) and x.rank and x.dtype == dtype:
        return x
    sizes = [(1,) * g.n_sets if g.chance(0.3) else s for s in x.sizes]
    style = g.number(0, 5)
    if style == 0:
        sizes = []
    elif style == 1:
        sizes = sizes[g.number(0, len(sizes)):]
    elif style == 2 and x.rank:  # one a channel
        sizes = [s if d == 1 or x.rank == 1 else (1,) * g.n_sets for d, s in enumerate(x.sizes)][min(1, x.rank - 1):]
    elif style == 3:
        sizes = list(x.sizes)
    elif style == 4 and x.rank < 5 and g.chance(0.3):
        sizes = [(g.one_of([1, 2, 3]),) * g.n_sets] + sizes
    if not g.outer and (any(len(set(s)) > 1 for s in sizes) or g.chance(0.3)):
        return g.input(sizes, dtype, kind)
    if any(len(set(s)) > 1 for s in sizes):
        raise Reject("symbolic")
    return g.const(g.draw_data([s[0] for s in sizes], dtype, kind))


def into(g, x, domain):
    """x brought where an operator is well defined."""
    if domain == "positive" and x.low() <= 0.01:
        return g.add("Add", [g.add("Abs", [x]), g.scalar(0.1, x)])
    if domain == "over one" and x.low() < 1.05:
        return g.add("Add", [g.add("Abs", [x]), g.scalar(1.1, x)])
    if domain == "unit" and (x.low() < -0.95 or x.high() > 0.95):
        return g.add("Mul", [g.add("Tanh", [x]), g.scalar(0.9, x)])
    if domain == "small" and max(-x.low(), x.high()) > 4:
        return g.add("Mul", [x, g.scalar(3 / max(-x.low(), x.high()), x)])
    return x


UNARY = {"Relu": "", "Abs": "", "Neg": "", "Sigmoid": "", "Tanh": "", "Erf": "", "Softplus": "", "Softsign": "", "HardSwish": "", "Mish": "",
         "Exp": "small", "Sqrt": "positive", "Log": "positive", "Reciprocal": "positive", "Sin": "small", "Cos": "small", "Tan": "unit",
         "Asin": "unit", "Acos": "unit", "Atan": "", "Sinh": "small", "Cosh": "small", "Asinh": "", "Acosh": "over one", "Atanh": "unit",
         "Sign": "", "Floor": "", "Ceil": "", "Round": "", "Identity": ""}
COMMON = ["Relu", "Sigmoid", "Tanh", "HardSwish", "Abs", "Exp", "Sqrt", "Erf"]


@row(*UNARY, weight=2.0)
def unary(g):
    op = g.one_of(COMMON if g.chance(0.4) else list(UNARY))
    g.add(op, [into(g, g.pick_float(), UNARY[op])])


@row("LeakyRelu", "ThresholdedRelu", "HardSigmoid", "Elu", "Celu", "Selu", "Shrink", "Gelu", "Swish")
def activation(g):
    op = g.one_of(["LeakyRelu", "ThresholdedRelu", "HardSigmoid", "Elu", "Celu", "Selu", "Shrink", "Gelu", "Swish"])
    if (op == "Gelu" and g.opset < 20) or (op == "Swish" and g.opset < 24):
        raise Reject("opset")
    names = {"HardSigmoid": ["alpha", "beta"], "Selu": ["alpha", "gamma"], "Shrink": ["bias", "lambd"], "Gelu": []}.get(op, ["alpha"])
    attrs = {n: round(float(g.rng.uniform(0.1, 1.5)), 2) for n in names if g.chance(0.6)}
    if op == "Gelu" and g.chance(0.5):
        attrs["approximate"] = "tanh"
    g.add(op, [into(g, g.pick_float(), "small")], **attrs)


@row("Add", "Sub", "Mul", "Div", "Max", "Min", weight=3.0)
def binary(g):
    op = g.one_of(["Add", "Add", "Sub", "Mul", "Mul", "Div", "Max", "Min"])
    x = g.pick_float()
    y = partner(g, x)
    if op == "Div" and y.low() < 0.05:
        y = into(g, y, "positive")
    if g.chance(0.3) and op != "Div":
        x, y = y, x
    g.add(op, [x, y])


@row("Max", "Min", "Sum", "Mean", weight=0.5)
def variadic(g):
    x = g.pick_float()
    g.add(g.one_of(["Max", "Min", "Sum", "Mean"]), [x] + [partner(g, x) for _ in range(g.number(0, 3))])


@row("Pow")
def power(g):
    x = g.pick_float()
    exponent = g.one_of([2.0, 3.0, 0.5, -1.0, -0.5, 1.0, 0.0, 2.5, None])
    if exponent is None:
        g.add("Pow", [into(g, into(g, x, "positive"), "small"), into(g, partner(g, x), "small")])
    elif exponent in (2.0, 3.0):
        g.add("Pow", [into(g, x, "small"), g.scalar(exponent, x) if g.chance(0.7) else g.const(np.array(int(exponent), "int64"))])
    else:
        g.add("Pow", [into(g, x, "positive"), g.scalar(exponent, x)])


@row("PRelu")
def prelu(g):
    x = g.pick_float(low=1)
    slope = partner(g, x)
    if slope.rank > x.rank or any(a != b and set(a) != {1} for a, b in zip(slope.sizes[::-1], x.sizes[::-1])):
        raise Reject("a slope doesn't widen")
    g.add("PRelu", [x, slope])


@row("Clip")
def clip(g):
    x = g.pick_float()
    low, high = sorted(round(float(b), 2) for b in g.rng.uniform(-2, 3, 2))
    bounds = [g.scalar(low, x) if g.chance(0.7) else None, g.scalar(high, x) if g.chance(0.7) else None]
    g.add("Clip", [x] + bounds)


@row("Where", tags=("any", "bool"))
def where(g):
    x = g.pick(lambda v: v.dtype != "bool" and not v.const, lambda: g.pick_float())
    y = partner(g, x)
    g.add("Where", [condition(g, x), x, y] if g.chance(0.5) else [condition(g, x), y, x])


def condition(g, x):
    return partner(g, x, "bool")


@row("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", tags=("any", "bool"))
def comparison(g):
    op = g.one_of(["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
    x = g.pick(lambda v: v.dtype in ("int64", "int32", g.main_float) and not v.const, lambda: g.pick_float())
    g.add(op, [x, partner(g, x)])


@row("And", "Or", "Xor", "Not", tags=("bool",))
def logic(g):
    x = g.pick(lambda v: v.dtype == "bool" and not v.const, lambda: g.input(g.draw_shape(g.one_of(g.theme.ranks)), "bool"))
    op = g.one_of(["And", "Or", "Xor", "Not"])
    g.add(op, [x] if op == "Not" else [x, partner(g, x)])


@row("IsNaN", "IsInf", tags=("bool",), weight=0.4)
def tests(g):
    x = g.pick_float()
    if g.chance(0.5):
        g.add("IsNaN", [x])
    else:
        g.add("IsInf", [x], **({"detect_negative": g.number(0, 1), "detect_positive": g.number(0, 1)} if g.chance(0.6) else {}))


def integers(g, dtypes=INTS):
    return g.pick(lambda v: v.dtype in dtypes and not v.const, lambda: g.input(g.draw_shape(g.one_of(g.theme.ranks)), g.one_of(dtypes)))


@row("Add", "Sub", "Mul", "Max", "Min", "Div", tags=("int",), weight=2.0)
def integer_arithmetic(g):
    x = integers(g, ("int64", "int32", "int64", "int32", "uint8", "int8", "uint32", "int16"))
    op = g.one_of(["Add", "Sub", "Mul", "Max", "Min", "Div"])
    y = partner(g, x)
    if op == "Div":
        y = g.const(np.array(g.number(1, 7), x.dtype))
    if op == "Mul" and x.scale == 0 and max(abs(x.low()), x.high()) * max(abs(y.low()), y.high(), 1) > 1e8:
        raise Reject("would overflow")
    g.add(op, [x, y])


@row("Neg", "Abs", "Sign", "Relu", tags=("int",))
def integer_unary(g):
    g.add(g.one_of(["Neg", "Abs", "Sign", "Relu"]), [integers(g, ("int64", "int32", "int8"))])


@row("Mod", tags=("int",))
def remainder(g):
    if g.chance(0.6):
        x = integers(g, ("int64", "int32", "int8", "uint8"))
        g.add("Mod", [x, g.const(np.array(g.one_of([1, 2, 3, 5, 7] + ([-3] if x.dtype[0] == "i" else [])), x.dtype))],
              **({"fmod": 1} if g.chance(0.3) else {}))
    else:
        x = g.pick_float()
        g.add("Mod", [x, g.scalar(g.one_of([0.7, 1.3, -2.1]), x)], fmod=1)


@row("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift", tags=("int",), since=18)
def bits(g):
    op = g.one_of(["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"])
    if op == "BitShift":
        x = integers(g, ("uint8", "uint32", "uint64"))
        g.add(op, [x, g.const(np.array(g.number(0, 5), x.dtype))], direction=g.one_of(["LEFT", "RIGHT"]))
        return
    x = integers(g, ("int64", "int32", "uint8", "int8"))
    g.add(op, [x] if op == "BitwiseNot" else [x, partner(g, x)])


@row("Cast", "CastLike", weight=1.5)
def cast(g):
    x = g.pick(lambda v: not v.const, lambda: g.pick_float())
    to = g.one_of(["float32", "float32", "float64", "float16", "int64", "int32", "uint8", "int8", "bool", "int16", "uint32"])
    small = max(abs(x.low()), abs(x.high()))
    if to not in ("bool", "float32", "float64", "float16"):
        info = np.iinfo(to)
        if x.low() < info.min or x.high() > info.max:
            raise Reject("out of range")
    if to == "float16" and small > 300:
        raise Reject("out of range")
    if g.chance(0.2):
        g.add("CastLike", [x, g.const(np.zeros(1, to))])
    else:
        g.add("Cast", [x], to=elem(to))
