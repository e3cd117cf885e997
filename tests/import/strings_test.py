"""Tensors of strings, casts to and from them, and regular expressions, through models made here; expected values are Python's and NumPy's."""
import decimal
import pathlib
import re
import sys
import time

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
from onnx import TensorProto, helper  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import reference_engine  # noqa: E402

WORDS = np.array([["one", "", "drei"], ["vier\0x", "fünf", "日本"]], dtype=object)
WAYS = ({"reference": True}, {"reference": False}, {"reference": False, "through_file": True})


@pytest.fixture(scope="module")
def ingot_library(build):
    path = build / "libingot.so"
    if not path.exists():
        pytest.skip("no libingot.so")
    return reference_engine.Library(path)


def proto(a):
    return TensorProto.STRING if a.dtype.kind in "OU" else helper.np_dtype_to_tensor_dtype(a.dtype)


def model(nodes, inputs, outputs, constants=(), opset=21):
    values = [helper.make_tensor_value_info(n, proto(a), a.shape) for n, a in inputs.items()]
    results = [helper.make_tensor_value_info(n, t, None) for n, t in outputs.items()]
    kept = [helper.make_tensor(n, proto(a), a.shape, [s.encode() for s in a.reshape(-1)] if a.dtype.kind in "OU" else a.reshape(-1).tolist())
            for n, a in dict(constants).items()]
    graph = helper.make_graph(nodes, "g", values, results, kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def run(library, node, inputs, out=TensorProto.STRING, constants=(), ways=WAYS):
    """The node's one output, the same in all ways."""
    m = model([node], inputs, {node.output[0]: out}, constants)
    results = [library.run(m, inputs, **how)[node.output[0]] for how in ways]
    for r in results[1:]:
        assert r.shape == results[0].shape and list(map(str, r.reshape(-1))) == list(map(str, results[0].reshape(-1)))
    return results[0]


def i64(*v):
    return np.array(v, np.int64)


MOVES = {
    "Reshape": ([i64(3, 2)], {}, lambda: WORDS.reshape(3, 2)), "Transpose": ([], {}, lambda: WORDS.T),
    "Gather": ([i64(2, 0)], {"axis": 1}, lambda: WORDS[:, [2, 0]]), "Slice": ([i64(2), i64(-9), i64(1), i64(-1)], {}, lambda: WORDS[:, ::-1]),
    "Tile": ([i64(1, 2)], {}, lambda: np.tile(WORDS, (1, 2))), "Expand": ([i64(2, 2, 3)], {}, lambda: np.broadcast_to(WORDS, (2, 2, 3))),
    "Unsqueeze": ([i64(0)], {}, lambda: WORDS[None]), "Flatten": ([], {"axis": 0}, lambda: WORDS.reshape(1, 6)),
    "GatherElements": ([np.array([[2, 1], [0, 0]], np.int64)], {"axis": 1}, lambda: np.take_along_axis(WORDS, np.array([[2, 1], [0, 0]]), 1)),
    "GatherND": ([i64(1, 2)], {}, lambda: WORDS[1, 2]), "Identity": ([], {}, lambda: WORDS),
    "Pad": ([i64(0, 1, 0, 0), np.array("-", object)], {}, lambda: np.pad(WORDS, ((0, 0), (1, 0)), constant_values="-")),
    "Compress": ([np.array([True, False, True])], {"axis": 1}, lambda: WORDS[:, [0, 2]]),
    "CenterCropPad": ([i64(4, 1)], {}, lambda: np.array([[""], [""], ["fünf"], [""]], object)),
    "ReverseSequence": ([i64(2, 3)], {"batch_axis": 0, "time_axis": 1}, lambda: np.array([["", "one", "drei"], WORDS[1, ::-1]], object)),
    "Unique": ([], {}, lambda: np.array(["", "drei", "fünf", "one", "vier\0x", "日本"], object)),
    "Concat": ([np.array([["a", "b", "c"]], object)], {"axis": 0}, lambda: np.concatenate([WORDS, np.array([["a", "b", "c"]], object)])),
    "ScatterND": ([np.array([[0]], np.int64), np.array([["x", "y", "z"]], object)], {}, lambda: np.array([["x", "y", "z"], WORDS[1]], object)),
}


@pytest.mark.parametrize("op", MOVES)
def test_elements_move(ingot_library, op):
    rest, attributes, want = MOVES[op]
    names = ["x"] + [f"c{i}" for i in range(len(rest))]
    got = run(ingot_library, helper.make_node(op, names, ["y"], **attributes), {"x": WORDS}, constants=dict(zip(names[1:], rest)))
    assert got.shape == np.shape(want()) and got.tolist() == np.asarray(want(), object).tolist()


def test_where_and_split(ingot_library):
    flag = np.array([[True, False, True], [False, False, True]])
    node = helper.make_node("Where", ["f", "x", "c"], ["y"])
    got = run(ingot_library, node, {"f": flag, "x": WORDS}, constants={"c": np.array(["no"], object)})
    assert got.tolist() == np.where(flag, WORDS, "no").tolist()
    m = model([helper.make_node("Split", ["x"], ["a", "b"], axis=0, num_outputs=2)], {"x": WORDS}, dict.fromkeys("ab", TensorProto.STRING))
    got = ingot_library.run(m, {"x": WORDS})
    assert got["a"].tolist() == WORDS[:1].tolist() and got["b"].tolist() == WORDS[1:].tolist()


@pytest.mark.parametrize("node, status", [
    (helper.make_node("Add", ["x", "x"], ["y"]), 8), (helper.make_node("Relu", ["x"], ["y"]), 8), (helper.make_node("Less", ["x", "x"], ["y"]), 8),
    (helper.make_node("Gather", ["x", "x"], ["y"]), 8), (helper.make_node("MatMul", ["x", "x"], ["y"]), 8),
    (helper.make_node("ReduceMax", ["x"], ["y"]), 8), (helper.make_node("SequenceLength", ["x"], ["y"]), 8)])
def test_operators_of_numbers_refuse_strings(ingot_library, node, status):
    with pytest.raises(reference_engine.IngotError) as e:
        ingot_library.run(model([node], {"x": WORDS}, {"y": TensorProto.STRING}), {"x": WORDS})
    assert e.value.status == status


# ---- Casts


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_floats_to_strings_are_short_and_exact(ingot_library, dtype):
    rng = np.random.default_rng(3)
    x = np.concatenate([np.array([0.0, -0.0, 1, -1.5, 0.1, 1e-5, 1e-6, 123456, 65504, 1e15, 1e16, 3.14]),
                        rng.standard_normal(50) * 10.0 ** rng.integers(-30, 30, 50)])
    with np.errstate(over="ignore"):
        x = x.astype(dtype)
    x = x[np.isfinite(x)]
    got = run(ingot_library, helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING), {"x": x})
    for v, text in zip(x, got):
        assert dtype(text) == v and (text[0] == "-") == bool(np.signbit(v))
        assert decimal.Decimal(text) == decimal.Decimal(np.format_float_scientific(v, unique=True))
        assert ("e" in text) == (v != 0 and not -5 <= decimal.Decimal(text).adjusted() <= 15)


def test_special_numbers_and_integers_to_strings(ingot_library):
    cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)
    assert run(ingot_library, cast, {"x": np.array([np.nan, np.inf, -np.inf], np.float32)}).tolist() == ["NaN", "INF", "-INF"]
    for x in (np.array([-(2**63), 2**63 - 1, 0]), np.array([0, 2**64 - 1], np.uint64), np.array([-128, 127], np.int8)):
        assert run(ingot_library, cast, {"x": x}).tolist() == [str(int(v)) for v in x]
    assert run(ingot_library, cast, {"x": np.array([True, False])}).tolist() == ["1", "0"]


def test_strings_to_numbers(ingot_library):
    def cast(texts, to):
        return run(ingot_library, helper.make_node("Cast", ["x"], ["y"], to=to), {"x": np.array(texts, object)}, out=to)

    texts = ["3.14", "-1e-5", "1E8", "+INF", "inf", "-Inf", " 7 ", "1000", ".5"]
    assert cast(texts, TensorProto.FLOAT).tolist() == [np.float32(t) for t in texts]
    assert cast(texts, TensorProto.DOUBLE).tolist() == [float(t) for t in texts]
    assert np.isnan(cast(["NaN", "nan"], TensorProto.FLOAT)).all()
    assert cast(["12", "-7", "9223372036854775807", "-9223372036854775808"], TensorProto.INT64).tolist() == [12, -7, 2**63 - 1, -(2**63)]
    assert cast(["18446744073709551615"], TensorProto.UINT64).tolist() == [2**64 - 1]
    for bad in ("Hello World!", "", "1.5x", "0x10", "1\x002"):
        with pytest.raises(reference_engine.IngotError, match="no number"):
            cast([bad], TensorProto.FLOAT)


# ---- Regular expressions: Python's where both languages agree

TEXTS = ["", "a", "b", "ab", "abc", "aab", "abab", "aaaa", "A", "aB", "a\nb", "\n", "a1_", "foo bar", "x@y.org", "-", "]", "ü", "日本", "ab12", "{2}",
         "a{2}", "\\", "word", "word word", "0", "7f", "\t", "é.", "aXb", "ABC"]
PATTERNS = ["", "a", "a*", "a+b", "(ab)*", "(a|b)+", "a|", "|a", "[ab]+", "[^ab]+", "[a-c]{2,3}", "a{4}", "a{2,}", "a{0,2}b?", "a??b", "(a*)*", "(a|aa)+",
            "(?:a|b)(?:c|d)?", ".", ".*", "(?s).*", "(?i)abc?", "(?i:a)B", r"\w+", r"\W", r"\d+\w*", r"\D*", r"\s", r"\S+\s\S+", r"[\w@.]+", r"\bword\b",
            r"\bword\b.*", r"a\Bb", "^ab$", "(?m)^a$.^b$", "(?ms)^a$.^b$", "[]-]", "[^]]", r"\\", r"a\{2\}", "[日本]+", "[à-ÿ].?", r"\x61b",
            "(?P<n>ab)c", "(a(b(c)))", "((a)|(b))*", r"[\d_a]+", "[a-]|-", r"\t|\n", "(x|y|z)@[a-y]+\\.(org|com)", "a.b", "(?i)[b-z]", "a(?i)b",
            "(a|b|ab)(c|bc)?", "(|a)+b", r"(\w+) \w+"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_match_as_python_says(ingot_library, pattern):
    texts = np.array(TEXTS, object)
    compiled = re.compile(re.sub(r"^a\(\?i\)b$", "a(?i:b)", pattern), re.ASCII if re.search(r"\\[wWdDsSbB]", pattern) else 0)
    got = run(ingot_library, helper.make_node("RegexFullMatch", ["x"], ["y"], pattern=pattern), {"x": texts}, out=TensorProto.BOOL, ways=WAYS[1:2])
    want = [compiled.fullmatch(t) is not None for t in TEXTS]
    assert {t: g for t, g in zip(TEXTS, got)} == dict(zip(TEXTS, want))


def test_patterns_of_re2(ingot_library):
    for pattern, yes, no in [("[[:alpha:]]+", ["abZ"], ["a1", ""]), ("[[:^digit:]x]*", ["ab", "x"], ["a1"]), (r"\Qa.b\E+", ["a.b", "a.bb"], ["axb"]),
                             (r"\Aab\z", ["ab"], ["ab\n"]), ("(?U)a+b", ["aab"], ["b"]), (r"\x{65E5}\x{672C}", ["日本"], ["日"]), (r"\101", ["A"], ["a"]),
                             ("(?<n>a)", ["a"], ["b"]), (r"[\D]", ["x"], ["1"]), ("(?-i)a", ["a"], ["A"])]:
        got = run(ingot_library, helper.make_node("RegexFullMatch", ["x"], ["y"], pattern=pattern), {"x": np.array(yes + no, object)},
                  out=TensorProto.BOOL, ways=WAYS[:1])
        assert got.tolist() == [True] * len(yes) + [False] * len(no), pattern


@pytest.mark.parametrize("pattern, status", [
    ("(", 6), (")", 6), ("a**", 6), ("*a", 6), ("{2}", 6), ("[z-a]", 6), ("[a", 6), ("a\\", 6), ("(?=a)", 6), (r"(a)\1", 6), ("a{1001}", 6), ("a{3,2}", 6), (r"\y", 6),
    ("[[:nothing:]]", 6), (r"\pL", 5), (r"\C", 5), ("(" * 5000 + ")" * 5000, 9), ("((a{100}){100}){100}", 9), ("a" * 30000, 9)])
def test_wrong_patterns(ingot_library, pattern, status):
    node = helper.make_node("RegexFullMatch", ["x"], ["y"], pattern=pattern)
    with pytest.raises(reference_engine.IngotError) as e:
        ingot_library.run(model([node], {"x": WORDS}, {"y": TensorProto.BOOL}), {"x": WORDS})
    assert e.value.status == status


def test_no_pattern_takes_long(ingot_library):
    start = time.monotonic()
    for pattern in ("(a*)*b", "(a|a)*b", "(x+x+)+y", "(.*)*=(.*)*", "(a?){300}a{300}"):
        x = np.array(["a" * 2000, "x" * 2000], object)
        assert not run(ingot_library, helper.make_node("RegexFullMatch", ["x"], ["y"], pattern=pattern), {"x": x}, out=TensorProto.BOOL,
                       ways=WAYS[:1]).any()
    assert time.monotonic() - start < 20


# ---- Types that files may declare


def nested(depth):
    t = helper.make_tensor_type_proto(TensorProto.FLOAT, [2])
    for _ in range(depth):
        t = helper.make_optional_type_proto(t)
    return t


@pytest.mark.parametrize("declared", [nested(2), nested(30), helper.make_sequence_type_proto(nested(1)),
                                      helper.make_sequence_type_proto(helper.make_sequence_type_proto(nested(0))),
                                      helper.make_map_type_proto(TensorProto.INT64, nested(0))], ids=range(5))
def test_types_that_arent_had(ingot_library, declared):
    graph = helper.make_graph([helper.make_node("OptionalHasElement", ["x"], ["y"])], "g", [helper.make_value_info("x", declared)],
                              [helper.make_tensor_value_info("y", TensorProto.BOOL, [])])
    with pytest.raises(reference_engine.IngotError) as e:
        ingot_library.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))
    assert e.value.status == 5
