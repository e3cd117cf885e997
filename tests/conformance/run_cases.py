"""Runs onnx's backend tests on ingot.onnx_backend, by onnx's own runner, in processes that may crash or hang without harm to the rest:

    python tests/conformance/run_cases.py BUILD [REGEX of case names] [-v]

prints the sums and, with -v, each case that doesn't pass with its reason; writes BUILD/conformance.json."""
from __future__ import annotations

import collections
import json
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import re
import sys
import time
import unittest

CATEGORIES = {"Simple": "simple", "PyTorchConverted": "pytorch-converted", "PyTorchOperator": "pytorch-operator", "Real": "real", "Node": "node"}
SECONDS = 120  # for one case, before its process is ended


def load(build: pathlib.Path):
    """onnx's test cases with our backend: (category, name, TestCase) each, and the runner's record of models."""
    if (build / "python").is_dir():
        sys.path.insert(0, str(build / "python"))
    models = build / "conformance"  # where the runner puts what it makes for its light models
    os.environ["ONNX_MODELS"] = str(models)
    models.mkdir(parents=True, exist_ok=True)
    import ingot.onnx_backend
    import onnx.backend.test

    runner = onnx.backend.test.BackendTest(ingot.onnx_backend, __name__)
    cases = []
    for title, case_type in runner.test_cases.items():
        kind = CATEGORIES[re.fullmatch("OnnxBackend(.*)ModelTest", title).group(1)]
        cases += [(kind, name[: -len("_cpu")], case_type(name)) for name in dir(case_type) if name.startswith("test_") and name.endswith("_cpu")]
    return cases, runner


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


def work(pipe, cases) -> None:
    while (index := pipe.recv()) is not None:
        sys.stdout = open(os.devnull, "w")
        pipe.send((index, run(cases[index][2])))


class Worker:
    """A process, the case that it runs, and since when."""

    def __init__(self, cases) -> None:
        self.cases, self.case, self.since = cases, None, 0.0
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=work, args=(other, cases), daemon=True)
        self.process.start()
        other.close()

    def give(self, index) -> None:
        self.case, self.since = index, time.monotonic()
        self.pipe.send(index)

    def end(self) -> int:
        self.process.kill()
        self.process.join()
        return self.process.exitcode or 0


def run_all(cases, processes: int) -> list[str]:
    """The reason of each case, '' for those that pass."""
    reasons, todo = ["did not run"] * len(cases), collections.deque(range(len(cases)))
    workers = [Worker(cases) for _ in range(min(processes, len(cases)))]
    for worker in workers:
        worker.give(todo.popleft())
    while workers:
        ready = multiprocessing.connection.wait([worker.pipe for worker in workers], timeout=1)
        for i, worker in enumerate(workers):
            if worker.pipe in ready:
                try:
                    index, reasons[worker.case] = worker.pipe.recv()
                    assert index == worker.case
                except EOFError:
                    worker.process.join()
                    reasons[worker.case] = f"crash: the process ended with {worker.process.exitcode}"
                    worker = workers[i] = Worker(cases)
            elif time.monotonic() - worker.since > SECONDS:
                worker.end()
                reasons[worker.case] = f"hang: longer than {SECONDS} s"
                worker = workers[i] = Worker(cases)
            else:
                continue
            if todo:
                worker.give(todo.popleft())
            else:
                worker.pipe.close()
                worker.end()
                workers[i] = None
        workers = [worker for worker in workers if worker]
    return reasons


def operators(runner, kind: str, name: str) -> list[str]:
    """The operators of a case's network; of one that is written out in simpler operators, the one it stands for."""
    from onnx.backend.test.loader import load_model_tests

    if not hasattr(operators, "of_node"):
        operators.of_node = {case.name: [n.op_type for n in case.model.graph.node] for case in load_model_tests(kind="node") if case.model}
    return operators.of_node.get(re.sub("_expanded.*$", "", name)) or operators.of_node.get(name, []) if kind == "node" else []


def run_suite(build: pathlib.Path, pattern: str = "", processes: int = 2) -> list[dict]:
    cases, runner = load(build)
    cases = [case for case in cases if re.search(pattern, case[1])]
    reasons = run_all(cases, processes)
    results = [{"kind": kind, "name": name, "operators": operators(runner, kind, name), "reason": reason}
               for (kind, name, _), reason in zip(cases, reasons)]
    return sorted(results, key=lambda r: (r["kind"], r["name"]))


def main() -> None:
    arguments = [a for a in sys.argv[1:] if a != "-v"]
    build, pattern = pathlib.Path(arguments[0]).resolve(), (arguments + [""])[1]
    start = time.monotonic()
    results = run_suite(build, pattern)
    if not pattern:
        (build / "conformance.json").write_text(json.dumps(results, indent=0))
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
