"""The GPU benchmark without a GPU: its jobs and their lock, what it wraps in torch.compile, its files, and the command itself on the CPU."""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))

import gpu_jobs  # noqa: E402
import gpu_results  # noqa: E402
from gpu_jobs import MEASURING, Jobs, Lock, OutOfMemory  # noqa: E402


def alive(pid):
    """Whether a process runs: one that ended and that nobody has asked for is none."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pid, seconds=5):
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.parametrize("memory,text", [
    (True, "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 139.80 GiB"), (True, "CUBLAS_STATUS_ALLOC_FAILED"),
    (False, "No valid triton configs. OutOfMemoryError: out of resource: triton_mm Required: 262144 Hardware limit:232448 Reducing block sizes or "
            "`num_stages` may help."), (False, "something else")])
def test_what_is_out_of_memory(memory, text):
    assert gpu_jobs.out_of_memory(RuntimeError(text)) == memory


def test_the_lock_is_one_process_at_a_time(tmp_path):
    count = tmp_path / "count"
    count.write_text("0")

    def work(job, lane, alone, send):
        lock = Lock(tmp_path / lane)
        for _ in range(20):
            with lock, lock:  # a thread may have it twice
                n = int(count.read_text())
                time.sleep(0.002)
                count.write_text(str(n + 1))
        send({"held": lock.held, "waited": lock.waited})

    found = dict(Jobs(work, ["a"], 3).run(["x", "y", "z"]))
    assert count.read_text() == "60"
    assert all(m["held"] >= 0.04 for m in found.values()) and sum(m["waited"] for m in found.values()) > 0.04


def test_lanes_have_locks_of_their_own_and_released_lets_others_in(tmp_path):
    def work(job, lane, alone, send):
        mine, other = (Lock(tmp_path / name) for name in (lane, "b" if lane == "a" else "a"))
        with mine, mine:
            with mine.released():
                (tmp_path / f"{lane}.open").touch()
                while not (tmp_path / f"{'b' if lane == 'a' else 'a'}.open").exists():
                    time.sleep(0.005)
                with other:  # would wait for ever if the other side held it
                    pass
                (tmp_path / f"{lane}.done").touch()
                while len(list(tmp_path.glob("*.done"))) < 2:
                    time.sleep(0.005)
            assert mine.owner
        send({"lane": lane})

    found = dict(Jobs(work, ["a", "b"], 2, end=time.monotonic() + 10).run(["x", "y"]))
    assert sorted(m.get("lane", m) for m in found.values()) == ["a", "b"]


def test_whatever_dies_lets_go(tmp_path):
    def work(job, lane, alone, send):
        with Lock(tmp_path / "gpu"):
            send({"has": job})
            if job == "x":
                os.kill(os.getpid(), signal.SIGKILL)

    found = list(Jobs(work, ["a"], 2, end=time.monotonic() + 10).run(["x", "y"]))
    assert ("y", {"has": "y", "others": 0}) in found
    assert ("x", {"failed": "signal 9", "log": None}) in found


def test_the_limit_kills_what_compiles_and_lets_what_measures_end():
    def work(job, lane, alone, send):
        worker = subprocess.Popen(["sleep", "60"])
        send({"pid": worker.pid, "nice": os.getpriority(os.PRIO_PROCESS, 0)})
        if job == "measures":
            send({"phase": MEASURING})
            time.sleep(1.3)
            send({"row": 1})
        else:
            if job == "measures too long":
                send({"phase": MEASURING})
            time.sleep(60)

    start = time.monotonic()
    jobs = Jobs(work, ["a", "b"], 3, end=start + 1, grace=6)  # seconds to spare on a loaded machine
    found = list(jobs.run(["compiles", "measures", "measures too long", "never begun"]))
    assert time.monotonic() - start < 20
    assert ("measures", {"row": 1, "others": 2}) in found
    failures = {job: m["failed"] for job, m in found if "failed" in m}
    assert failures == {"compiles": "stopped at the limit", "measures too long": "stopped at the limit", "never begun": "no time left"}
    workers = [m for _, m in found if "pid" in m]
    assert len(workers) == 3 and all(m["nice"] >= gpu_jobs.NICE for m in workers)
    assert all(ended(m["pid"]) for m in workers)


def test_a_crash_is_told_and_the_others_go_on(tmp_path):
    def work(job, lane, alone, send):
        print("about to", job)
        if job == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if job == "raise":
            raise ValueError("no such thing")
        send({"row": job})

    found = list(Jobs(work, ["a"], 2, logs=tmp_path).run(["crash", "one", "raise", "two"]))
    assert [m["row"] for _, m in found if "row" in m] == ["one", "two"]
    failed = {job: m for job, m in found if "failed" in m}
    assert failed["crash"]["failed"] == "signal 9" and failed["raise"]["failed"] == "ValueError: no such thing"
    with open(failed["raise"]["log"]) as f:
        text = f.read()
    assert "about to raise" in text and "Traceback" in text


def test_memory_that_others_had_is_tried_again_alone():
    def work(job, lane, alone, send):
        if job == "large" and not alone:
            time.sleep(0.2)
            raise OutOfMemory("200 GiB")
        if job == "larger":
            raise RuntimeError("CUDA out of memory")
        time.sleep(0.4)
        send({"row": alone})

    found = list(Jobs(work, ["a"], 2).run(["small", "large"]))
    assert ("large", {"later": "out of memory beside others"}) in found
    assert [(job, m["row"]) for job, m in found if "row" in m] == [("small", False), ("large", True)]
    found = list(Jobs(work, ["a"], 2).run(["larger"]))  # nobody else had any
    assert [m["failed"] for _, m in found] == ["RuntimeError: CUDA out of memory"]


def test_a_reader_that_leaves_ends_the_jobs():
    def work(job, lane, alone, send):
        send({"pid": os.getpid()})
        time.sleep(60)

    for _, message in Jobs(work, ["a"], 1).run(["x"]):
        break
    assert ended(message["pid"])


def arguments(folder, **changed):
    return argparse.Namespace(**{"out": str(folder), "precision": "fp16", "float_io": False, "mode": "max-autotune", "resume": True, "no_save": False,
                                 **changed})


def row(network, batch, date, least, **more):
    times = {name: {"min": ms, "median": ms, "runs": 9, "host": ms} for name, ms in (("compile", 2 * least), ("ingot", least))}
    return {"network": network, "batch": batch, "peers": times, "errors": {"compile": 0, "ingot": 0}, "build_s": {}, "together": True,
            **({"date": date} if date else {}), **more}


def test_resuming_adds_rows_of_another_day_but_not_of_another_driver(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_results, "BUILD", tmp_path)
    here = {"device": "GPU X", "driver": "580.1", "torch": "2.11", "cuda": "13.0", "python": "3.12.3"}
    first = gpu_results.Files(arguments(tmp_path), here)
    first.add(row("resnet50", 1, None, 1.0))
    old = json.loads(first.json.read_text())
    old["machine"]["date"] = "2026-11-29"  # as files were before rows had dates
    first.json.write_text(json.dumps(old))
    second = gpu_results.Files(arguments(tmp_path), {**here, "python": "3.12.4"})
    assert second.has("resnet50", 1) and not second.has("unet", 8)
    second.add(row("unet", 8, "2026-12-02", 3.0, others=2))
    second.add(row("alexnet", 1, "2026-12-01", 0.5, failed="no kernel"))
    assert not second.has("alexnet", 1)  # a row that failed is measured again
    text = second.markdown.read_text()
    assert "2026-11-29 to 2026-12-02. 1 of 3 rows" in text
    assert [r["network"] for r in json.loads(second.json.read_text())["rows"]] == ["resnet50", "alexnet", "unet"]
    assert "| geometric mean, batch 1 | | | | 2.00 | 2.00 | | |" in text
    assert gpu_results.Files(arguments(tmp_path), {**here, "python": "3.12.4"}).cache["unet:8"]["compile"]["times"]["min"] == 6.0  # for --reuse
    for changed, machine in (({}, {**here, "driver": "590.2"}), ({"mode": "default"}, here), ({"resume": False}, here)):
        assert gpu_results.Files(arguments(tmp_path, **changed), machine).results["rows"] == []


def test_the_rows_that_are_asked_for():
    import gpu_peers

    def chosen(**words):
        return gpu_peers.selected(argparse.Namespace(**{"rows": None, "networks": None, "batches": None, **words}))

    assert len(chosen()) == 20 and chosen()[:3] == [("alexnet", 1), ("alexnet", 128), ("squeezenet1_1", 1)] and chosen()[-1] == ("densenet121", 32)
    assert chosen(rows="unet:8,resnet50:1") == [("resnet50", 1), ("unet", 8)]
    assert chosen(networks="vgg16", batches="large") == [("vgg16", 32)]
    assert chosen(networks="vgg16,alexnet", batches="2,4") == [("alexnet", 2), ("alexnet", 4), ("vgg16", 2), ("vgg16", 4)]


def test_what_tuning_times_holds_the_lock_and_what_it_compiles_does_not(torch, tmp_path):
    def work(job, lane, alone, send):
        import gpu_tuning

        lock, seen = Lock(tmp_path / "gpu"), []
        heuristics = gpu_tuning.module("torch._inductor.runtime.triton_heuristics")
        if heuristics:
            heuristics.CachingAutotuner._precompile_config = lambda self, config: seen.append(lock.depth)
        missing = gpu_tuning.share(lock)
        from torch._inductor.runtime.benchmarking import benchmarker

        def kernel():
            seen.append(lock.depth)
            if heuristics:
                heuristics.CachingAutotuner._precompile_config(None, None)
            seen.append(lock.depth)

        benchmarker.benchmark_cpu(kernel, warmup=0, rep=0)  # isn't the GPU's
        outside = list(seen)
        seen.clear()
        benchmarker.benchmark(kernel, device="cpu", warmup=0, rep=0)

        def full():
            raise torch.OutOfMemoryError("CUDA out of memory")

        try:
            benchmarker.benchmark(full, device="cpu")
        except OutOfMemory as e:
            send({"missing": missing, "outside": outside, "seen": seen, "lost": str(e), "depth": lock.depth})

    (_, found), = Jobs(work, ["a"], 1).run(["x"])
    assert found["missing"] == [] and "out of memory" in found["lost"]
    assert set(found["outside"]) == {0}
    assert found["seen"][:3] == [1, 0, 1] and found["depth"] == 0


@pytest.mark.seconds(120)
def test_the_command_tried_on_the_cpu(torch, torchvision, tmp_path):
    earlier = {"machine": {"device": "cpu", "torch": torch.__version__}, "precision": "fp16", "io": "float16", "mode": "max-autotune",
               "rows": [row("unet_small", 2, "2020-02-20", 1.0)]}
    (tmp_path / "gpu_cpu.json").write_text(json.dumps(earlier))
    command = [sys.executable, os.path.join(ROOT, "bench", "peers.py"), "--gpu", "--device", "cpu", "--jobs", "2", "--rounds", "1", "--slot", "0.01",
               "--budget", "0.1", "--out", str(tmp_path), "--resume", "--onnx", str(tmp_path), "--rows", "unet_small:1,unet_small:2,nosuch:1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "nosuch:1: failed" in done.stdout and "1 of 2 rows measured" in done.stdout, done.stdout + done.stderr
    assert "2020-02-20 to " in done.stdout
    rows = json.loads((tmp_path / "gpu_cpu.json").read_text())["rows"]
    assert sorted(r["batch"] for r in rows) == [1, 2]
    new = next(r for r in rows if r["batch"] == 1)
    assert new["errors"]["ingot"] < 0.01 and new["lock_s"]["final"] > 0 and new["others"] <= 1
