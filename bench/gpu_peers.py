"""Measures torch.compile and ingot on one NVIDIA GPU, in half precision: in one process, in turns. `./dev bench peers --gpu`

    ./dev bench peers --gpu [--networks resnet50,unet] [--batches 1,128] [--limit 540] [--rounds 6] [--slot 0.2] [--budget 20]
    ./dev bench peers --gpu --reuse     ingot alone, beside what an earlier run of the session found for the peers

The peer is torch.compile with max-autotune, freezing and CUDA graphs on half weights in channels-last order; `--peers graph` adds PyTorch's
own kernels in a CUDA graph. Both read and write halves. Times are the device's, between events around each run, of runs that stand in the
stream behind a kernel that waits, so that none includes the host; inputs are random and stay in place, so what fits is in the L2 cache.
Turns of `slot` seconds alternate. Outputs are compared with PyTorch's in float32 (without TF32), relative to their range.

Compiling the peer takes minutes: `--limit` seconds after the start no network is begun, and a run again with `--resume` measures what is
missing and adds it. What the peers took is also kept in build/bench/ for `--reuse`; rows made so aren't of one run, and are marked. Results go to
bench/results/gpu_<device>.json and .md, `--out FOLDER` puts them elsewhere. `--onnx FOLDER` keeps the exported networks and their weights.
"""
import argparse
import functools
import gc
import json
import os
import pathlib
import re
import signal
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / (os.environ.get("BUILD") or "build")
TABLE = [("resnet50", 1, 128), ("resnet18", 1, 128), ("vgg16", 1, 32), ("alexnet", 1, 128), ("densenet121", 1, 32), ("squeezenet1_1", 1, 128),
         ("mobilenet_v2", 1, 128), ("vit_b_16", 1, 32), ("unet", 1, 8), ("ssd300", 1, 128)]
NAMES = {"compile": "torch.compile", "graph": "PyTorch, CUDA graph", "ingot": "ingot"}


def machine(torch, index):
    """What the figures depend on."""
    found = {"torch": torch.__version__, "python": sys.version.split()[0], "date": time.strftime("%Y-%m-%d")}
    if not torch.cuda.is_available():
        return {"device": "cpu", **found}
    p = torch.cuda.get_device_properties(index)
    driver = ""
    try:
        driver = re.search(r"Module\s+([\d.]+)", pathlib.Path("/proc/driver/nvidia/version").read_text())[1]
    except (OSError, TypeError):
        pass
    return {"device": p.name, "compute_capability": f"{p.major}.{p.minor}", "multiprocessors": p.multi_processor_count,
            "memory_gib": round(p.total_memory / 2**30, 1), "driver": driver, "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(), **found}


class Clock:
    """Milliseconds of runs on a stream. A call's `asynchronous` says that it returns before the device is done."""

    def __init__(self, torch, stream):
        self.torch, self.stream = torch, stream
        self.hertz = 2e9  # at most, for the kernel that waits

    def times(self, call, seconds):
        """Of all runs within about so many seconds, at least three."""
        found, end = [], time.perf_counter() + seconds
        if not self.stream:  # without a GPU: to try this file
            while not found or time.perf_counter() < end:
                start = time.perf_counter()
                call()
                found.append((time.perf_counter() - start) * 1e3)
            return found
        n = 3
        while True:
            events = [[self.torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(n)]
            start = time.perf_counter()
            if call.asynchronous and call.host:
                self.torch.cuda._sleep(int(min(0.05, n * call.host * 1.5) * self.hertz))
            for before, after in events:
                before.record(self.stream)
                call()
                after.record(self.stream)
            queued = time.perf_counter() - start
            self.stream.synchronize()
            whole = time.perf_counter() - start
            if call.asynchronous and not call.host:  # the first time: how long the host needs for one
                call.host = queued / n
            else:
                found += [before.elapsed_time(after) for before, after in events]
            if time.perf_counter() > end and found:
                return found
            n = max(3, min(100, int(n * 0.04 / max(whole, 1e-4))))


class Call:
    """Something to measure."""

    def __init__(self, run, asynchronous=True):
        self.run, self.asynchronous, self.host = run, asynchronous, 0.0

    def __call__(self):
        self.run()


def latency(call, stream, seconds=0.15):
    """The least milliseconds from a run's call to its end, as the host sees it."""
    best, end = 1e9, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        if stream:
            stream.synchronize()
        best = min(best, (time.perf_counter() - start) * 1e3)
    return best


def error_of(got, want):
    """The largest difference, relative to each output's range."""
    worst = 0.0
    for g, w in zip(got, want):
        g, w = g.double().cpu(), w.double().cpu()
        if g.shape != w.shape:
            raise RuntimeError(f"an output is {tuple(g.shape)} instead of {tuple(w.shape)}")
        difference = (g - w).abs().max().item()
        worst = max(worst, difference / max((w.max() - w.min()).item(), 1e-12)) if difference == difference else float("nan")
    return worst


def outputs_of(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


class Network:
    """One of the networks, with what both sides need of it; the weights are the same for all batches."""

    def __init__(self, name, args, torch):
        import networks

        self.name, self.torch, self.args = name, torch, args
        self.folder = pathlib.Path(args.onnx or BUILD / "bench" / "gpu")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model, self.shape = networks.make(name)
        weights, self.path = self.folder / f"{name}.pt", self.folder / (f"{name}.onnx" if args.float_io else f"{name}_half.onnx")
        if self.path.exists() and weights.exists():  # normalisations' statistics differ a little between machines
            self.model.load_state_dict(torch.load(weights, weights_only=True))
        else:
            if weights.exists():
                self.model.load_state_dict(torch.load(weights, weights_only=True))
            module, dtype = (self.model, torch.float32) if args.float_io else (Halves(torch, self.model), torch.float16)
            networks.export(module, self.shape, self.path.with_suffix(".part"), dtype=dtype)
            torch.save(self.model.state_dict(), weights)
            self.path.with_suffix(".part").rename(self.path)
        self.model.eval().requires_grad_(False)

    def peer(self):
        """The model as it is given to PyTorch's side."""
        import copy

        model = copy.deepcopy(self.model).to(self.args.device)
        return model.half().to(memory_format=self.torch.channels_last) if self.args.device != "cpu" else model


def Halves(torch, model):
    """`model` with inputs and outputs of float16, itself in float32: what a compiler that is allowed halves makes of it reads halves at once."""

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            y = [t.half() for t in outputs_of(self.model(x.float()))]
            return y[0] if len(y) == 1 else tuple(y)

    return Module().eval()


def compiled(torch, model, x, args):
    """(call, outputs, seconds to compile)."""
    import torch._inductor.config

    torch._inductor.config.freezing = True
    torch._dynamo.reset()
    start = time.perf_counter()
    function = torch.compile(model, mode=args.mode)
    for _ in range(4):  # compile, warm up, record, replay
        result = function(x)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return Call(lambda: function(x)), [t.clone() for t in outputs_of(result)], seconds


def graphed(torch, model, x, stream):
    torch.backends.cudnn.benchmark = True
    if not stream:  # without a GPU
        return Call(lambda: model(x), False), outputs_of(model(x))
    for _ in range(3):
        model(x)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        result = model(x)
    graph.replay()
    stream.synchronize()
    return Call(graph.replay), [t.clone() for t in outputs_of(result)]


def built(torch, network, x, args, stream):
    """ingot: (call, outputs, seconds to build, the engine)."""
    import ingot_library

    start = time.perf_counter()
    gpu = args.device != "cpu"
    engine = ingot_library.Engine(network.path, {"input": tuple(x.shape)}, budget=args.budget, timing_cache=args.timing_cache, verify=args.verify,
                                  device=args.device if gpu else None, precision=("tf32," + args.precision) if gpu else None)
    seconds = time.perf_counter() - start
    if not args.float_io:
        x = x.half()
    x = x.contiguous()
    engine.bind({"input": (x.data_ptr(), tuple(x.shape))}, {})
    dtypes = {"float16": torch.float16, "float32": torch.float32}
    outputs = [torch.empty(engine.shape(name), dtype=dtypes[str(dtype.__name__)], device=x.device) for name, dtype in engine.outputs]
    engine.bind({}, {name: t.data_ptr() for (name, _), t in zip(engine.outputs, outputs)})
    call = Call(functools.partial(engine.put, stream.cuda_stream)) if stream else Call(engine.run, False)
    call.keep = x, outputs, engine
    call()
    call()
    if stream:
        stream.synchronize()
    return call, [t.clone() for t in outputs], seconds, engine


def measure(network, batch, args, torch, stream, cache):
    """One row of the table."""
    torch.manual_seed(1)
    row = {"network": network.name, "batch": batch, "peers": {}, "errors": {}, "build_s": {}, "together": not args.reuse}
    x = torch.randn(batch, *network.shape).to(args.device)
    if stream:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        x = x.half().float()  # both sides get these numbers
    with torch.inference_mode():
        reference = network.model.to(args.device)
        pieces = [outputs_of(reference(x[i:i + 16])) for i in range(0, batch, 16)]
        want = [torch.cat(parts).cpu() for parts in zip(*pieces)]
        del reference, pieces
        network.model.cpu()
        calls, key = {}, f"{network.name}:{batch}"
        half = x.half().contiguous(memory_format=torch.channels_last) if stream else x
        for peer in [] if args.reuse else args.peers.split(","):
            if peer == "compile" and stream:
                calls[peer], got, row["build_s"][peer] = compiled(torch, network.peer(), half, args)
            elif peer in ("graph", "compile"):
                calls[peer], got = graphed(torch, network.peer(), half, stream)
            else:
                continue
            row["errors"][peer] = error_of(got, want)
        if not args.no_ingot:
            try:
                calls["ingot"], got, row["build_s"]["ingot"], engine = built(torch, network, x, args, stream)
                row["errors"]["ingot"] = error_of(got, want)
            except Exception as e:  # the peers' times are worth keeping
                row["failed"] = str(e)[:500]
        clock = Clock(torch, stream)
        times, host = {name: [] for name in calls}, {}
        for name, call in calls.items():
            clock.times(call, 0.05)
            host[name] = latency(call, stream)
        for _ in range(args.rounds):
            for name, call in calls.items():
                time.sleep(0.02)
                call()
                times[name] += clock.times(call, args.slot)
    for name, found in times.items():
        found.sort()
        row["peers"][name] = {"min": round(found[0], 4), "median": round(found[len(found) // 2], 4), "runs": len(found),
                              "host": round(host[name], 4)}
        if name != "ingot":
            kept = {"times": row["peers"][name], "error": row["errors"][name], "build_s": row["build_s"].get(name)}
            cache[key] = {**cache.get(key, {}), name: kept}
    for name, kept in cache.get(key, {}).items() if args.reuse else ():
        row["peers"][name], row["errors"][name], row["build_s"][name] = kept["times"], kept["error"], kept["build_s"]
    return row


def worst_errors(row):
    return "  ".join(f"{NAMES[n]} {e:.1e}" for n, e in row["errors"].items())


def ratio(row, what="min", peer="compile"):
    peers = row["peers"]
    return peers[peer][what] / peers["ingot"][what] if peer in peers and "ingot" in peers else None


def mean(values):
    product, n = 1.0, 0
    for v in values:
        if v:
            product, n = product * v, n + 1
    return product ** (1 / n) if n else None


def table(results):
    """The results as Markdown."""
    m, rows = results["machine"], results["rows"]
    peers = [n for n in NAMES if any(n in r["peers"] for r in rows)]
    device = f"{m['device']} (driver {m.get('driver')}, CUDA {m.get('cuda')})" if m["device"] != "cpu" else "CPU: a trial of the script"
    lines = [f"{device}, {results['precision']}, {results['io']} in and out; milliseconds a run by events, minimum (median); errors of the "
             f"outputs' range; PyTorch {m['torch']}, {results['mode']}; {m['date']}.", "",
             "| network | batch | " + " | ".join(NAMES[p] for p in peers) + " | ratio of minima | of medians | error of ingot | of the peer |",
             "|---" * (len(peers) + 6) + "|"]

    def cell(value, form):
        return "" if value is None else form % value

    for r in rows:
        cells = [f"{r['peers'][p]['min']:.3f} ({r['peers'][p]['median']:.3f})" if p in r["peers"] else "" for p in peers]
        cells += [cell(ratio(r), "%.2f"), cell(ratio(r, "median"), "%.2f")] + [cell(r["errors"].get(p), "%.0e") for p in ("ingot", "compile")]
        lines.append(f"| {r['network']} | {r['batch']} | " + " | ".join(cells) + " |" + ("" if r["together"] else " <!-- peer of another run -->"))
    for words, wanted in (("batch 1", lambda r: r["batch"] == 1), ("large batches", lambda r: r["batch"] != 1)):
        found = [r for r in rows if wanted(r)]
        if found:
            lines.append(f"| geometric mean, {words} | |{' |' * len(peers)} {cell(mean(ratio(r) for r in found), '%.2f')} | "
                         f"{cell(mean(ratio(r, 'median') for r in found), '%.2f')} | | |")
    return "\n".join(lines)


def write_readme(text):
    readme = ROOT / "README.md"
    marks = r"(<!-- bench-gpu:begin -->\n).*?(<!-- bench-gpu:end -->)"
    new, found = re.subn(marks, lambda g: g[1] + text + "\n" + g[2], readme.read_text(), flags=re.S)
    if found:
        readme.write_text(new)
    return found


class Files:
    """Where results and the peers' times are kept; written after every row."""

    def __init__(self, args, here):
        self.folder = pathlib.Path(args.out or HERE / "results")
        slug = re.sub(r"[^a-z0-9]+", "_", here["device"].lower()).strip("_")
        self.json, self.markdown = self.folder / f"gpu_{slug}.json", self.folder / f"gpu_{slug}.md"
        self.peers = BUILD / "bench" / f"gpu_peers_{slug}.json"
        self.results = {"machine": here, "precision": args.precision, "io": "float32" if args.float_io else "float16", "mode": args.mode,
                        "rounds": args.rounds, "slot_s": args.slot, "budget_s": args.budget, "rows": []}
        if args.resume and self.json.exists():
            old = json.loads(self.json.read_text())
            if all(old.get(k) == v for k, v in self.results.items() if k != "rows"):
                self.results["rows"] = old["rows"]
            else:
                print("the results there are of another device, day or way of measuring: begun anew")
        kept = json.loads(self.peers.read_text()) if self.peers.exists() else {}
        same = kept.get("machine") == here and kept.get("mode") == args.mode
        self.cache = kept["rows"] if same else {}

    def has(self, name, batch):
        return any(r["network"] == name and r["batch"] == batch and "failed" not in r for r in self.results["rows"])

    def add(self, row, args):
        rows = [r for r in self.results["rows"] if (r["network"], r["batch"]) != (row["network"], row["batch"])] + [row]
        order = [(n, b) for n, *batches in TABLE for b in batches]
        rows.sort(key=lambda r: order.index((r["network"], r["batch"])) if (r["network"], r["batch"]) in order else len(order))
        self.results["rows"] = rows
        if not args.no_save:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.json.write_text(json.dumps(self.results, indent=1) + "\n")
            self.markdown.write_text(table(self.results) + "\n")
        self.peers.parent.mkdir(parents=True, exist_ok=True)
        self.peers.write_text(json.dumps({"machine": self.results["machine"], "mode": args.mode, "rows": self.cache}) + "\n")


def work(name, batches, args, send):
    """One network, in a process of its own: what fails or hangs there stops no other."""
    import torch

    stream = None
    if args.device != "cpu":
        torch.cuda.set_device(args.device)
        stream = torch.cuda.Stream()
        torch.cuda.set_stream(stream)
    files = Files(args, machine(torch, args.index))
    network = Network(name, args, torch)
    for batch in batches:
        row = measure(network, batch, args, torch, stream, files.cache)
        send({"row": row, "cache": {k: v for k, v in files.cache.items() if k == f"{name}:{batch}"}})
        gc.collect()
        if stream:
            torch.cuda.empty_cache()


def in_child(name, batches, args, seconds):
    """Runs work() in a child that has the modules that are loaded; yields what it sends."""
    ends = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(ends[0])
            with os.fdopen(ends[1], "w") as pipe:
                work(name, batches, args, lambda message: (pipe.write(json.dumps(message) + "\n"), pipe.flush()))
            status = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    os.close(ends[1])

    def late(*_):
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, late)
    signal.alarm(max(1, int(seconds)))
    with os.fdopen(ends[0]) as pipe:
        for line in pipe:
            yield json.loads(line)
    signal.alarm(0)
    status = os.waitpid(child, 0)[1]
    if status:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        print(f"{name}: failed ({how})", flush=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--networks", help="names, with commas; all of the table without it")
    p.add_argument("--batches", help="numbers, with commas, instead of the table's; 'small' or 'large': the table's of each")
    p.add_argument("--peers", default="compile", help="compile, graph, or both with a comma")
    p.add_argument("--mode", default="max-autotune", help="torch.compile's")
    p.add_argument("--precision", default="fp16", help="that ingot may use: fp16, bf16, or both with a comma")
    p.add_argument("--float-io", action="store_true", help="ingot reads and writes float32")
    p.add_argument("--device", default="cuda:0", help="cpu tries the script without a GPU")
    p.add_argument("--budget", type=float, default=20, help="seconds for timing kernels when ingot builds")
    p.add_argument("--timing-cache", help="a file for ingot's timings")
    p.add_argument("--verify", action="store_true", help="ingot compares its layers with the reference kernels when it builds")
    p.add_argument("--rounds", type=int, default=6)
    p.add_argument("--slot", type=float, default=0.2)
    p.add_argument("--limit", type=float, default=1e9, help="seconds after which no network is begun; a minute more ends one in progress")
    p.add_argument("--resume", action="store_true", help="keep the rows of an earlier run of the same day and device")
    p.add_argument("--reuse", action="store_true", help="don't measure the peers again")
    p.add_argument("--no-ingot", action="store_true")
    p.add_argument("--no-save", action="store_true")
    p.add_argument("--onnx", help="folder for the exported networks")
    p.add_argument("--out", help="folder for the results")
    args = p.parse_args()
    args.index = int(args.device.partition(":")[2] or 0)
    return args


def main():
    args = arguments()
    started = time.monotonic()
    sys.path.insert(0, str(HERE))
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(BUILD / "bench" / "inductor"))
    try:
        import torch  # once, for all children; the GPU isn't touched here, since it can't be after a fork
    except ImportError:
        sys.exit("PyTorch isn't here, which this needs to make the networks and to compare with")
    if args.device != "cpu" and not torch.cuda._is_compiled():
        sys.exit("this PyTorch is not made for GPUs")
    import networks  # noqa: F401

    here = None
    for name, *usual in TABLE + [(n, 1) for n in (args.networks or "").split(",") if n and n not in [t[0] for t in TABLE]]:
        if args.networks and name not in args.networks.split(","):
            continue
        left = args.limit - (time.monotonic() - started)
        chosen = {"small": usual[:1], "large": usual[1:]}.get(args.batches) if args.batches else usual
        batches = [int(b) for b in args.batches.split(",")] if chosen is None else chosen
        if here is None:
            here = ask_machine(args)
            files = Files(args, here)
            print(" ".join(f"{k} {v};" for k, v in here.items()), flush=True)
        if args.resume:
            batches = [b for b in batches if not files.has(name, b)]
        if left <= 0 or not batches:
            if batches:
                print(f"{name}: no time left", flush=True)
            continue
        for message in in_child(name, batches, args, left + 60):
            row = message["row"]
            files.cache.update(message["cache"])
            files.add(row, args)
            cells = "  ".join(f"{NAMES[n]} {t['min']:.3f} ms (median {t['median']:.3f}, host {t['host']:.3f})" for n, t in row["peers"].items())
            built_in = ", ".join(f"{NAMES[n]} {s:.1f} s" for n, s in row["build_s"].items() if s)
            found = ratio(row)
            print(f"{name:14} batch {row['batch']:3}: {cells}  ratio {'%.2f' % found if found else '-'}  errors {worst_errors(row)}  built {built_in}"
                  + (f"  FAILED: {row['failed']}" if "failed" in row else ""), flush=True)
    if not here or not files.results["rows"]:
        sys.exit("nothing was measured")
    text = table(files.results)
    print("\n" + text)
    whole = all(files.has(n, b) for n, *batches in TABLE for b in batches) and all(r["together"] for r in files.results["rows"])
    if whole and not args.no_save and args.device != "cpu" and write_readme(text):
        print("\nwritten into README.md")


def ask_machine(args):
    """machine(), asked in a child: a process that has used the GPU can't fork others that do."""
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        import torch

        found = machine(torch, args.index) if args.device == "cpu" or torch.cuda.is_available() else None
        os.write(ends[1], json.dumps(found if args.device != "cpu" else {**found, "device": "cpu"}).encode())
        os._exit(0)
    os.close(ends[1])
    with os.fdopen(ends[0]) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    found = json.loads(text or "null")
    return found or sys.exit("there is no NVIDIA GPU that PyTorch can use")


if __name__ == "__main__":
    main()
