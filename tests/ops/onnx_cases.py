"""Writes cases of operators as networks in text, whose outputs are the operator's and then, as constants, the results of ONNX Runtime. For the
make_*_cases.py beside it; needs numpy, onnx and onnxruntime."""
import numpy as np
import onnxruntime as ort
from onnx import helper

ort.set_default_logger_severity(4)
rng = np.random.default_rng(20)
DTYPES = {"float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11, "uint32": 12, "uint64": 13}


def f(*shape, low=-2.0, high=2.0):
    return np.round(rng.uniform(low, high, shape) * 64).astype(np.float32) / 64


def i(*shape, dtype=np.int64, low=-9, high=9):
    return rng.integers(low, high + 1, shape).astype(dtype)


def const(a):
    return np.array(a, np.int64)


def number(v):
    if isinstance(v, (bool, np.bool_)):
        return "true" if v else "false"
    if isinstance(v, (float, np.floating)):
        return f"{float(v):.9g}"
    return str(int(v))


def attribute(v):
    if isinstance(v, str):
        return '"' + v + '"'
    return "[" + ", ".join(attribute(x) for x in v) + "]" if isinstance(v, (list, tuple)) else repr(v)


def case(op, arrays, outputs=1, opset=21, name=None, **attrs):
    names = [f"i{k}" if a is not None else "" for k, a in enumerate(arrays)]
    outs = [f"o{k}" for k in range(outputs)]
    node = helper.make_node(op, names, outs, **attrs)
    infos = [helper.make_tensor_value_info(n, DTYPES[a.dtype.name], a.shape) for n, a in zip(names, arrays) if n]
    results = [helper.make_tensor_value_info(o, 0, None) for o in outs]
    for r in results:
        r.ClearField("type")
    model = helper.make_model(helper.make_graph([node], "g", infos, results), opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {n: a for n, a in zip(names, arrays) if n})
    print(f"# {name or op}\nnetwork {{")
    for n, a in [*zip(names, arrays), *((f"e{k}", e) for k, e in enumerate(expected))]:
        if n:
            print(f"const {n}: {a.dtype.name}[{','.join(map(str, a.shape))}] = {{{', '.join(number(x) for x in a.ravel())}}}")
    shown = " ".join(f"{k}={attribute(v)}" for k, v in attrs.items())
    print(f"{', '.join(outs)} = {op}({', '.join(n or '_' for n in names)}) {{{shown}}}")
    print("".join(f"output {n}\n" for n in outs + [f"e{k}" for k in range(outputs)]) + "}")


def head(script):
    print(f"# Written by {script} with ONNX Runtime {ort.__version__}; not to be edited.")
