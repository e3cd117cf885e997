"""Runs onnx's backend tests on ingot.onnx_backend, by onnx's own runner, in processes that may crash or hang without harm to the rest:

    python tests/conformance/run_cases.py BUILD [REGEX of case names] [-v] [--gpu] [--accept]

prints the sums and, with -v, each case that doesn't pass with its reason; writes BUILD/conformance.json. --gpu: on the first GPU, into
BUILD/conformance_gpu.json. --accept: what doesn't pass is written
to expected.txt (known reasons stay as they are, new ones are to be put into words) and docs/operators.md is made anew."""
from __future__ import annotations

import collections
import json
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

CATEGORIES = {"Simple": "simple", "PyTorchConverted": "pytorch-converted", "PyTorchOperator": "pytorch-operator", "Real": "real", "Node": "node"}
EXPECTED = pathlib.Path(__file__).with_name("expected.txt")
SECONDS = 120  # for one case, before its process is ended


def load(build: pathlib.Path, gpu: bool = False):
    """onnx's test cases with our backend, as (category, name, TestCase), and the backend."""
    suffix = "_cuda" if gpu else "_cpu"
    if (build / "python").is_dir():
        sys.path.insert(0, str(build / "python"))
    models = build / "conformance"  # where the runner puts what it makes for its light models
    os.environ["ONNX_MODELS"] = str(models)
    models.mkdir(parents=True, exist_ok=True)
    import ingot.onnx_backend
    import onnx.backend.test

    class Recording(ingot.onnx_backend.IngotBackend):
        """Keeps what it prepared last, so that its kernels can be told."""

        last = None

        @classmethod
        def prepare(cls, model, device="CPU", **kwargs):
            cls.last = super().prepare(model, device, **kwargs)
            return cls.last

        @classmethod
        def supports_device(cls, device):
            """Not by looking: a process that has used the GPU can't fork others that do."""
            return device == ("CUDA" if gpu else "CPU")

    runner = onnx.backend.test.BackendTest(Recording, __name__)
    cases = []
    for title, case_type in runner.test_cases.items():
        kind = CATEGORIES[re.fullmatch("OnnxBackend(.*)ModelTest", title).group(1)]
        cases += [(kind, name[: -len(suffix)], case_type(name)) for name in dir(case_type) if name.startswith("test_") and name.endswith(suffix)]
    return cases, Recording


def run(case: unittest.TestCase) -> str:
    """'' when the case passes, else the reason."""
    result = unittest.TestResult()
    case.run(result)
    if result.wasSuccessful() and not result.skipped and result.testsRun == 1:
        return ""
    if result.skipped:
        return "skipped: " + result.skipped[0][1]
    text = (result.errors + result.failures)[0][1].strip().splitlines()
    raised = [line for line in text if re.match(r"[A-Za-z_.]+(Error|Exception|Interrupt|Warning)?:? ?", line) and not line.startswith("Traceback")]
    at = text.index(raised[-1]) if raised else 0
    for line in raised:  # the exception that began it, with the lines that follow
        if re.match(r"[A-Za-z_.]+Error\b", line):
            at = text.index(line)
            break
    return " ".join(" ".join(text[at:]).split())[:300]


def kernels(backend) -> list[list[str]]:
    """The layers of the network that ran last: operator and kernel."""
    engine = backend.last.session.engine if backend.last else None
    layers = engine.inspect()["layers"] if engine else []
    return sorted({(layer["type"], layer["kernel"]) for layer in layers if layer.get("kernel")})


def work(pipe, cases, backend) -> None:
    sys.stdout = open(os.devnull, "w")
    while (index := pipe.recv()) is not None:
        backend.last = None
        reason = run(cases[index][2])
        pipe.send((index, reason, [] if reason else kernels(backend)))


class Worker:
    """A process, the case that it runs, and since when."""

    def __init__(self, cases, backend) -> None:
        self.case, self.since = None, 0.0
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=work, args=(other, cases, backend), daemon=True)
        self.process.start()
        other.close()

    def give(self, index) -> None:
        self.case, self.since = index, time.monotonic()
        self.pipe.send(index)

    def end(self) -> int:
        self.process.kill()
        self.process.join()
        return self.process.exitcode or 0


def run_all(cases, backend, processes: int) -> list[tuple[str, list]]:
    """The reason of each case, '' for those that pass, and its kernels."""
    results, todo = [("did not run", [])] * len(cases), collections.deque(range(len(cases)))
    workers = [Worker(cases, backend) for _ in range(min(processes, len(cases)))]
    for worker in workers:
        worker.give(todo.popleft())
    while workers:
        ready = multiprocessing.connection.wait([worker.pipe for worker in workers], timeout=1)
        for i, worker in enumerate(workers):
            if worker.pipe in ready:
                try:
                    index, *result = worker.pipe.recv()
                    assert index == worker.case
                    results[index] = tuple(result)
                except EOFError:
                    worker.process.join()
                    results[worker.case] = (f"crash: the process ended with {worker.process.exitcode}", [])
                    worker = workers[i] = Worker(cases, backend)
            elif time.monotonic() - worker.since > SECONDS:
                worker.end()
                results[worker.case] = (f"hang: longer than {SECONDS} s", [])
                worker = workers[i] = Worker(cases, backend)
            else:
                continue
            if todo:
                worker.give(todo.popleft())
            else:
                worker.pipe.close()
                worker.end()
                workers[i] = None
        workers = [worker for worker in workers if worker]
    return results


def describe() -> dict[str, tuple[list[str], list[str]]]:
    """Of each node case, by name: its network's operators, and its inputs' types."""
    import onnx
    from onnx.backend.test.loader import load_model_tests

    def types(value) -> list[str]:
        kind = value.type.WhichOneof("value")
        if kind == "tensor_type":
            return [onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()]
        return [kind.removesuffix("_type")]

    return {case.name: ([node.op_type for node in case.model.graph.node], sorted({t for value in case.model.graph.input for t in types(value)}))
            for case in load_model_tests(kind="node") if case.model}


def run_suite(build: pathlib.Path, pattern: str = "", processes: int = 2, gpu: bool = False) -> list[dict]:
    """All cases whose names match: kind, name, operators, types, the reason why it doesn't pass ('': it passes), kernels. A case that is
    written out in simpler operators counts for the operator that it stands for."""
    cases, backend = load(build, gpu)
    cases = [case for case in cases if re.search(pattern, case[1])]
    of_node = describe()
    results = []
    for (kind, name, _), (reason, used) in zip(cases, run_all(cases, backend, processes)):
        stands_for = of_node.get(re.sub("_expanded.*$", "", name)) or of_node.get(name) or ([], [])
        operators, types = stands_for if kind == "node" else ([], [])
        results.append({"kind": kind, "name": name, "operators": operators, "types": types, "reason": reason, "kernels": used})
    return sorted(results, key=lambda r: (r["kind"], r["name"]))


def expected(gpu: bool = False) -> dict[str, str]:
    """What expected.txt says, by case: a line that ends in a colon is a reason, names of cases follow. gpu: with expected_gpu.txt's."""
    reasons, reason = {}, None
    files = [EXPECTED, EXPECTED.with_name("expected_gpu.txt")] if gpu else [EXPECTED]
    for line in (line for file in files if file.exists() for line in file.read_text().splitlines()):
        if line.startswith("#") or not line.strip():
            continue
        if line.endswith(":"):
            reason = line[:-1]
        else:
            assert reason and line.strip() not in reasons, line
            reasons[line.strip()] = reason
    return reasons


def accept(build: pathlib.Path, results: list[dict]) -> None:
    known = {name: reason for name, reason in expected().items() if not reason.startswith("ingot has no ")}
    groups = collections.defaultdict(list)
    for r in results:
        name = f"{r['kind']} {r['name']}"
        if r["reason"]:
            missing = re.findall(r"(\w+) \(node '", r["reason"])
            first = f"ingot has no {', '.join(sorted(set(missing)))}" if missing else re.sub("^[a-zA-Z_.]*: |model in memory: ", "", r["reason"])
            groups[known.get(name, first[:120].rstrip(":"))].append(name)
    text = "# The cases of onnx's backend tests that don't pass: a reason, which ends in a colon, then the cases. What is here and passes fails the test.\n"
    EXPECTED.write_text(text + "".join(f"\n{reason}:\n" + "".join(f"  {name}\n" for name in names) for reason, names in sorted(groups.items())))
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    subprocess.run([sys.executable, str(root / "tools/operators_doc.py"), str(build / "conformance.json"), str(root / "docs/operators.md")], check=True)


def main() -> None:
    arguments = [a for a in sys.argv[1:] if not a.startswith("-")]
    build, pattern = pathlib.Path(arguments[0]).resolve(), (arguments + [""])[1]
    start = time.monotonic()
    gpu = "--gpu" in sys.argv
    results = run_suite(build, pattern, max(2, min(8, (os.cpu_count() or 2) // 2)) if gpu else 2, gpu)
    if not pattern or gpu:
        (build / ("conformance_gpu.json" if gpu else "conformance.json")).write_text(json.dumps(results, indent=0))
    if "--accept" in sys.argv and not pattern and not gpu:
        accept(build, results)
    if "-v" in sys.argv:
        for r in results:
            if r["reason"]:
                print(f"{r['kind']} {r['name']} ({', '.join(r['operators'][:3])}): {r['reason']}")
    for kind in CATEGORIES.values():
        of = [r for r in results if r["kind"] == kind]
        print(f"{kind}: {sum(not r['reason'] for r in of)} of {len(of)} pass")
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
