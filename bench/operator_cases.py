"""The single operators that bench/operators.py measures: (label, operator, inputs, indices of the inputs that are constants, outputs,
attributes) with shapes as common networks have them. Inputs are arrays; None leaves one out."""
import numpy as np

_r = np.random.default_rng(0)


def f(*shape, dtype=np.float32):
    return _r.standard_normal(shape).astype(dtype)


def i(low, high, *shape, dtype=np.int64):
    return _r.integers(low, high, shape).astype(dtype)


def b(*shape):
    return _r.integers(0, 2, shape).astype(bool)


def ints(*v):
    return np.array(v, np.int64)


def case(label, op, inputs, constants=(), outputs=1, **attributes):
    return label, op, inputs, constants, outputs, attributes


IMAGE, MAP, TOKENS = (1, 64, 112, 112), (1, 256, 28, 28), (1, 197, 768)
TYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "int32": np.int32, "int64": np.int64, "uint8": np.uint8}


def of(dtype, *shape):
    return f(*shape, dtype=dtype) if np.dtype(dtype).kind == "f" else i(1, 100, *shape, dtype=dtype)


def elementwise():
    for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Erf", "Gelu", "LeakyRelu", "HardSwish", "HardSigmoid", "Elu", "Softplus", "Neg",
               "Abs", "Floor", "Round", "Sin", "Cos", "Reciprocal", "Sign", "Mish", "Softsign"):
        x = f(*IMAGE)
        yield case(op, op, [np.abs(x) + 0.1 if op in ("Log", "Sqrt") else x])
    for name, dtype in TYPES.items():
        x, y = of(dtype, *IMAGE), of(dtype, *IMAGE)
        for op in ("Add", "Mul", "Div", "Max", "Less", "Equal") if name != "float16" else ("Add", "Mul"):
            if name == "uint8" and op == "Less":
                continue
            yield case(f"{op} {name}", op, [x, y])
        yield case(f"Add {name}, channels", "Add", [x, of(dtype, 64, 1, 1)])
        yield case(f"Add {name}, scalar", "Add", [x, np.array(2, dtype)], (1,))
        if name != "float16":
            yield case(f"Clip {name}", "Clip", [x, np.array(1, dtype), np.array(50, dtype)], (1, 2))
        yield case(f"Where {name}", "Where", [b(*IMAGE), x, y])
    for name, dtype in (("float64", np.float64), ("float16", np.float16)):
        for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Sqrt"):
            yield case(f"{op} {name}", op, [np.abs(of(dtype, *IMAGE))])
    for name, dtype in (("int32", np.int32), ("int64", np.int64)):
        yield case(f"Abs {name}", "Abs", [of(dtype, *IMAGE)])
        yield case(f"Neg {name}", "Neg", [of(dtype, *IMAGE)])
        yield case(f"Mod {name}", "Mod", [of(dtype, *IMAGE), np.array(7, dtype)], (1,))
        yield case(f"Sub {name}, rows", "Sub", [of(dtype, 1, 12, 197, 197), of(dtype, 1, 1, 197, 1)])
    yield case("Add float32, rows", "Add", [f(*TOKENS), f(768)], (1,))
    yield case("Mul float32, columns", "Mul", [f(1, 12, 197, 197), f(1, 12, 197, 1)])
    yield case("Pow 2", "Pow", [f(*IMAGE), np.array(2, np.float32)], (1,))
    yield case("Pow 3 float32", "Pow", [np.abs(f(*MAP)), np.abs(f(*MAP))])
    yield case("And", "And", [b(*IMAGE), b(*IMAGE)])
    yield case("Not", "Not", [b(*IMAGE)])
    yield case("IsNaN", "IsNaN", [f(*IMAGE)])
    yield case("Mod float32", "Mod", [f(*IMAGE), np.array(3, np.float32)], (1,), fmod=1)
    yield case("PRelu", "PRelu", [f(*IMAGE), f(64, 1, 1)], (1,))
    yield case("BitShift uint8", "BitShift", [i(0, 255, *IMAGE, dtype=np.uint8), i(0, 7, *IMAGE, dtype=np.uint8)], direction="RIGHT")
    yield case("BitwiseAnd int32", "BitwiseAnd", [i(0, 255, *IMAGE, dtype=np.int32), i(0, 255, *IMAGE, dtype=np.int32)])
    yield case("Sum of 3", "Sum", [f(*IMAGE), f(*IMAGE), f(*IMAGE)])


def casts():
    kinds = {**TYPES, "bool": np.bool_}
    numbers = {"float32": 1, "float64": 11, "float16": 10, "int32": 6, "int64": 7, "uint8": 2, "bool": 9}
    for a, b_ in (("float32", "float16"), ("float16", "float32"), ("float32", "int32"), ("float32", "int64"), ("float32", "uint8"),
                  ("float32", "bool"), ("float32", "float64"), ("float64", "float32"), ("int32", "float32"), ("int64", "float32"),
                  ("uint8", "float32"), ("bool", "float32"), ("int64", "int32"), ("int32", "int64"), ("bool", "int64"), ("int64", "bool"),
                  ("uint8", "int32"), ("int64", "float64")):
        x = b(*IMAGE) if a == "bool" else of(kinds[a], *IMAGE)
        yield case(f"Cast {a} to {b_}", "Cast", [x], to=numbers[b_])
    yield case("QuantizeLinear uint8", "QuantizeLinear", [f(*IMAGE), np.float32(0.02), np.uint8(128)], (1, 2))
    yield case("DequantizeLinear uint8", "DequantizeLinear", [i(0, 255, *IMAGE, dtype=np.uint8), np.float32(0.02), np.uint8(128)], (1, 2))
    yield case("QuantizeLinear int8, channels", "QuantizeLinear", [f(*IMAGE), np.abs(f(64)) + 0.01, np.zeros(64, np.int8)], (1, 2), axis=1)
    yield case("DequantizeLinear int8, channels", "DequantizeLinear", [i(-128, 127, 512, 512, 3, 3, dtype=np.int8), np.abs(f(512)) + 0.01], (1,),
               axis=0)
    yield case("DynamicQuantizeLinear", "DynamicQuantizeLinear", [f(*IMAGE)], outputs=3)


def reductions():
    for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2", "ReduceLogSumExp"):
        yield case(f"{op}, last axis", op, [f(1, 12, 197, 197), ints(-1)], (1,))
        yield case(f"{op}, spatial axes", op, [f(*IMAGE), ints(2, 3)], (1,))
        yield case(f"{op}, axis 1", op, [f(*IMAGE), ints(1)], (1,))
        yield case(f"{op}, first axis", op, [f(512, 1024), ints(0)], (1,))
    yield case("ReduceSum, all", "ReduceSum", [f(*IMAGE)], keepdims=0)
    for name, dtype in (("int32", np.int32), ("int64", np.int64), ("float64", np.float64)):
        for op in ("ReduceSum", "ReduceMax"):
            yield case(f"{op} {name}, last axis", op, [of(dtype, 1, 12, 197, 197), ints(-1)], (1,))
            yield case(f"{op} {name}, axis 1", op, [of(dtype, *IMAGE), ints(1)], (1,))
    yield case("ArgMax, last axis", "ArgMax", [f(64, 1000)], axis=1)
    yield case("ArgMax, axis 1", "ArgMax", [f(1, 21, 256, 256)], axis=1, keepdims=0)
    yield case("ArgMax int64", "ArgMax", [i(0, 1000, 64, 1000)], axis=1)
    yield case("TopK 5 of 1000", "TopK", [f(64, 1000), ints(5)], (1,), outputs=2)
    yield case("TopK 400 of 8732", "TopK", [f(1, 80, 8732), ints(400)], (1,), outputs=2)
    yield case("TopK 100, axis 1", "TopK", [f(1, 8400, 4), ints(100)], (1,), outputs=2, axis=1)
    yield case("CumSum, last axis", "CumSum", [f(64, 4096), np.array(1)], (1,))
    yield case("CumSum, axis 1", "CumSum", [f(8, 512, 64), np.array(1)], (1,))
    yield case("CumSum int64", "CumSum", [i(0, 2, 8, 4096), np.array(1)], (1,))
    yield case("NonZero", "NonZero", [(f(512, 512) > 1.5)])
    yield case("OneHot", "OneHot", [i(0, 1000, 256), np.array(1000), np.array([0, 1], np.float32)], (1, 2))
    for op in ("Softmax", "LogSoftmax"):
        yield case(f"{op}, rows of 197", op, [f(1, 12, 197, 197)], axis=-1)
        yield case(f"{op}, rows of 1000", op, [f(64, 1000)], axis=-1)
        yield case(f"{op}, axis 1", op, [f(1, 21, 128, 128)], axis=1)


def normalisations():
    yield case("LayerNormalization", "LayerNormalization", [f(*TOKENS), f(768), f(768)], (1, 2))
    yield case("RMSNormalization", "RMSNormalization", [f(*TOKENS), f(768)], (1,), axis=-1)
    yield case("InstanceNormalization", "InstanceNormalization", [f(*IMAGE), f(64), f(64)], (1, 2))
    yield case("GroupNormalization", "GroupNormalization", [f(*IMAGE), f(64), f(64)], (1, 2), num_groups=8)
    yield case("BatchNormalization", "BatchNormalization", [f(*IMAGE), f(64), f(64), f(64), np.abs(f(64))], (1, 2, 3, 4))
    yield case("LRN", "LRN", [f(1, 64, 55, 55)], size=5)
    yield case("LpNormalization", "LpNormalization", [f(64, 4096)], axis=-1)


def moves():
    for name, dtype in (("float32", np.float32), ("int64", np.int64), ("uint8", np.uint8), ("float16", np.float16)):
        yield case(f"Transpose {name}, NCHW to NHWC", "Transpose", [of(dtype, *IMAGE)], perm=[0, 2, 3, 1])
        yield case(f"Transpose {name}, NHWC to NCHW", "Transpose", [of(dtype, 1, 112, 112, 64)], perm=[0, 3, 1, 2])
        yield case(f"Transpose {name}, heads", "Transpose", [of(dtype, 1, 197, 12, 64)], perm=[0, 2, 1, 3])
        yield case(f"Transpose {name}, matrix", "Transpose", [of(dtype, 768, 1024)], perm=[1, 0])
        yield case(f"Concat {name}, axis 1", "Concat", [of(dtype, *MAP), of(dtype, *MAP)], axis=1)
        yield case(f"Concat {name}, last axis", "Concat", [of(dtype, 1, 8400, 4), of(dtype, 1, 8400, 80)], axis=2)
        yield case(f"Slice {name}, step 2", "Slice", [of(dtype, 1, 3, 320, 320), ints(0), ints(320), ints(3), ints(2)], (1, 2, 3, 4))
        yield case(f"Slice {name}, middle", "Slice", [of(dtype, *IMAGE), ints(8), ints(104), ints(2)], (1, 2, 3))
        yield case(f"Gather {name}, rows", "Gather", [of(dtype, 30000, 256), i(0, 30000, 1, 128)], axis=0)
        yield case(f"Gather {name}, last axis", "Gather", [of(dtype, 1, 8400, 85), ints(2, 1, 0, 3)], (1,), axis=2)
        yield case(f"Expand {name}", "Expand", [of(dtype, 1, 12, 1, 197), ints(1, 12, 197, 197)], (1,))
        yield case(f"Tile {name}", "Tile", [of(dtype, 1, 64, 28, 28), ints(1, 1, 2, 2)], (1,))
    yield case("Split", "Split", [f(1, 197, 2304), ints(768, 768, 768)], (1,), outputs=3, axis=2)
    yield case("Split, axis 1", "Split", [f(*MAP), ints(128, 128)], (1,), outputs=2, axis=1)
    yield case("Pad", "Pad", [f(*IMAGE), ints(0, 0, 1, 1, 0, 0, 1, 1)], (1,))
    yield case("Pad reflect", "Pad", [f(*IMAGE), ints(0, 0, 1, 1, 0, 0, 1, 1)], (1,), mode="reflect")
    yield case("Pad edge", "Pad", [f(*IMAGE), ints(0, 0, 1, 1, 0, 0, 1, 1)], (1,), mode="edge")
    yield case("GatherElements", "GatherElements", [f(1, 8400, 85), i(0, 8400, 1, 300, 85)], axis=1)
    yield case("GatherND", "GatherND", [f(64, 112, 112), i(0, 64, 4096, 2)])
    yield case("ScatterND", "ScatterND", [f(1000, 256), i(0, 1000, 300, 1), f(300, 256)])
    yield case("ScatterElements", "ScatterElements", [f(1000, 256), i(0, 1000, 300, 256), f(300, 256)], axis=0)
    yield case("DepthToSpace", "DepthToSpace", [f(1, 64, 112, 112)], blocksize=2)
    yield case("SpaceToDepth", "SpaceToDepth", [f(1, 16, 224, 224)], blocksize=2)
    yield case("Trilu", "Trilu", [f(12, 512, 512)])
    yield case("Range int64", "Range", [np.array(0), np.array(100000), np.array(1)])
    yield case("ConstantOfShape", "ConstantOfShape", [ints(1, 64, 112, 112)])


def networks():
    for label, a, w in (("197x768 by 768x768", (197, 768), (768, 768)), ("1x2048 by 2048x1000", (1, 2048), (2048, 1000)),
                        ("64x256 by 256x256", (64, 256), (256, 256))):
        yield case(f"MatMul {label}, constant", "MatMul", [f(*a), f(*w)], (1,))
        yield case(f"MatMul {label}, both inputs", "MatMul", [f(*a), f(*w)])
    yield case("MatMul heads", "MatMul", [f(1, 12, 197, 64), f(1, 12, 64, 197)])
    yield case("MatMul float64", "MatMul", [f(128, 256, dtype=np.float64), f(256, 128, dtype=np.float64)])
    yield case("MatMul int32", "MatMul", [i(0, 9, 64, 128, dtype=np.int32), i(0, 9, 128, 64, dtype=np.int32)])
    yield case("MatMulInteger", "MatMulInteger", [i(0, 255, 197, 768, dtype=np.uint8), i(-127, 127, 768, 768, dtype=np.int8)], (1,))
    yield case("Gemm", "Gemm", [f(64, 1024), f(1000, 1024), f(1000)], (1, 2), transB=1)
    yield case("Einsum bhqd,bhkd", "Einsum", [f(1, 12, 197, 64), f(1, 12, 197, 64)], equation="bhqd,bhkd->bhqk")
    yield case("MaxPool 3x3", "MaxPool", [f(*IMAGE)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    yield case("MaxPool 2x2", "MaxPool", [f(*IMAGE)], kernel_shape=[2, 2], strides=[2, 2])
    yield case("AveragePool 2x2", "AveragePool", [f(*IMAGE)], kernel_shape=[2, 2], strides=[2, 2])
    yield case("GlobalAveragePool", "GlobalAveragePool", [f(*MAP)])
    yield case("GlobalMaxPool", "GlobalMaxPool", [f(*MAP)])
    yield case("Conv 3x3", "Conv", [f(1, 64, 28, 28), f(64, 64, 3, 3), f(64)], (1, 2), pads=[1, 1, 1, 1])
    yield case("Conv 1x1", "Conv", [f(1, 64, 28, 28), f(128, 64, 1, 1), f(128)], (1, 2))
    yield case("Conv depthwise", "Conv", [f(1, 64, 56, 56), f(64, 1, 3, 3)], (1,), pads=[1, 1, 1, 1], group=64)
    yield case("Conv 1-D", "Conv", [f(1, 80, 1000), f(128, 80, 3), f(128)], (1, 2), pads=[1, 1])
    yield case("ConvTranspose 2x2", "ConvTranspose", [f(1, 64, 28, 28), f(64, 32, 2, 2)], (1,), strides=[2, 2])
    for mode in ("nearest", "linear", "cubic"):
        yield case(f"Resize {mode}", "Resize", [f(1, 64, 28, 28), None, np.array([1, 1, 2, 2], np.float32)], (2,), mode=mode)
    yield case("Resize linear, align corners", "Resize", [f(1, 3, 112, 112), None, None, ints(1, 3, 224, 224)], (3,), mode="linear",
               coordinate_transformation_mode="align_corners")
    yield case("LSTM", "LSTM", [f(64, 1, 128), f(1, 1024, 128) / 16, f(1, 1024, 256) / 16, f(1, 2048)], (1, 2, 3), outputs=2, hidden_size=256)
    yield case("GRU", "GRU", [f(64, 1, 128), f(1, 768, 128) / 16, f(1, 768, 256) / 16, f(1, 1536)], (1, 2, 3), outputs=2, hidden_size=256)
    boxes = np.sort(_r.uniform(0, 1, (1, 2000, 4)).astype(np.float32), -1)
    yield case("NonMaxSuppression", "NonMaxSuppression", [boxes, _r.uniform(0, 1, (1, 4, 2000)).astype(np.float32), np.array(50), np.float32(0.5),
                                                         np.float32(0.3)], (2, 3, 4))


def all_cases():
    for part in (elementwise, casts, reductions, normalisations, moves, networks):
        yield from part()
