"""ai.onnx.ml's models of numbers, and the optimisers of ai.onnx.preview.training: against ONNX Runtime, and against what their papers say."""
import pathlib
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ops"))
import operator_models as om  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

rng = np.random.default_rng(12)
x = rng.standard_normal((7, 5)).astype(np.float32)
ML = "ai.onnx.ml"


@pytest.fixture(scope="module")
def lib(build):
    return om.library(build)


def check(lib, op, inputs, outputs=1, opset=3, **attributes):
    m, feeds = om.model(op, inputs, outputs, opset=opset, domain=ML, **attributes)
    if op.endswith("Classifier"):
        m.graph.output[0].CopyFrom(helper.make_tensor_value_info("y0", onnx.TensorProto.INT64, None))
        m.graph.output[1].CopyFrom(helper.make_tensor_value_info("y1", onnx.TensorProto.FLOAT, None))
    else:
        kind = om.KIND(inputs[0].dtype) if op in ("Binarizer", "ArrayFeatureExtractor", "Imputer") else onnx.TensorProto.FLOAT
        m.graph.output[0].CopyFrom(helper.make_tensor_value_info("y0", kind, None))
    got, want = lib.run(m, feeds), om.in_ort(m, feeds)
    for name in want:
        assert got[name].dtype == want[name].dtype and got[name].shape == want[name].shape, name
        np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-6)


SIMPLE = [
    ("Scaler", [x], {"offset": [0.5], "scale": [2.0]}), ("Scaler", [x], {"offset": [0.5, 1, 2, 3, 4], "scale": [2.0, 1, 0.5, 3, -1]}),
    ("Scaler", [(x * 9).astype(np.int64)], {"offset": [0.5], "scale": [2.0]}),
    ("Binarizer", [x], {"threshold": 0.25}), ("Binarizer", [x], {}),
    ("Normalizer", [x], {"norm": "MAX"}), ("Normalizer", [x], {"norm": "L1"}),
    ("Normalizer", [x * (np.arange(7) > 0)[:, None].astype(np.float32)], {"norm": "L2"}),
    ("ArrayFeatureExtractor", [x, np.array([3, 0, 3], np.int64)], {}), ("ArrayFeatureExtractor", [x[0], np.array([1, 2], np.int64)], {}),
    ("Imputer", [np.where(x > 1, np.nan, x).astype(np.float32)], {"imputed_value_floats": [1.0, 2, 3, 4, 5], "replaced_value_float": float("nan")}),
    ("Imputer", [np.round(x)], {"imputed_value_floats": [9.0], "replaced_value_float": 0.0}),
    ("Imputer", [np.round(x).astype(np.int64)], {"imputed_value_int64s": [7], "replaced_value_int64": 1}),
    ("OneHotEncoder", [np.array([[1, 5], [7, 2]], np.int64)], {"cats_int64s": [5, 1, 2], "zeros": 1}),
    ("LinearRegressor", [x], {"coefficients": [float(v) for v in range(10)], "intercepts": [0.5, -0.5], "targets": 2}),
    ("LinearRegressor", [x], {"coefficients": [0.1, 0.2, 0.3, 0.4, 0.5]}),
]


@pytest.mark.parametrize("op, inputs, attributes", SIMPLE, ids=[f"{i}_{c[0]}" for i, c in enumerate(SIMPLE)])
def test_simple(lib, op, inputs, attributes):
    check(lib, op, inputs, opset=1, **attributes)


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_linear_classifier(lib, transform):
    check(lib, "LinearClassifier", [x], 2, 1, coefficients=[float(v) for v in rng.standard_normal(15)], intercepts=[0.1, 0.2, -0.3],
          classlabels_ints=[4, 7, 9], post_transform=transform)


def forest(trees, depth, targets, several, positive=False):
    """Random trees of the old form, as attributes; leaves of `targets` targets, each with several weights or one."""
    a = {k: [] for k in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    e = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    for t in range(trees):
        count = [0]

        def grow(level):
            me = count[0]
            count[0] += 1
            at = len(a["nodeids"])
            leaf = level == 0 or level < depth and rng.random() < 0.3
            row = dict(treeids=t, nodeids=me, featureids=int(rng.integers(0, 5)), values=float(np.float32(rng.standard_normal())), truenodeids=0,
                       falsenodeids=0, modes="LEAF" if leaf else str(rng.choice(["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"])),
                       missing_value_tracks_true=int(rng.integers(0, 2)))
            for k, v in row.items():
                a[k].append(v)
            if leaf:
                for target in (range(targets) if several else [int(rng.integers(0, targets))]):
                    w = float(np.float32(rng.uniform(0, 0.2) if positive else rng.standard_normal()))
                    for k, v in zip(e, (t, me, target, w)):
                        e[k].append(v)
            else:
                a["truenodeids"][at] = grow(level - 1)
                a["falsenodeids"][at] = grow(level - 1)
            return me
        grow(depth if t else 0)  # the first tree is one leaf
    return {f"nodes_{k}": v for k, v in a.items()}, e


with_gaps = np.where(rng.random((40, 5)) < 0.1, np.nan, rng.standard_normal((40, 5))).astype(np.float32)


@pytest.mark.parametrize("function", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("targets, several", [(1, False), (3, True)])
def test_tree_regressor(lib, function, targets, several):
    nodes, e = forest(6, 4, targets, several)
    check(lib, "TreeEnsembleRegressor", [with_gaps], n_targets=targets, aggregate_function=function, base_values=[0.25] * targets, **nodes,
          **{f"target_{k}": v for k, v in e.items()})


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("targets", [3, 4])
def test_tree_classifier(lib, transform, targets):
    """Every row reaches leaves of every class: ONNX Runtime never chooses a class without a leaf, whatever the others' scores."""
    nodes, e = forest(5, 4, targets, True)
    check(lib, "TreeEnsembleClassifier", [with_gaps], 2, classlabels_int64s=list(range(10, 10 + targets)), post_transform=transform, **nodes,
          **{f"class_{k}": v for k, v in e.items()})


@pytest.mark.parametrize("transform, positive", [("NONE", True), ("LOGISTIC", False), ("NONE", False)])
def test_tree_classifier_of_two_by_one_score(lib, transform, positive):
    nodes, e = forest(5, 4, 1, False, positive)
    check(lib, "TreeEnsembleClassifier", [with_gaps], 2, classlabels_int64s=[3, 8], post_transform=transform, **nodes,
          **{f"class_{k}": v for k, v in e.items()})


def test_trees_refuse_damage(lib):
    good = dict(n_targets=1, nodes_featureids=[0], nodes_truenodeids=[0], nodes_falsenodeids=[1], nodes_trueleafs=[1], nodes_falseleafs=[1],
                tree_roots=[0], leaf_targetids=[0, 0], nodes_modes=numpy_helper.from_array(np.array([0], np.uint8)),
                nodes_splits=numpy_helper.from_array(np.array([0.5], np.float32)), leaf_weights=numpy_helper.from_array(np.array([1, 2], np.float32)))
    y = om.run(lib, "TreeEnsemble", [x], opset=5, domain=ML, **good)[0]
    np.testing.assert_array_equal(y[:, 0], np.where(x[:, 0] <= 0.5, 1, 2))
    for key, wrong in (("nodes_falsenodeids", [2]), ("tree_roots", [1]), ("leaf_targetids", [0, 1]), ("nodes_trueleafs", [1, 1]),
                       ("nodes_featureids", [-1]), ("aggregate_function", 7), ("n_targets", 0),
                       ("nodes_modes", numpy_helper.from_array(np.array([9], np.uint8)))):
        with pytest.raises(om.reference_engine.IngotError):
            om.run(lib, "TreeEnsemble", [x], opset=5, domain=ML, **{**good, key: wrong})
    loop = {**good, "nodes_trueleafs": [0], "nodes_falseleafs": [0], "nodes_falsenodeids": [0]}
    assert (om.run(lib, "TreeEnsemble", [x], opset=5, domain=ML, **loop)[0] == 0).all()


def test_optimizers_of_several_tensors(lib):
    """Two tensors of different shapes, second step; by the papers' formulas in float64."""
    r, t = np.float32(0.1), np.int64(2)
    xs, gs, vs = ([rng.standard_normal(s).astype(np.float32) for s in ((3,), (2, 2))] for _ in range(3))
    hs = [np.abs(rng.standard_normal(s)).astype(np.float32) for s in ((3,), (2, 2))]
    run = lambda op, inputs, n, **a: om.run(lib, op, inputs, n, opset=1, domain="ai.onnx.preview.training", **a)
    got = run("Adagrad", [r, t, *xs, *gs, *hs], 4, decay_factor=0.1, norm_coefficient=0.5, epsilon=1e-3)
    for i in range(2):
        g = gs[i] + 0.5 * xs[i]
        h = hs[i] + g * g
        np.testing.assert_allclose(got[i], xs[i] - 0.1 / 1.2 * g / (np.sqrt(h) + 1e-3), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got[2 + i], h, rtol=1e-5)
    got = run("Adam", [r, t, *xs, *gs, *vs, *hs], 6, alpha=0.8, beta=0.9, norm_coefficient=0.5, norm_coefficient_post=0.25)
    for i in range(2):
        g = gs[i] + 0.5 * xs[i]
        v, h = 0.8 * vs[i] + 0.2 * g, 0.9 * hs[i] + 0.1 * g * g
        rate = 0.1 * np.sqrt(1 - 0.9 ** 2) / (1 - 0.8 ** 2)
        np.testing.assert_allclose(got[i], 0.75 * (xs[i] - rate * v / (np.sqrt(h) + 1e-6)), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(got[2 + i], v, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got[4 + i], h, rtol=1e-5, atol=1e-6)
    for mode in ("standard", "nesterov"):
        for step in (0, 3):
            got = run("Momentum", [r, np.int64(step), *xs, *gs, *vs], 4, alpha=0.8, beta=0.6, norm_coefficient=0.5, mode=mode)
            for i in range(2):
                g = gs[i] + 0.5 * xs[i]
                v = 0.8 * vs[i] + (0.6 if step else 1) * g
                np.testing.assert_allclose(got[i], xs[i] - 0.1 * (g + 0.8 * v if mode == "nesterov" else v), rtol=1e-5, atol=1e-6)
                np.testing.assert_allclose(got[2 + i], v, rtol=1e-5, atol=1e-6)
