"""The ONNX importer's conversions: models of each operator's older and newer forms, made with the onnx package, run with the reference
kernels and compared with ONNX Runtime, or, where it has no kernel for an opset, with numbers worked out here."""
import pathlib
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
ort = pytest.importorskip("onnxruntime", reason="no onnxruntime here")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2] / "fuzz" / "graphs"))
import exact_sums  # noqa: E402
import reference_engine  # noqa: E402
from conversion_cases import CASES, build_case, f, image, model, x34  # noqa: E402


@pytest.fixture(scope="module")
def ingot_library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


def with_types(m):
    """ONNX Runtime wants its outputs to have types."""
    copy = onnx.ModelProto()
    copy.CopyFrom(m)
    try:
        inferred = onnx.shape_inference.infer_shapes(copy)
    except Exception:
        return copy
    return inferred if all(o.type.HasField("tensor_type") for o in inferred.graph.output) else copy


def runtime(m, inputs):
    if not exact_sums.right(m.graph.node):
        return dict(zip([o.name for o in m.graph.output], ReferenceEvaluator(m).run(None, inputs)))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(with_types(m).SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))


def check(library, m, inputs, expected=None, rtol=1e-5, atol=1e-5):
    found = library.run(m, inputs)
    expected = runtime(m, inputs) if expected is None else expected
    assert set(found) == set(expected)
    for name, want in expected.items():
        assert found[name].dtype == want.dtype, name
        assert found[name].shape == want.shape, name
        np.testing.assert_allclose(found[name].astype(np.float64), want.astype(np.float64), rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_conversion(ingot_library, case):
    m, inputs = build_case(case)
    loose = {"qlinear_conv": 1, "qlinear_matmul": 1, "dynamic_quantize": 1e-4}.get(case[0], 1e-5)  # a step, where rounding decides
    check(ingot_library, m, inputs, atol=loose)


# ---- Opsets that ONNX Runtime has no kernels for


def test_reshape_1(ingot_library):
    m = model([helper.make_node("Reshape", ["x"], ["y"], shape=[4, -1])], {"x": x34}, ["y"], opset=1, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34.reshape(4, 3)})


@pytest.mark.parametrize("axis, shape", [(None, (6, 6)), (1, (4,)), (0, (2, 4)), (-3, (4,)), (2, (6, 6))])
def test_broadcast_axis(ingot_library, axis, shape):
    b = f(*shape)
    attributes = {} if axis is None else {"axis": axis}
    node = helper.make_node("Add", ["x", "b"], ["y"], broadcast=1, **attributes)
    at = 2 if axis is None else axis % 4
    wide = b.reshape(b.shape + (1,) * (4 - at - b.ndim))
    check(ingot_library, model([node], {"x": image}, ["y"], {"b": b}, opset=6, dynamic=False), {"x": image}, {"y": image + wide})


def test_prelu_6(ingot_library):
    slope = f(4)
    m = model([helper.make_node("PRelu", ["x", "s"], ["y"])], {"x": image}, ["y"], {"s": slope}, opset=6, dynamic=False)
    check(ingot_library, m, {"x": image}, {"y": np.where(image < 0, image * slope[:, None, None], image)})


def test_cast_1(ingot_library):
    m = model([helper.make_node("Cast", ["x"], ["y"], to="INT64")], {"x": x34}, ["y"], opset=5, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34.astype(np.int64)})


def test_concat_1_consumed_inputs(ingot_library):
    nodes = [helper.make_node("Concat", ["x", "x"], ["a"]), helper.make_node("Relu", ["a"], ["y"], consumed_inputs=[0])]
    m = model(nodes, {"x": x34}, ["y"], opset=1, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": np.maximum(np.concatenate([x34, x34], 1), 0)})


@pytest.mark.parametrize("opset, dtype", [(7, np.float32), (10, np.bool_)])
def test_dropout_mask(ingot_library, opset, dtype):
    m = model([helper.make_node("Dropout", ["x"], ["y", "mask"])], {"x": x34}, ["y", "mask"], opset=opset, dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34, "mask": np.ones((3, 4), dtype)})


def test_swish(ingot_library):
    for alpha in (1.0, 0.5):
        m = model([helper.make_node("Swish", ["x"], ["y"], alpha=alpha)], {"x": x34}, ["y"], opset=24, dynamic=False)
        check(ingot_library, m, {"x": x34}, {"y": (x34 / (1 + np.exp(-alpha * x34.astype(np.float64)))).astype(np.float32)})


# ---- Constants, functions, subgraphs, com.microsoft

CONSTANTS = {
    "value": numpy_helper.from_array(x34),
    "value_int": 3,
    "value_ints": [1, 2, 3],
    "value_float": 0.5,
    "value_floats": [0.5, 1.5],
    "sparse_value": helper.make_sparse_tensor(numpy_helper.from_array(np.array([5, 6], np.float32), "v"),
                                              helper.make_tensor("i", TensorProto.INT64, [2], [1, 3]), [4]),
}


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize("as_output", [False, True])
def test_constant(ingot_library, name, as_output):
    nodes = [helper.make_node("Constant", [], ["k"], **{name: CONSTANTS[name]})]
    nodes.append(helper.make_node("Relu" if name not in ("value_int", "value_ints") else "Abs", ["k"], ["y"]))
    nodes.append(helper.make_node("Relu", ["x"], ["z"]))
    expected = None
    if name == "sparse_value":  # ONNX Runtime can't give one away
        k = np.array([0, 5, 0, 6], np.float32)
        expected = {"y": k, "z": np.maximum(x34, 0), **({"k": k} if as_output else {})}
    check(ingot_library, model(nodes, {"x": x34}, ["y", "z"] + ["k"] * as_output, opset=14, dynamic=False), {"x": x34}, expected)


def test_function_nested(ingot_library):
    inner = helper.make_function("local", "Scale", ["v", "absent"], ["w"],
                                 [helper.make_node("Constant", [], ["k"], name="k"), helper.make_node("Mul", ["v", "k"], ["w"])],
                                 [helper.make_opsetid("", 17)], ["factor"])
    a = inner.node[0].attribute.add()
    a.name, a.ref_attr_name, a.type = "value_float", "factor", onnx.AttributeProto.FLOAT
    outer = helper.make_function("local", "Twice", ["a"], ["b", "c"],
                                 [helper.make_node("Scale", ["a"], ["t"], domain="local", factor=3.0),
                                  helper.make_node("Scale", ["t"], ["b"], domain="local", factor=0.25), helper.make_node("Identity", ["a"], ["c"])],
                                 [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)])
    nodes = [helper.make_node("Twice", ["x"], ["p", "q"], domain="local"), helper.make_node("Twice", ["p"], ["y", ""], domain="local")]
    m = model(nodes, {"x": x34}, ["y", "q"], opset=17, functions=[inner, outer], extra_opsets=[helper.make_opsetid("local", 1)], dynamic=False)
    check(ingot_library, m, {"x": x34}, {"y": x34 * 0.5625, "q": x34})


def branch(name, nodes, outputs):
    return helper.make_graph(nodes, name, [], [helper.make_empty_tensor_value_info(o) for o in outputs])


@pytest.mark.parametrize("flag", [True, False])
def test_if(ingot_library, flag):
    then_graph = branch("t", [helper.make_node("Mul", ["x", "x"], ["tr"])], ["tr"])
    else_graph = branch("e", [helper.make_node("Relu", ["x"], ["er"])], ["er"])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then_graph, else_branch=else_graph)
    inputs = {"x": x34, "c": np.array(flag)}
    check(ingot_library, model([node], inputs, ["y"], opset=16, dynamic=False), inputs, {"y": x34 * x34 if flag else np.maximum(x34, 0)})


def test_loop(ingot_library):
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["s2"]), helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Relu", ["s2"], ["scan"])],
        "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("s", TensorProto.FLOAT, [3, 4])],
        [info("c2", TensorProto.BOOL, []), info("s2", TensorProto.FLOAT, [3, 4]), info("scan", TensorProto.FLOAT, [3, 4])])
    m = model([helper.make_node("Loop", ["n", "", "x"], ["y", "all"], body=body)], {"x": x34}, ["y", "all"], {"n": np.int64(3)}, opset=16,
              dynamic=False, ir_version=8)
    check(ingot_library, m, {"x": x34})


@pytest.mark.parametrize("activation, parameters", [("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.75]), ("Sigmoid", []), ("", [])])
@pytest.mark.parametrize("residual", [False, True])
def test_fused_conv(ingot_library, activation, parameters, residual):
    attributes = {"activation": activation} if activation else {}
    if parameters:
        attributes["activation_params"] = [float(p) for p in parameters]
    w, b, z = f(4, 4, 3, 3), f(4), f(2, 4, 6, 6)
    names = ["x", "w", "b"] + (["z"] if residual else [])
    node = helper.make_node("FusedConv", names, ["y"], domain="com.microsoft", pads=[1, 1, 1, 1], **attributes)
    m = model([node], {"x": image}, ["y"], {"w": w, "b": b, **({"z": z} if residual else {})}, opset=17,
              extra_opsets=[helper.make_opsetid("com.microsoft", 1)], dynamic=False, ir_version=8)
    conv = model([helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])], {"x": image}, ["y"], {"w": w, "b": b}, 17, dynamic=False)
    y = runtime(conv, {"x": image})["y"] + (z if residual else 0)
    y = {"Relu": lambda: np.maximum(y, 0), "LeakyRelu": lambda: np.where(y < 0, y * np.float32(0.2), y), "Clip": lambda: np.clip(y, -0.5, 0.75),
         "Sigmoid": lambda: 1 / (1 + np.exp(-y)), "": lambda: y}[activation]()
    check(ingot_library, m, {"x": image}, {"y": y.astype(np.float32)})


@pytest.mark.parametrize("op, n", [("Gelu", 1), ("BiasGelu", 2), ("FastGelu", 1), ("FastGelu", 2), ("QuickGelu", 1)])
def test_microsoft_gelu(ingot_library, op, n):
    inputs = {"x": x34, "b": f(4)} if n == 2 else {"x": x34}
    m = model([helper.make_node(op, list(inputs), ["y"], domain="com.microsoft")], inputs, ["y"], opset=17,
              extra_opsets=[helper.make_opsetid("com.microsoft", 1)], dynamic=False)
    m.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 4]))
    check(ingot_library, m, inputs, rtol=1e-4, atol=1e-5)


def test_external_data(ingot_library, tmp_path):
    w = f(4, 300)
    m = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": x34}, ["y"], {"w": w}, opset=13, dynamic=False)
    onnx.save(m, str(tmp_path / "m.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    check(ingot_library, tmp_path / "m.onnx", {"x": x34}, {"y": x34 @ w})


# ---- What ingot doesn't take


def fails(library, m, status, *words):
    with pytest.raises(reference_engine.IngotError) as caught:
        library.layers(m)
    assert caught.value.status == status, caught.value
    for word in words:
        assert word in caught.value.text, caught.value


def test_training(ingot_library):
    constants = {n: np.ones(4, np.float32) for n in "sbmv"}
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y", "mean", "var", "", ""], "bn")
    nodes = [node, helper.make_node("Relu", ["mean"], ["z"], "r")]
    fails(ingot_library, model(nodes, {"x": image}, ["y", "z"], constants, 9), 6, "r (Relu)", "exists in training only")


def test_unknown_operators_are_listed(ingot_library):
    nodes = [helper.make_node("NoSuchGrid", ["x", "x"], [f"a{i}"], f"grid_{i}") for i in range(12)] + [
        helper.make_node("NoSuchScan", ["x"], ["b"], "scan", body=branch("s", [helper.make_node("NoSuchDet", ["x"], ["d"], "det")], ["d"])),
        helper.make_node("Relu", ["b"], ["y"])]
    fails(ingot_library, model(nodes, {"x": x34}, ["y"], opset=20), 5,
          "14 nodes use operators that ingot doesn't have: NoSuchGrid (node 'grid_0', 'grid_1' and 10 more), NoSuchScan (node 'scan'), "
          "NoSuchDet (node 'det')")


def test_every_default_is_onnx_s(ingot_library, root):
    """The rows of ops.def against the newest schemas: an attribute's default that differs would change models in silence."""
    import re

    text = (root / "src" / "ops.def").read_text()
    lists = dict(re.findall(r"#define (A_\w+)\(I, F, S, IS, FS, SS, T, G\)((?:.*\\\n)*.*)", text))
    rows = re.findall(r'INGOT_(?:OP\(\w+, "(\w+)", "", .*|ELEMENTWISE\(\w+, "(\w+)", .*)\b(A_\w+)[,)]', text)
    assert len(rows) > 100
    number = lambda v: float(v.rstrip("f"))
    absent = set()
    for a, b, row in rows:
        op = a or b
        if op == "MatMul":
            continue  # all of its attributes are ours
        body = lists[row]
        for _ in range(3):
            body = re.sub(r"(A_\w+)\(I, F, S, IS, FS, SS, T, G\)", lambda m: lists[m.group(1)], body)
        schema = onnx.defs.get_schema(op)
        for kind, field, default in re.findall(r"\b([IFS])\((\w+), ([^()]*)\)", body):
            if field not in schema.attributes or op == "CastLike" and field == "to":
                continue
            proto = schema.attributes[field].default_value
            if schema.attributes[field].required or not proto.name:
                continue  # checked by the importer, or without a default
            want = helper.get_attribute_value(proto)
            if kind == "S":
                assert default.strip('"') == want.decode(), (op, field)
            elif default != "INGOT__NO_INT":
                assert abs(number(default) - want) <= 1e-6 * abs(want), (op, field, default, want)
        ours = set(re.findall(r"\b(?:[IFSTG]|IS|FS|SS)\((\w+)", body))
        absent |= {f"{op}.{name}" for name in set(schema.attributes) - ours}
    # What conversions take, what changes nothing, and what is refused.
    assert absent == {"BatchNormalization.momentum", "BatchNormalization.training_mode", "Optional.type", "Range.stash_type"}
