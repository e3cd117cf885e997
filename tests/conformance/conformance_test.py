"""All of onnx's own backend tests pass on ingot, but for those that expected.txt names with their reasons; and docs/operators.md says so. A choice of
them runs on the emulated GPU, too; with INGOT_TEST_GPU=1 all of them on the real one."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import run_cases  # noqa: E402

REAL = os.environ.get("INGOT_TEST_GPU") == "1"
# On the emulated GPU each kernel's text takes seconds to compile.
CHOICE = r"^test_(add_bcast|basic_conv_with_padding|batchnorm_epsilon|compress_0|constant|einsum_batch_diagonal|gather_1|gru_defaults|if|" \
         r"layer_normalization_2d_axis1|loop11|matmul_2d|maxpool_2d_strides|nonzero_example|reduce_sum_keepdims_example|resize_upsample_sizes_nearest|" \
         r"scatter_elements_with_axis|sequence_insert_at_back|softmax_axis_1|sub_uint8|string_concat|top_k|transpose_default|unique_not_sorted_without_axis|where_example)$"


def run(build, *options):
    done = subprocess.run([sys.executable, "-W", "ignore", str(HERE / "run_cases.py"), str(build), *options], capture_output=True, text=True, timeout=1100)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)


def surprises(results, gpu=False):
    """What fails and isn't named in expected.txt, as text."""
    allowed = run_cases.expected(gpu)
    return "\n".join(f"{r['kind']} {r['name']}: {r['reason']}" for r in results if r["reason"] and f"{r['kind']} {r['name']}" not in allowed)


@pytest.fixture(scope="module")
def results(package, build):
    """Every case's result, of a process of its own: it forks, and must have no threads."""
    if REAL:
        pytest.skip("on the CPU")
    run(build)
    return json.loads((build / "conformance.json").read_text())


def columns(text):
    """The document but for the kernels, which are this machine's."""
    return [line.split("|")[:4] + line.split("|")[6:] for line in text.splitlines()]


@pytest.mark.seconds(600)
def test_what_does_not_pass_is_named(results):
    assert not surprises(results), surprises(results)
    failing = {f"{r['kind']} {r['name']}" for r in results if r["reason"]}
    passing = [name for name in run_cases.expected() if name not in failing]
    assert not passing, f"these pass now; take them out of expected.txt: {passing}"


def test_every_case_was_run(results):
    import onnx

    counts = {kind: sum(r["kind"] == kind for r in results) for kind in ("node", "simple", "pytorch-converted", "pytorch-operator", "real")}
    assert all(counts.values()), counts
    if onnx.__version__ == "1.23.2":
        assert counts == {"node": 1884, "simple": 23, "pytorch-converted": 82, "pytorch-operator": 35, "real": 9}


def test_operators_md_is_of_this_run(results, root, tmp_path, build):
    import onnx

    if onnx.__version__ != "1.23.2":
        pytest.skip("docs/operators.md is made with onnx 1.23.2")
    made = tmp_path / "operators.md"
    subprocess.run([sys.executable, str(root / "tools/operators_doc.py"), str(build / "conformance.json"), str(made)], check=True)
    assert columns(made.read_text()) == columns((root / "docs/operators.md").read_text()), "run_cases.py BUILD --accept makes it anew"


@pytest.mark.seconds(1200)
def test_on_a_gpu(package, build):
    if package.device_count() == 0:
        pytest.skip("no GPU, and the emulated one isn't built here")
    run(build, "" if REAL else CHOICE, "--gpu")
    results = json.loads((build / "conformance_gpu.json").read_text())
    assert len(results) > (1500 if REAL else 20)
    assert not surprises(results, gpu=True), surprises(results, gpu=True)
    ours = sum(any(kernel.startswith("cuda_") for _, kernel in r["kernels"]) for r in results)
    assert ours > len(results) / 3, f"only {ours} of {len(results)} cases ran a kernel on the GPU"
