"""Measures torch.compile and ingot on NVIDIA GPUs, in half precision: each row in one process, in turns. `./dev bench peers --gpu`

    ./dev bench peers --gpu [--networks resnet50,unet] [--batches 1,128] [--rows resnet50:1,unet:8] [--devices all] [--jobs 8]
                            [--limit 540] [--resume] [--rounds 6] [--slot 0.2] [--budget 20]
    ./dev bench peers --gpu --reuse     ingot alone, beside what an earlier run of the session found for the peers

The peer is torch.compile with max-autotune, freezing and CUDA graphs on half weights in channels-last order; `--peers graph` adds PyTorch's
own kernels in a CUDA graph. Both read and write halves. Times are the device's, between events around each run, of runs that stand in the
stream behind a kernel that waits, so that none includes the host; inputs are random and stay in place, so what fits is in the L2 cache.
Turns of `slot` seconds alternate. Outputs are compared with PyTorch's in float32 (without TF32), relative to their range.

Compiling the peer takes minutes of processors, so rows (a network at a batch) are compiled `--jobs` at a time, on all GPUs of `--devices`; whatever
is timed, in the peer's tuning, ingot's build and the measurement, holds its GPU alone (gpu_rows.py says what may disturb it still). At `--limit`
seconds no row begins and those that compile are stopped; all ends within 30 s more. Rows are saved as they come, and `--resume` adds those that
are missing, also on another day; what was compiled before the limit is found again in build/bench/inductor, if that is still there.

What the peers took is also kept in build/bench/ for `--reuse`; rows made so aren't of one run, and are marked. Results go to
bench/results/gpu_<device>.json and .md, `--out FOLDER` puts them elsewhere. `--onnx FOLDER` keeps the exported networks and their weights.
`--device cpu` tries all this without a GPU; what rows print is in build/bench/gpu_logs.
"""
import argparse
import functools
import json
import os
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import gpu_results  # noqa: E402
import gpu_rows  # noqa: E402
from gpu_jobs import Jobs  # noqa: E402
from gpu_results import BUILD, NAMES, TABLE, Files  # noqa: E402

# From the one that compiles soonest to the one that takes longest: what there is at the limit is then the most rows.
CHEAPEST_FIRST = ["alexnet", "squeezenet1_1", "resnet18", "vgg16", "mobilenet_v2", "resnet50", "unet", "ssd300", "vit_b_16", "densenet121"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--networks", help="names, with commas; all of the table without it")
    p.add_argument("--batches", help="numbers, with commas, instead of the table's; 'small' or 'large': the table's of each")
    p.add_argument("--rows", help="network:batch, with commas, instead of --networks and --batches")
    p.add_argument("--peers", default="compile", help="compile, graph, or both with a comma")
    p.add_argument("--mode", default="max-autotune", help="torch.compile's")
    p.add_argument("--precision", default="fp16", help="that ingot may use: fp16, bf16, or both with a comma")
    p.add_argument("--float-io", action="store_true", help="ingot reads and writes float32")
    p.add_argument("--device", "--devices", dest="devices", default="cuda:0", help="cuda:N, several with commas, or all; cpu tries the script without a GPU")
    p.add_argument("--jobs", type=int, default=max(1, gpu_rows.cores() // 4), help="rows at once, on all GPUs together")
    p.add_argument("--budget", type=float, default=20, help="seconds for timing kernels when ingot builds")
    p.add_argument("--timing-cache", help="a file for ingot's timings")
    p.add_argument("--verify", action="store_true", help="ingot compares its layers with the reference kernels when it builds")
    p.add_argument("--rounds", type=int, default=6)
    p.add_argument("--slot", type=float, default=0.2)
    p.add_argument("--limit", type=float, default=1e9, help="seconds after which no row begins and compiling ones are stopped")
    p.add_argument("--resume", action="store_true", help="keep the rows of earlier runs with the same device, driver, PyTorch and CUDA")
    p.add_argument("--reuse", action="store_true", help="don't measure the peers again")
    p.add_argument("--no-ingot", action="store_true")
    p.add_argument("--no-save", action="store_true")
    p.add_argument("--onnx", help="folder for the exported networks")
    p.add_argument("--out", help="folder for the results")
    return p.parse_args()


def selected(args):
    """The rows asked for, [(network, batch), ..], the likely cheapest first."""
    if args.rows:
        pairs = [(name, int(batch)) for name, _, batch in (row.partition(":") for row in args.rows.split(","))]
    else:
        usual = {name: batches for name, *batches in TABLE}
        pairs = []
        for name in args.networks.split(",") if args.networks else usual:
            table = usual.get(name, [1])
            chosen = {"small": table[:1], "large": table[1:]}.get(args.batches) if args.batches else table
            pairs += [(name, batch) for batch in (chosen if chosen is not None else map(int, args.batches.split(",")))]
    return sorted(dict.fromkeys(pairs), key=lambda p: CHEAPEST_FIRST.index(p[0]) if p[0] in CHEAPEST_FIRST else len(CHEAPEST_FIRST))


def ask_machine(devices):
    """(machine(), the devices), asked in a child: a process that has used the GPU can't fork others that do."""
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        import torch

        found = None
        if devices == "cpu":
            found = gpu_results.machine(torch, False), ["cpu"]
        elif torch.cuda.is_available():
            there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
            chosen = there if devices == "all" else devices.split(",")
            kinds = {torch.cuda.get_device_name(int(d[5:])) for d in chosen if d in there}
            found = gpu_results.machine(torch, True), chosen
            if not set(chosen) <= set(there) or len(kinds) != 1:
                found = f"--devices {devices}: not all there, or not of one kind; there are {', '.join(there)}"
        os.write(ends[1], json.dumps(found).encode())
        os._exit(0)
    os.close(ends[1])
    with os.fdopen(ends[0]) as pipe:
        found = json.loads(pipe.read() or "null")
    os.waitpid(child, 0)
    if not isinstance(found, list):
        sys.exit(found or "there is no NVIDIA GPU that PyTorch can use")
    return found


def line(row):
    """What is printed of a row as it comes."""
    cells = "  ".join(f"{NAMES[n]} {t['min']:.3f} ms (median {t['median']:.3f}, host {t['host']:.3f})" for n, t in row["peers"].items())
    errors = "  ".join(f"{NAMES[n]} {e:.1e}" for n, e in row["errors"].items())
    built_in = ", ".join(f"{NAMES[n]} {s:.1f} s" for n, s in row["build_s"].items() if s)
    found, lock = gpu_results.ratio(row), row["lock_s"]
    return (f"{row['network']:14} batch {row['batch']:3}: {cells}  ratio {'%.2f' % found if found else '-'}  errors {errors}  built {built_in}  "
            f"GPU held {lock['held']:.1f} s (last {lock['final']:.1f}), waited for {lock['waited']:.1f} s, {row['others']} others"
            + (f"  FAILED: {row['failed']}" if "failed" in row else ""))


def last_lines(log, count=8):
    try:
        return ["    " + text[:200] for text in pathlib.Path(log).read_text(errors="replace").splitlines()[-count:]]
    except OSError:
        return []


def main():
    started = time.monotonic()
    args = arguments()
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(BUILD / "bench" / "inductor"))
    try:
        import torch  # once, for all children; the GPU isn't touched here, since it can't be after a fork
    except ImportError:
        sys.exit("PyTorch isn't here, which this needs to make the networks and to compare with")
    if args.devices != "cpu" and not torch.cuda._is_compiled():
        sys.exit("this PyTorch is not made for GPUs")
    import networks  # noqa: F401

    here, devices = ask_machine(args.devices)
    args.gpus = len(devices)
    files = Files(args, here)
    rows = [f"{name}:{batch}" for name, batch in selected(args) if not (args.resume and files.has(name, batch))]
    args.jobs = max(1, min(args.jobs, len(rows)))
    print(" ".join(f"{k} {v};" for k, v in here.items()), f"{len(rows)} rows, {args.jobs} at once on {', '.join(devices)}", flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally of Jobs.run
    jobs = Jobs(functools.partial(gpu_rows.work, args, files.cache), devices, args.jobs, end=started + args.limit, logs=BUILD / "bench" / "gpu_logs")
    done = 0
    for job, message in jobs.run(rows):
        at = f"[{time.monotonic() - started:5.0f} s, load {os.getloadavg()[0]:.0f}] "
        if "row" in message:
            row = {**message["row"], "others": message["others"]}
            files.add(row)
            done += 1
            print(at + line(row), flush=True)
        else:
            print("\n".join([at + f"{job}: " + (message.get("later") or "failed: " + message["failed"])]
                            + (last_lines(message["log"]) if message.get("log") else [])), flush=True)
    if not files.results["rows"]:
        sys.exit("nothing was measured")
    text = gpu_results.table(files.results)
    print(f"\n{text}\n\n{done} of {len(rows)} rows measured in {time.monotonic() - started:.0f} s")
    whole = all(files.has(n, b) for n, *batches in TABLE for b in batches) and all(r["together"] for r in files.results["rows"])
    if whole and not args.no_save and args.devices != "cpu" and gpu_results.write_readme(text):
        print("written into README.md")


if __name__ == "__main__":
    main()
