"""Scan in its two forms, and Loop's edge cases: against NumPy and ONNX Runtime."""
import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import operator_models as om  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

rng = np.random.default_rng(6)
info = helper.make_tensor_value_info
FLOAT = TensorProto.FLOAT


@pytest.fixture(scope="module")
def lib(build):
    return om.library(build)


def body(shape, k=None):
    """State s, elements x (and k): s' = s + x (* k), and what is stacked: s' and x * outer."""
    nodes = [helper.make_node("Add", ["s", "x" if k is None else "xk"], ["s1"]), helper.make_node("Identity", ["s1"], ["o1"]),
             helper.make_node("Mul", ["x", "outer"], ["o2"])]
    inputs = [info("s", FLOAT, shape), info("x", FLOAT, shape)]
    if k is not None:
        nodes.insert(0, helper.make_node("Mul", ["x", "k"], ["xk"]))
        inputs.append(info("k", FLOAT, k))
    return helper.make_graph(nodes, "body", inputs, [info(n, FLOAT, shape) for n in ("s1", "o1", "o2")])


def scan_model(inputs, sub, opset, outputs, **attributes):
    names = ["" if a is None else f"x{i}" for i, a in enumerate(inputs)]
    node = helper.make_node("Scan", names, outputs, "scan", body=sub, **attributes)
    feeds = {n: a for n, a in zip(names, inputs) if n}
    infos = [info(n, om.KIND(a.dtype), a.shape) for n, a in feeds.items()]
    outer = om.numpy_helper.from_array(np.float32(2), "outer")
    g = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info(o) for o in outputs if o], [outer])
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)])
    m.ir_version = 8
    return m, feeds


@pytest.mark.parametrize("in_axis, out_axis, back, prepend", [(0, 0, 0, 0), (1, 0, 1, 0), (-1, 1, 0, 1), (2, -1, 1, 1)])
def test_scan_9(lib, in_axis, out_axis, back, prepend):
    steps = np.moveaxis(rng.standard_normal((5, 3, 4)).astype(np.float32), 0, in_axis)
    k = rng.standard_normal((5, 4)).astype(np.float32)
    s = rng.standard_normal((3, 4)).astype(np.float32)
    m, feeds = scan_model([s, steps, k], body([3, 4], [4]), 11, ["s", "all", "doubled"], num_scan_inputs=2, scan_input_axes=[in_axis, 0],
                          scan_input_directions=[back, 0], scan_output_axes=[out_axis, 0], scan_output_directions=[prepend, 0])
    x = np.moveaxis(steps, in_axis, 0)[::-1 if back else 1]
    sums = s + np.cumsum(x * k[:, None], 0)
    got = lib.run(m, feeds)
    np.testing.assert_allclose(got["s"], sums[-1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got["all"], np.moveaxis(sums[::-1 if prepend else 1], 0, out_axis), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got["doubled"], x * 2, rtol=1e-5)
    want = om.in_ort(m, feeds)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lengths", [None, [3, 0, 5]])
@pytest.mark.parametrize("back", [0, 1])
def test_scan_8(lib, lengths, back):
    x, s = rng.standard_normal((3, 5, 2)).astype(np.float32), rng.standard_normal((3, 2)).astype(np.float32)
    lens = None if lengths is None else np.array(lengths, np.int64)
    m, feeds = scan_model([lens, s, x], body([2]), 8, ["s", "all", "doubled"], num_scan_inputs=1, directions=[back])
    got = lib.run(m, feeds)
    for b, n in enumerate(lengths or [5] * 3):
        seen = x[b, :n][::-1 if back else 1]
        sums = s[b] + np.cumsum(seen, 0)
        np.testing.assert_allclose(got["s"][b], sums[-1] if n else s[b], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got["all"][b, :n], sums, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got["doubled"][b, :n], 2 * seen)
        assert (got["all"][b, n:] == 0).all()


def test_scan_outputs_left_out(lib):
    x, s = rng.standard_normal((4, 2)).astype(np.float32), np.zeros(2, np.float32)
    m, feeds = scan_model([s, x], body([2]), 16, ["", "all"], num_scan_inputs=1)
    np.testing.assert_allclose(lib.run(m, feeds)["all"], np.cumsum(x, 0), rtol=1e-5, atol=1e-6)


def test_scan_of_nothing(lib):
    s = np.ones(2, np.float32)
    m, feeds = scan_model([s, np.zeros((0, 2), np.float32)], body([2]), 16, ["s", "all", "doubled"], num_scan_inputs=1)
    got = lib.run(m, feeds)
    assert got["all"].shape == (0, 2) and (got["s"] == s).all()


def test_scan_in_scan(lib):
    """Running sums along the rows inside, of running sums along the columns outside."""
    x, s = rng.standard_normal((4, 3)).astype(np.float32), np.zeros(3, np.float32)
    inner = helper.make_graph([helper.make_node("Add", ["t", "e"], ["t1"]), helper.make_node("Identity", ["t1"], ["o"])], "inner",
                              [info("t", FLOAT, []), info("e", FLOAT, [])], [info("t1", FLOAT, []), info("o", FLOAT, [])])
    nodes = [helper.make_node("Add", ["s", "x"], ["s1"]), helper.make_node("Constant", [], ["zero"], value_float=0.0),
             helper.make_node("Scan", ["zero", "s1"], ["", "row"], num_scan_inputs=1, body=inner)]
    outer = helper.make_graph(nodes, "outer", [info("s", FLOAT, [3]), info("x", FLOAT, [3])], [info("s1", FLOAT, [3]), info("row", FLOAT, [3])])
    m, feeds = scan_model([s, x], outer, 16, ["s", "y"], num_scan_inputs=1)
    np.testing.assert_allclose(lib.run(m, feeds)["y"], np.cumsum(np.cumsum(x, 0), 1), rtol=1e-5, atol=1e-5)


def test_scan_refuses_what_does_not_fit(lib):
    x, s = np.ones((4, 2), np.float32), np.zeros(2, np.float32)
    for inputs, more in (([s, x], {"num_scan_inputs": 3}), ([s, x], {"num_scan_inputs": 1, "scan_input_axes": [2]}),
                         ([s, x], {"num_scan_inputs": 1, "scan_output_axes": [0]}), ([s, x], {"num_scan_inputs": 1, "scan_input_directions": [2]}),
                         ([s], {"num_scan_inputs": 1})):
        m, feeds = scan_model(inputs, body([2]), 16, ["s", "all", "doubled"], **more)
        with pytest.raises(om.reference_engine.IngotError):
            lib.run(m, feeds)


def loop_model(nodes, extra, outputs, trip, condition, carried):
    """A Loop whose body has i, c and the carried values v0.. as inputs, c1 and w0.. and `extra` as outputs."""
    names = list(carried)
    ins = [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, [])]
    ins += [info(f"v{k}", om.KIND(a.dtype), None) for k, a in enumerate(carried.values())]
    outs = [helper.make_empty_tensor_value_info(o) for o in ["c1", *[f"w{k}" for k in range(len(carried))], *extra]]
    node = helper.make_node("Loop", ["n" if trip is not None else "", "on" if condition is not None else "", *names], outputs,
                            body=helper.make_graph(nodes, "body", ins, outs))
    feeds = dict(carried)
    constants = [om.numpy_helper.from_array(np.array(v), n) for n, v in (("n", trip), ("on", condition)) if v is not None]
    infos = [info(n, om.KIND(a.dtype), a.shape) for n, a in feeds.items()]
    m = helper.make_model(helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info(o) for o in outputs if o], constants),
                          opset_imports=[helper.make_opsetid("", 16)])
    m.ir_version = 8
    return m, feeds


GROW = [helper.make_node("Concat", ["v0", "v0"], ["w0"], axis=0), helper.make_node("Size", ["w0"], ["size"]),
        helper.make_node("Constant", [], ["limit"], value_int=40), helper.make_node("Less", ["size", "limit"], ["c1"]),
        helper.make_node("ReduceSum", ["v0"], ["sum"], keepdims=0)]


@pytest.mark.parametrize("trip, condition, trips", [(None, None, 4), (None, True, 4), (2, None, 2), (0, None, 0), (5, False, 0), (9, True, 4),
                                                    (-3, None, 0)])
def test_loop_that_grows(lib, trip, condition, trips):
    x = np.arange(3, dtype=np.float32)
    m, feeds = loop_model(GROW, ["sum"], ["y", "sums"], trip if trip is None else np.int64(trip), condition, {"x": x})
    got = lib.run(m, feeds)
    np.testing.assert_array_equal(got["y"], np.tile(x, 2 ** trips))
    np.testing.assert_array_equal(got["sums"], np.array([3 * 2.0 ** t for t in range(trips)], np.float32))


def test_loop_swaps_its_values(lib):
    nodes = [helper.make_node("Identity", ["c"], ["c1"]), helper.make_node("Identity", ["v1"], ["w0"]), helper.make_node("Identity", ["v0"], ["w1"])]
    a, b = np.arange(3, dtype=np.float32), np.arange(3, 6, dtype=np.float32)
    m, feeds = loop_model(nodes, [], ["p", "q"], np.int64(3), True, {"a": a, "b": b})
    got = lib.run(m, feeds)
    assert (got["p"] == b).all() and (got["q"] == a).all()


def test_loop_outputs_left_out(lib):
    x = np.arange(3, dtype=np.float32)
    m, feeds = loop_model(GROW, ["sum"], ["", "sums"], np.int64(3), None, {"x": x})
    np.testing.assert_array_equal(lib.run(m, feeds)["sums"], np.array([3, 6, 12], np.float32))
