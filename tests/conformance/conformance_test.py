"""All of onnx's own backend tests pass on ingot, but for those that expected.txt names with their reasons; and docs/operators.md says so."""
import json
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import run_cases  # noqa: E402


@pytest.fixture(scope="module")
def results(package, build):
    """Every case's result, of a process of its own: it forks, and must have no threads."""
    done = subprocess.run([sys.executable, "-W", "ignore", str(HERE / "run_cases.py"), str(build)], capture_output=True, text=True, timeout=840)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    return json.loads((build / "conformance.json").read_text())


def columns(text):
    """The document but for the kernels, which are this machine's."""
    return [line.split("|")[:4] + line.split("|")[5:] for line in text.splitlines()]


@pytest.mark.seconds(600)
def test_what_does_not_pass_is_named(results):
    allowed = run_cases.expected()
    failing = {f"{r['kind']} {r['name']}": r["reason"] for r in results if r["reason"]}
    surprises = {name: reason for name, reason in failing.items() if name not in allowed}
    assert not surprises, "\n".join(f"{name}: {reason}" for name, reason in surprises.items())
    passing = [name for name in allowed if name not in failing]
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
