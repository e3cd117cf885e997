"""The differential fuzzer: some hundred random models of fixed seeds by the engine, the reference kernels and ONNX Runtime; and which
operators its table covers."""
import json
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("onnx", reason="no onnx package here")
pytest.importorskip("onnxruntime", reason="no onnxruntime here")
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "fuzz"))
import graphs  # noqa: E402

# Operators of ops.def that no row of the generator makes, and why.
SEQUENCES = "values in the graphs are tensors, sequences stay within a row"
UNCOVERED = {
    **dict.fromkeys(["LabelEncoder", "RegexFullMatch", "SimplifiedLayerNormalization", "StringConcat", "StringNormalizer", "StringSplit",
                     "TfIdfVectorizer"], "strings, or another domain"),
    **dict.fromkeys(["SequenceEmpty", "SequenceMap", "Optional", "OptionalGetElement", "OptionalHasElement"], SEQUENCES),
    **dict.fromkeys(["FlexAttention", "LinearAttention", "CausalConvWithState", "SwiGLU"], "neither ONNX Runtime nor numpy evaluates it quickly"),
    **dict.fromkeys(["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"], "gives random numbers"),
    **dict.fromkeys(["Adagrad", "Adam", "Gradient", "Momentum"], "is of training"),
    **dict.fromkeys(["ArrayFeatureExtractor", "Binarizer", "Imputer", "LinearClassifier", "LinearRegressor", "Normalizer", "OneHotEncoder", "Scaler",
                     "TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"], "is of ai.onnx.ml: tests/import/classical_models_test.py"),
    **dict.fromkeys(["BlackmanWindow", "DFT", "HammingWindow", "HannWindow", "MelWeightMatrix", "STFT"],
                    "tests/ops/signal_test.py varies its settings"),
    "Constant": "the builder makes it", "Scatter": "is ScatterElements before opset 11",
}


@pytest.mark.seconds(300)
def test_random_models(build, tmp_path):
    library = build / "libingot.so"
    if not library.exists():
        pytest.skip("no libingot.so")
    # In a process of its own: it forks, and what other tests have loaded into this one (ONNX Runtime, PyTorch) has threads that don't follow.
    code = (f"import json, pathlib, sys\nsys.path.insert(0, {str(ROOT / 'fuzz')!r})\nimport graphs\n"
            f"found = graphs.fuzz(pathlib.Path({str(library)!r}), pathlib.Path({str(tmp_path)!r}), range(1, 301), seconds=50, reduce_seconds=10,"
            f" most=3, quiet=True)\nprint(json.dumps([found[0], found[1], sorted(found[2])]))")
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    models, findings, operators = json.loads(done.stdout.splitlines()[-1])
    print(done.stdout)
    assert not findings
    assert models >= 20 and len(operators) > 20  # it did run, even on a slow machine


def test_every_operator_has_a_row():
    import generate  # noqa: F401
    from table import KNOWN, ROWS

    covered = {op for r in ROWS for op in r.ops}
    assert KNOWN - covered - set(UNCOVERED) == set(), "add rows to fuzz/graphs/rows_*.py, or say in UNCOVERED why not"
    assert covered & set(UNCOVERED) == set()
