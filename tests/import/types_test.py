"""Operators by types: every type that ONNX's newest schema lets an operator take, through the importer and the reference kernels, against the
onnx package's reference evaluator. What it can't compute in a narrow type it computes in a wider one, and the result is rounded here;
operators that only move elements are fed the elements' codes."""
import pathlib
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
ml_dtypes = pytest.importorskip("ml_dtypes", reason="no ml_dtypes here")
from onnx import helper, reference  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reference_engine as engine  # noqa: E402

NAMES = {"float": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "double": 11,
         "uint32": 12, "uint64": 13, "complex64": 14, "complex128": 15, "bfloat16": 16, "float8e4m3fn": 17, "float8e4m3fnuz": 18,
         "float8e5m2": 19, "float8e5m2fnuz": 20, "uint4": 21, "int4": 22, "float4e2m1": 23, "float8e8m0": 24, "uint2": 25, "int2": 26,
         "float6e2m3": 27, "float6e3m2": 28}
SMALL = {"float16", "bfloat16"}
EXOTIC = {"float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2",
          "float6e2m3", "float6e3m2"}
EPSILON = {"float16": 2e-3, "bfloat16": 2e-2, "float": 2e-5, "double": 1e-11}
OPSET = onnx.defs.onnx_opset_version()


def dtype_of(name):
    return np.dtype(engine.DTYPES[NAMES[name]])


def values(name, shape, low=-3.0, high=3.0, seed=0):
    """Elements of a type between the bounds as far as it has them; small whole numbers for integers."""
    r = np.random.default_rng(seed)
    dtype = dtype_of(name)
    if name == "bool":
        return r.integers(0, 2, shape).astype(bool)
    if dtype.kind == "c":
        return (r.uniform(low, high, shape) + 1j * r.uniform(low, high, shape)).astype(dtype)
    if name == "float8e8m0":
        return np.exp2(r.integers(-3, 4, shape)).astype(dtype)
    if "int" in name:
        info = ml_dtypes.iinfo(dtype)
        return r.integers(max(info.min, int(np.ceil(low))), min(info.max, int(np.floor(high))) + 1, shape).astype(np.int8).astype(dtype)
    return r.uniform(low, high, shape).astype(np.float32).astype(dtype)


def one_node(op, inputs, attributes, outputs=1, constants=(), optional=()):
    """A model of one node, its inputs graph inputs but for `constants`."""
    names = [f"x{i}" for i in range(len(inputs))]
    node = helper.make_node(op, ["" if i in optional else n for i, n in enumerate(names)], [f"y{i}" for i in range(outputs)], **attributes)
    info = [helper.make_tensor_value_info(n, engine.NUMBERS[a.dtype], a.shape) for i, (n, a) in enumerate(zip(names, inputs))
            if i not in constants and i not in optional]
    kept = [onnx.numpy_helper.from_array(a, n) for i, (n, a) in enumerate(zip(names, inputs)) if i in constants]
    out = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "g", info, out, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    feeds = {n: a for i, (n, a) in enumerate(zip(names, inputs)) if i not in constants and i not in optional}
    return model, feeds


def expected(op, inputs, attributes, outputs, constants, name, wide):
    """What the reference evaluator says, its operands of `name` widened where `wide` says to."""
    dtype = dtype_of(name)
    if wide:
        inputs = [a.astype(wide) if a.dtype == dtype else a for a in inputs]
    model, feeds = one_node(op, inputs, attributes, outputs, constants)
    with np.errstate(all="ignore"):
        found = reference.ReferenceEvaluator(model).run(None, feeds)
    schema, tested = onnx.defs.get_schema(op), type_parameter(op)
    kinds = [schema.outputs[min(i, len(schema.outputs) - 1)].type_str for i in range(len(found))]
    return [np.asarray(a).astype(dtype) if kind == tested else np.asarray(a) for a, kind in zip(found, kinds)]


@pytest.fixture(scope="module")
def library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return engine.Library(path)


def same(found, want, name, what, loose=1):
    assert found.dtype == want.dtype and found.shape == want.shape, (what, found.dtype, found.shape, want.dtype, want.shape)
    if found.dtype.kind in "biu" or "int" in found.dtype.name:
        assert np.array_equal(found.astype(object), want.astype(object)), (what, found, want)
        return
    if found.dtype.kind != "c":
        found, want = found.astype(np.float64), want.astype(np.float64)
    tolerance = EPSILON.get(name, 1e-5) * loose
    np.testing.assert_allclose(found, want, rtol=tolerance, atol=tolerance, err_msg=str(what))


A, B = (2, 3, 4), (3, 1)


def op(name, *shapes, low=-3.0, high=3.0, outputs=1, constants=(), loose=1, rough=False, **attributes):
    """A row: shapes of the inputs that have the tested type, or arrays for inputs of another. `rough`: the
    evaluator computes in float32."""
    return name, shapes, dict(low=low, high=high, outputs=outputs, constants=constants, loose=loose, rough=rough, attributes=attributes)


def axes(*v):
    return np.array(v, np.int64)


MATHS = [
    *(op(n, A, B) for n in ("Add", "Sub", "Mul", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal", "BitwiseAnd", "BitwiseOr",
                            "BitwiseXor", "And", "Or", "Xor")),
    op("Div", A, B, low=1), op("Mod", A, B, low=1, high=7), op("Mod", A, B, low=1, high=7, fmod=1), op("Pow", A, B, low=0.5),
    op("Max", A, B, (4,)), op("Min", A, B, (4,)), op("Sum", A, B, (4,), low=-1), op("Mean", A, B, (4,), low=-1, loose=2), op("Max", A), op("Sum", A),
    *(op(n, A) for n in ("Neg", "Abs", "Sign", "Relu", "Not", "BitwiseNot", "Exp", "Sigmoid", "Tanh", "Floor", "Ceil", "Round", "Sin",
                         "Cos", "Atan", "Sinh", "Cosh", "Asinh", "Elu", "Celu", "Selu", "LeakyRelu", "ThresholdedRelu", "HardSigmoid",
                         "Softplus", "Softsign", "Mish", "Shrink", "IsNaN", "IsInf", "Identity")),
    *(op(n, A, loose=2, rough=True) for n in ("Erf", "HardSwish", "Gelu")),
    op("Tan", A, low=-1, high=1), op("Asin", A, low=-0.9, high=0.9, loose=2), op("Acos", A, low=-0.9, high=0.9, loose=2),
    op("Atanh", A, low=-0.9, high=0.9, loose=3), op("Acosh", A, low=1.5, loose=2), op("Log", A, low=0.1), op("Sqrt", A, low=0.1),
    op("Reciprocal", A, low=0.5), op("PRelu", A, (4,)),
    op("BitShift", A, A, low=0, direction="LEFT"), op("BitShift", A, A, low=0, direction="RIGHT"),
    *(op(n, A, axes(1), loose=4, low=0.5, constants=(1,)) for n in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1",
                                                                 "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp")),
    op("ReduceMax", A, axes(0, 2), keepdims=0, constants=(1,)), op("ReduceMin", A, keepdims=0), op("ReduceSum", A, keepdims=0, loose=8),
    op("ArgMax", A, axis=1), op("ArgMin", A, axis=-1, keepdims=0, select_last_index=1), op("CumSum", A, np.array(1, np.int64), loose=2),
    op("CumSum", A, np.array(-1, np.int64), loose=2, reverse=1, exclusive=1),
    op("MatMul", (2, 3, 4), (4, 5), loose=8), op("Gemm", (3, 4), (5, 4), (5,), loose=8, transB=1), op("Softmax", A, axis=1),
    op("LogSoftmax", A, axis=1), op("TopK", (3, 16), axes(3), outputs=2), op("TopK", (3, 16), axes(3), outputs=2, largest=0, axis=0),
    op("MaxPool", (1, 2, 5, 5), kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]), op("AveragePool", (1, 2, 5, 5), kernel_shape=[2, 2]),
    op("GlobalAveragePool", (1, 2, 3, 3)), op("GlobalMaxPool", (1, 2, 3, 3)), op("Clip", A, np.array(0), np.array(2)),
    op("Conv", (1, 2, 4, 4), (3, 2, 3, 3), low=-1, high=1, loose=8), op("LayerNormalization", A, (4,), (4,), loose=8),
    op("NonZero", A), op("OneHot", axes(0, 2, 5), np.array(6, np.int64), (2,)),
]
MOVES = [
    op("Reshape", A, axes(4, 6), constants=(1,)), op("Transpose", A, perm=[2, 0, 1]), op("Flatten", A), op("Squeeze", (3, 1, 5), axes(1), constants=(1,)),
    op("Unsqueeze", A, axes(0), constants=(1,)), op("Pad", A, axes(0, 1, 0, 1, 0, 2), constants=(1,)),
    op("Pad", A, axes(0, 1, 0, 1, 0, 2), mode="edge", constants=(1,)), op("Concat", A, (2, 1, 4), axis=1),
    op("Split", (2, 5, 3), axes(2, 3), outputs=2, axis=1, constants=(1,)), op("Slice", A, axes(0, 1), axes(9, 9), axes(1, 2), axes(2, 1), constants=(1, 2, 3, 4)),
    op("Gather", A, axes(2, 0, -1), axis=1), op("GatherND", A, np.array([[0, 1], [1, 2]], np.int64)),
    op("GatherElements", A, np.ones((2, 3, 4), np.int64), axis=1), op("ScatterND", A, np.array([[1], [0]], np.int64), (2, 3, 4)),
    op("ScatterElements", A, np.array([[[2, 0, 1, 1]]], np.int64), (1, 1, 4), axis=1), op("Expand", B, axes(2, 3, 5), constants=(1,)),
    op("Tile", B, axes(2, 3), constants=(1,)), op("Trilu", A), op("Where", np.array([[True], [False], [True]]), A, (4,)),
    op("DepthToSpace", (1, 8, 2, 3), blocksize=2), op("SpaceToDepth", (1, 2, 4, 6), blocksize=2), op("Identity", (3, 3)),
    op("EyeLike", (3, 5), k=1), op("Resize", (1, 1, 2, 3), None, None, axes(1, 1, 4, 6), low=0, mode="nearest", constants=(3,)),
]


def type_parameter(name):
    """The parameter of the operator's schema that a row's type stands for."""
    return onnx.defs.get_schema(name).inputs[{"Where": 1, "OneHot": 2}.get(name, 0)].type_str


def takes(name):
    allowed = {t.type_param_str: t.allowed_type_strs for t in onnx.defs.get_schema(name).type_constraints}
    return {t[7:-1] for t in allowed[type_parameter(name)] if t.startswith("tensor(") and t[7:-1] in NAMES}


# What the evaluator can't do itself.
UNABLE = {("OneHot", "bool"), ("Resize", "complex64"), ("Resize", "complex128")}


def rows(table):
    return [pytest.param(row, name, id=f"{row[0]}{i}-{name}") for i, row in enumerate(table) for name in NAMES
            if name in takes(row[0]) and (row[0], name) not in UNABLE]


def build_inputs(row, name):
    _, shapes, o = row
    made = []
    for i, s in enumerate(shapes):
        if s is None:
            made.append(None)
        elif isinstance(s, tuple):
            made.append(values(name, s, o["low"], o["high"], seed=i + 1))
        else:
            made.append(s.astype(dtype_of(name)) if s.ndim == 0 and row[0] == "Clip" else s)
    return made


@pytest.mark.parametrize("row, name", rows(MATHS))
def test_maths(library, row, name):
    op_name, _, o = row
    inputs = build_inputs(row, name)
    wide = np.float32 if name in SMALL or name in EXOTIC else None
    want = expected(op_name, inputs, o["attributes"], o["outputs"], o["constants"], name, wide)
    model, feeds = one_node(op_name, inputs, o["attributes"], o["outputs"], o["constants"])
    found = library.run(model, feeds)
    for i, w in enumerate(want):
        same(found[f"y{i}"], w, name, (op_name, name, i), o["loose"] * (1e5 if o["rough"] and name == "double" else 1))


@pytest.mark.parametrize("row, name", rows(MOVES))
def test_moves(library, row, name):
    op_name, _, o = row
    inputs = build_inputs(row, name)
    optional = [i for i, a in enumerate(inputs) if a is None]
    inputs = [np.zeros(0, np.float32) if a is None else a for a in inputs]
    dtype = dtype_of(name)
    code = np.dtype(f"u{dtype.itemsize}") if dtype.itemsize <= 8 else np.dtype(np.complex128)
    moved = [isinstance(s, tuple) for s in row[1]]
    plain = [(a.astype(np.float32) if op_name == "EyeLike" else a.view(code)) if m else a for a, m in zip(inputs, moved)]
    model, feeds = one_node(op_name, plain, o["attributes"], o["outputs"], o["constants"], optional)
    want = reference.ReferenceEvaluator(model).run(None, feeds)
    model, feeds = one_node(op_name, inputs, o["attributes"], o["outputs"], o["constants"], optional)
    found = library.run(model, feeds)
    for i, w in enumerate(want):
        f = found[f"y{i}"]
        assert f.dtype == dtype, (op_name, name)
        if op_name == "EyeLike":
            assert np.array_equal(f.astype(np.float32), w), (op_name, name)
        else:
            bits = (1 << engine.BITS.get(NAMES[name], 8 * dtype.itemsize)) - 1  # NumPy's 4-bit integers have signs above them
            f, w = (f.view(code), w) if dtype.itemsize > 8 else (f.view(code) & code.type(bits), w & code.type(bits))
            assert f.shape == w.shape and np.array_equal(f, w), (op_name, name, f, w)


# ---- Conversions

CASTS = [n for n in NAMES if n in takes("Cast")]


@pytest.mark.parametrize("to", CASTS)
@pytest.mark.parametrize("start", CASTS)
def test_cast(library, start, to):
    """Every pair of types, over values that both have; the narrow type's own package rounds."""
    x = values(start, (3, 7), low=0 if "uint" in to or to in ("float8e8m0", "bool") else -2, high=2, seed=3)
    if to == "float8e8m0":
        x = values(start, (3, 7), low=1, high=3, seed=3)
    wide = x.astype(np.float32)
    if to == "float8e8m0":
        want = onnx.numpy_helper.to_float8e8m0(wide)
    elif to == "bool" or "int" in to:
        want = np.trunc(wide).astype(np.int32 if to != "bool" else bool).astype(dtype_of(to)) if to != "bool" else wide != 0
    else:
        want = x.astype(np.float64).astype(dtype_of(to))
    model, feeds = one_node("Cast", [x], {"to": NAMES[to]})
    found = library.run(model, feeds)["y0"]
    assert found.dtype == dtype_of(to)
    assert np.array_equal(found.astype(np.float64), want.astype(np.float64)), (start, to, x, found, want)


@pytest.mark.parametrize("to, saturate", [(n, s) for n in CASTS if n.startswith("float8e") and n != "float8e8m0" for s in (0, 1)])
def test_cast_to_float8(library, to, saturate):
    """ONNX's two tables for what float8 hasn't: the largest number, or infinity or NaN."""
    x = np.array([np.nan, np.inf, -np.inf, 1e6, -1e6, 0.0, 448, 57344, 3e-6], np.float32)
    model, feeds = one_node("Cast", [x], {"to": NAMES[to], "saturate": saturate})
    found = library.run(model, feeds)["y0"].astype(np.float32)
    top = float(ml_dtypes.finfo(dtype_of(to)).max)
    special = np.nan if to != "float8e5m2" else np.inf
    want = np.clip(x, -top, top) if saturate else np.where(np.abs(x) > top, np.copysign(special, x), x)
    want = np.where(np.isnan(x), np.nan, want).astype(np.float32).astype(dtype_of(to)).astype(np.float32)
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("mode", ["up", "down", "nearest"])
@pytest.mark.parametrize("start", ["float", "float16", "bfloat16"])
def test_cast_to_powers(library, start, mode):
    x = np.array([1, 1.25, 1.5, 1.75, 3, 0.4, 100, 2], np.float32).astype(dtype_of(start))
    model, feeds = one_node("Cast", [x], {"to": 24, "round_mode": mode})
    power = np.log2(x.astype(np.float64))
    low = np.exp2(np.floor(power))
    want = {"up": np.exp2(np.ceil(power)), "down": low, "nearest": np.where(x.astype(np.float64) >= 1.5 * low, 2 * low, low)}[mode]
    np.testing.assert_array_equal(library.run(model, feeds)["y0"].astype(np.float64), want)


QUANTIZED = [n for n in NAMES if n in {t[7:-1] for t in onnx.defs.get_schema("QuantizeLinear").type_constraints[2].allowed_type_strs}]


@pytest.mark.parametrize("shape", ["tensor", "axis", "block"])
@pytest.mark.parametrize("start", ["float", "float16", "bfloat16"])
@pytest.mark.parametrize("to", QUANTIZED)
def test_quantize(library, to, start, shape):
    """There and back, with one scale, one for each index of an axis, or for blocks of two along it."""
    dtype, x = dtype_of(to), values(start, (3, 4, 2), -9, 9, seed=5)
    scale = np.array({"tensor": 0.5, "axis": [0.5, 1, 2, 0.25], "block": [[[0.5], [1]], [[2], [0.25]], [[4], [0.125]]]}[shape], np.float32)
    scale = (np.broadcast_to(scale, (3, 2, 2)) if shape == "block" else scale).astype(dtype_of(start))
    integer = "int" in to
    zero = np.full(scale.shape, 1 if integer else 0).astype(dtype)
    attributes = {} if shape == "tensor" else {"axis": 1, **({"block_size": 2} if shape == "block" else {})}
    wide = scale.astype(np.float32)
    wide = wide[None, :, None] if shape == "axis" else np.repeat(wide, 2, 1) if shape == "block" else wide
    quotient = (x.astype(np.float32) / wide).astype(dtype_of(start)).astype(np.float32)
    if integer:
        info = ml_dtypes.iinfo(dtype)
        want = np.clip(np.rint(quotient) + 1, int(info.min), int(info.max)).astype(np.int32).astype(dtype)
    else:
        top = float(ml_dtypes.finfo(dtype).max)
        want = np.clip(quotient, -top, top).astype(dtype)
    model, feeds = one_node("QuantizeLinear", [x, scale, zero], attributes)
    found = library.run(model, feeds)["y0"]
    assert found.dtype == dtype and np.array_equal(found.astype(np.float32), want.astype(np.float32)), (found, want)
    model, feeds = one_node("DequantizeLinear", [want, scale, zero], attributes)
    back = ((want.astype(np.float32) - (1 if integer else 0)) * wide).astype(dtype_of(start))
    np.testing.assert_array_equal(library.run(model, feeds)["y0"].astype(np.float32), back.astype(np.float32))


def test_bit_cast(library):
    for name, to in (("float", "int32"), ("double", "uint64"), ("float16", "bfloat16"), ("uint8", "float8e5m2"), ("int4", "uint4"), ("uint2", "int2"),
                     ("complex64", "double")):
        x = values(name, (2, 3), 0, 3)
        model, feeds = one_node("BitCast", [x], {"to": NAMES[to]})
        found = library.run(model, feeds)["y0"]
        assert found.dtype == dtype_of(to) and engine.pack(found).tobytes() == engine.pack(x).tobytes(), (name, to)


def test_nan(library):
    """A NaN comes through, as in NumPy."""
    x = values("float", (1, 2, 6, 6))
    x[0, 0, 2, 3] = x[0, 1, 0, 0] = np.nan
    for op_name, inputs, attributes in (("MaxPool", [x], {"kernel_shape": [3, 3]}), ("GlobalMaxPool", [x], {}), ("ReduceMax", [x, axes(3)], {}),
                                        ("ReduceMin", [x, axes(1)], {}), ("Max", [x, -x], {}), ("Min", [x, np.abs(x)], {}), ("Relu", [x], {}),
                                        ("Clip", [x, np.float32(0), np.float32(1)], {}), ("ArgMax", [x], {"axis": 2})):
        constants = (1,) if op_name.startswith("Reduce") else ()
        inputs = [np.asarray(a) for a in inputs]
        model, feeds = one_node(op_name, inputs, attributes, 1, constants)
        if op_name == "MaxPool":  # the evaluator passes over some NaN, and over none of the same elsewhere
            want = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3)).max((4, 5))
        else:
            want = np.asarray(reference.ReferenceEvaluator(model).run(None, feeds)[0])
        np.testing.assert_array_equal(library.run(model, feeds)["y0"], want, err_msg=op_name)
