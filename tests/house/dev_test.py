"""./dev new and ./dev check in a copy of the tree: scaffolds are made once, and nothing half-done gets past the check."""
import shutil
import subprocess

import pytest


@pytest.fixture()
def tree(root, tmp_path):
    for name in ("dev", "CMakeLists.txt"):
        shutil.copy(root / name, tmp_path / name)
    for name in ("tools", "src", "include"):
        shutil.copytree(root / name, tmp_path / name)
    (tmp_path / "tests").mkdir()

    def dev(*args):
        return subprocess.run(["./dev", *args], cwd=tmp_path, capture_output=True, text=True)

    dev.path = tmp_path
    return dev


def test_an_unfinished_operator_is_refused(tree):
    assert "nothing is left for later" not in tree("check").stdout
    made = tree("new", "op", "SomethingNew")
    assert made.returncode == 0, made.stderr
    assert (tree.path / "src/ops/something_new.c").exists() and (tree.path / "tests/ops/something_new_test.c").exists()
    assert "INGOT_OP(SomethingNew," in (tree.path / "src/ops.def").read_text()
    checked = tree("check")
    assert checked.returncode != 0 and "nothing is left for later" in checked.stdout
    assert tree("new", "op", "SomethingNew").returncode != 0
    assert "src/ops.def" in tree("where", "SomethingNew").stdout


def test_kernels_and_passes_get_rows(tree):
    assert tree("new", "kernel", "softmax_f99", "Softmax").returncode == 0
    rows = (tree.path / "src/backend/cpu/kernels.def").read_text()
    assert all(f"INGOT_KERNEL(softmax_f99_{isa}, Softmax, {isa.upper()}," in rows for isa in ("avx512", "avx2", "portable"))
    assert rows.index("softmax_f99_portable") < rows.index("INGOT_KERNEL(reference,")
    assert tree("new", "pass", "fuse_nothing").returncode == 0
    assert "INGOT_PASS(fuse_nothing," in (tree.path / "src/passes.def").read_text()
    assert tree("new", "kernel", "x", "NoSuchOperator").returncode != 0
    assert tree("new", "thing", "x").returncode != 0


@pytest.mark.parametrize("path, text, rule", [
    ("src/base/a.c", '#include "ops/ops.h"\n', "includes point one way"),
    ("src/passes/a.c", '#include "plan/plan.h"\n', "includes point one way"),
    ("cli/a.c", '#include "base/mem.h"\n', "cli, examples and python see"),
    ("src/ops/utils.c", "\n", "names say what is inside"),
    ("src/ops/a.c", "/* x */\n" * 900, "files have one idea each"),
    ("src/ops/a.c", "// " + "x" * 200 + "\n", "lines fit"),
    ("src/ops/a.c", "void *ingot__p(void) { return malloc(3); }\n", "memory and messages"),
    ("src/ops/a.c", "int x;\t\n", "no tabs"),
])
def test_rules_bite(tree, path, text, rule):
    (tree.path / path).parent.mkdir(exist_ok=True)
    (tree.path / path).write_text(text)
    checked = tree("check")
    assert checked.returncode != 0 and rule in checked.stdout, checked.stdout
