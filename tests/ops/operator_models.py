"""For the tests of operators: models of one node, run by the reference kernels, and their results in ONNX Runtime."""
import pathlib
import sys

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "import"))
import reference_engine  # noqa: E402

KIND = helper.np_dtype_to_tensor_dtype


def library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


def model(op, inputs, outputs=1, opset=21, domain="", constants=(), **attributes):
    """A node of `op` over `inputs`, arrays or None; those whose index is in `constants` are initializers."""
    names = ["" if a is None else f"x{i}" for i, a in enumerate(inputs)]
    outs = [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
    node = helper.make_node(op, names, outs, "node", domain=domain, **attributes)
    infos = [helper.make_tensor_value_info(n, KIND(a.dtype), a.shape) for i, (n, a) in enumerate(zip(names, inputs)) if n and i not in constants]
    results = [helper.make_empty_tensor_value_info(o) for o in outs if o]
    initializers = [numpy_helper.from_array(inputs[i], names[i]) for i in constants]
    opsets = [helper.make_opsetid("", opset if not domain else 21)] + ([helper.make_opsetid(domain, opset)] if domain else [])
    m = helper.make_model(helper.make_graph([node], "g", infos, results, initializers), opset_imports=opsets)
    m.ir_version = 8
    return m, {n: a for i, (n, a) in enumerate(zip(names, inputs)) if n and i not in constants}


def run(lib, op, inputs, outputs=1, **more):
    m, feeds = model(op, [None if a is None else np.asarray(a) for a in inputs], outputs, **more)
    found = lib.run(m, feeds)
    return [found[o.name] for o in m.graph.output]


def with_types(m):
    typed = onnx.shape_inference.infer_shapes(m)
    return typed if all(o.type.HasField("tensor_type") for o in typed.graph.output) else m


def in_ort(m, feeds):
    ort = pytest.importorskip("onnxruntime", reason="no onnxruntime here")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(with_types(m).SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
