"""Writes docs/operators.md: `operators_doc.py CONFORMANCE_JSON OUT`. From src/ops.def (what is an operator here), the importer's table of
conversions (what is made of others), and a run of onnx's tests (tests/conformance/run_cases.py). CUDA's kernels are those of the rows' test, and of a run
with --gpu where its file lies beside the other's."""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

import onnx

SRC = pathlib.Path(__file__).resolve().parent.parent / "src"
LEAST, MOST = 7, onnx.defs.onnx_opset_version()
SETS = ("avx512", "avx2", "portable")
HEAD = f"""# Operators

Made by `tools/operators_doc.py` from `src/ops.def`, the importer's table and a run of onnx {onnx.__version__}'s own tests; not written by hand.
Opsets: of the models that may have the operator. Types: of the inputs, in cases that pass. Kernels: beside the reference kernel, which every
operator has and which takes every type (for an operator that is made of others at import, theirs count); an operator without a CUDA kernel runs on
the host. Cases: that pass, of onnx's node
tests; those written out in simpler operators count for the operator that they stand for.

"""


def rows_of(path: str, macro: str) -> list[list[str]]:
    """The arguments of a table's rows."""
    rows = []
    for line in (SRC / path).read_text().splitlines():
        found = re.match(rf"{macro}\((.*)", line)
        if found and "..." not in line:
            rows.append([part.strip().strip('"') for part in found.group(1).split(",")])
    return rows


def native() -> set[str]:
    """ONNX names of the operators that are the library's own."""
    return {row[1] for macro in ("INGOT_OP", "INGOT_ELEMENTWISE") for row in rows_of("ops.def", macro) if row[1]}


def converted() -> set[str]:
    """ONNX names of those that the importer makes of others."""
    text = "".join(path.read_text() for path in sorted((SRC / "import/onnx").glob("opset*.c")))
    return set(re.findall(r"\bROW\(([A-Z]\w*),", text))


def on_cuda(build: pathlib.Path) -> dict[str, set[str]]:
    """The CUDA kernels of each operator, by ONNX name."""
    found, onnx_name = collections.defaultdict(set), {}
    for macro in ("INGOT_OP", "INGOT_ELEMENTWISE"):
        onnx_name.update({row[0]: row[1] or row[0] for row in rows_of("ops.def", macro)})
    test, driver = build / "tests" / "test_backend_cuda_kernels", build / "libcuda_emulated.so"
    if test.exists() and driver.exists():
        env = {**os.environ, "INGOT_TEST_LIST": "1"}
        listed = subprocess.run([str(test.resolve())], env=env, capture_output=True, text=True)
        for line in listed.stdout.splitlines() if listed.returncode == 0 else []:
            op, kernel = line.split()
            found[onnx_name.get(op, op)].add(kernel)
    of_run = build / "conformance_gpu.json"
    for r in json.loads(of_run.read_text()) if of_run.exists() else []:
        one = set(r["operators"]) if r["kind"] == "node" and not r["reason"] and not r["name"].endswith("_expanded") else ()
        for op in one if len(one) == 1 else ():
            found[op].update(k for _, k in r["kernels"] if k.startswith("cuda_"))
    moves = ("cuda_transfer", "cuda_reformat")
    short = lambda k: re.sub(r"_(\d+x\d+(x\d+)?|nchw|pp|split|to_plain|\d)(?=_|$)", "", k.removeprefix("cuda_"))  # noqa: E731  rows differ in tiles
    return {op: {short(k) for k in kernels if not k.startswith(moves)} for op, kernels in found.items()}


def opsets(name: str, schemas: dict) -> str:
    versions = sorted(schemas[name], key=lambda s: s.since_version)
    first = max(LEAST, versions[0].since_version)
    last = versions[-1].since_version - 1 if versions[-1].deprecated else MOST
    return f"{first}–{last}"


def main() -> None:
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    schemas = collections.defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            schemas[schema.name].append(schema)
    cases, types, kernels = collections.defaultdict(list), collections.defaultdict(set), collections.defaultdict(set)
    for r in results:
        for name in set(r["operators"]) if r["kind"] == "node" and len(set(r["operators"])) == 1 else []:
            cases[name].append(not r["reason"])
            if not r["reason"]:
                types[name].update(r["types"])
                kernels[name].update(k for _, k in r["kernels"] if not r["name"].endswith("_expanded"))
        for name, kernel in r["kernels"]:
            kernels[name].add(kernel)
    for row in rows_of("backend/cpu/kernels.def", "INGOT_KERNEL"):
        if row[1] != "NONE":
            kernels[row[1]].add(row[0])
    ours, made, cuda = native(), converted(), on_cuda(pathlib.Path(sys.argv[1]).parent)
    out, absent = [HEAD], []
    sums = collections.Counter()
    for r in results:
        sums[r["kind"], not r["reason"]] += 1
    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator", "real"):
        out.append(f"- {kind}: {sums[kind, True]} of {sums[kind, True] + sums[kind, False]} cases pass\n")
    out.append("\n| operator | opsets | types | CPU kernels | CUDA kernels | cases |\n|---|---|---|---|---|---|\n")
    for name in sorted(schemas):
        passed = f"{sum(cases[name])}/{len(cases[name])}" if cases[name] else "–"
        if name not in ours | made and not (cases[name] and any(cases[name])):
            absent.append((name, passed))
            continue
        fast = sorted({re.sub(rf"_({'|'.join(SETS)})$", "", k) for k in kernels[name]} - {"reference"})
        fast = [k for k in fast if not k.startswith(("reformat", "view"))] + (["none: no work"] if any(k.startswith("view") for k in fast) else [])
        out.append(f"| {name} | {opsets(name, schemas)} | {', '.join(sorted(types[name])) or '–'} | {', '.join(fast) or 'reference'} | "
                   f"{', '.join(sorted(cuda.get(name, ()))) or '–'} | {passed} |\n")
    if absent:
        out.append("\n## Not there\n\n" + ", ".join(f"{name} ({passed})" if passed != "–" else name for name, passed in absent) + "\n")
    failing = [r for r in results if r["reason"]]
    if failing:
        out.append(f"\n## Cases that don't pass\n\nThe reasons are in [expected.txt](../tests/conformance/expected.txt): {len(failing)} cases.\n")
    pathlib.Path(sys.argv[2]).write_text("".join(out))


main()
