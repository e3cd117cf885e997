"""One row of the GPU benchmark, in a process of its own: a network at a batch, by torch.compile and by ingot. For gpu_peers.py.

The peer is compiled beside other rows; what runs on the GPU holds its lock: the reference, what the peer's tuning times (gpu_tuning.py), ingot's
build, and the measurement, both sides in turns without letting go of it between. So no other row's timed work runs meanwhile. What still may:
another row's single kernels that nobody times (its random inputs, its weights' folding and copies), which lengthen a run or two among
hundreds; and the host, whose cores compile for other rows at low priority, while this one's is raised. Times are between events around each run,
of runs that stand in the stream before the first begins, so the host isn't in them unless it stops for longer than the kernel that waits; what
disturbs only ever lengthens a run. So minima stay right, medians nearly; `host`, as the host sees a run, is the one that a full machine falsifies.
"""
import argparse
import functools
import gc
import os
import pathlib
import time

import gpu_tuning
from gpu_jobs import MEASURING, Lock, OutOfMemory, go_first, out_of_memory

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / (os.environ.get("BUILD") or "build")


def cores():
    return len(os.sched_getaffinity(0))


def share(args, alone):
    """How many of them one row compiles on."""
    return cores() if alone else max(1, cores() // args.jobs)


def physical(device):
    """What CUDA_VISIBLE_DEVICES calls the GPU that is "cuda:N" here."""
    index, seen = int(device.partition(":")[2] or 0), os.environ.get("CUDA_VISIBLE_DEVICES")
    return seen.split(",")[index].strip() if seen else str(index)


def lock_of(device):
    """The lock of "cuda:N", the same for all processes that use this build folder; "cpu" has one too."""
    return Lock(BUILD / "bench" / f"gpu_{device if device == 'cpu' else physical(device)}.lock")


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
        with Lock(self.folder / f"{name}.lock"):  # another batch of it may be at it
            self.prepare()
        self.model.eval().requires_grad_(False)

    def prepare(self):
        """Reads the weights, or writes them and the ONNX file."""
        import networks

        name, args, torch = self.name, self.args, self.torch
        weights, self.path = self.folder / f"{name}.pt", self.folder / (f"{name}.onnx" if args.float_io else f"{name}_half.onnx")
        known = weights.exists()
        if known:  # normalisations' statistics differ a little between machines
            self.model.load_state_dict(torch.load(weights, weights_only=True))
        if not known or not self.path.exists():
            module, dtype = (self.model, torch.float32) if args.float_io else (Halves(torch, self.model), torch.float16)
            networks.export(module, self.shape, self.path.with_suffix(".part"), dtype=dtype)
            torch.save(self.model.state_dict(), weights.with_suffix(".pt.part"))
            weights.with_suffix(".pt.part").rename(weights)  # whole, or not there: the process may be killed at any time
            self.path.with_suffix(".part").rename(self.path)

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


def compiled(torch, model, x, args, lock, alone):
    """(call, outputs, seconds to compile, names of gpu_tuning that PyTorch lacks). The seconds leave out those spent waiting for the GPU, but they are of
    a machine that compiled other rows too, and less where caches of an earlier run are there: no figure to quote."""
    import torch._inductor.config

    torch._inductor.config.freezing = True
    if "TORCHINDUCTOR_COMPILE_THREADS" not in os.environ:  # which was read long before the fork
        torch._inductor.config.compile_threads = share(args, alone)
    torch._dynamo.reset()
    missing = gpu_tuning.share(lock, alone)
    if missing:
        print(f"PyTorch {torch.__version__} has no {', '.join(missing)}" + ("; tuned under the lock" if gpu_tuning.unsafe(missing) else ""), flush=True)
    start, waited = time.perf_counter(), lock.waited
    function = torch.compile(model, mode=args.mode)
    with gpu_tuning.tuning(lock, missing):
        result = function(x)
    with lock:
        for _ in range(3):  # warm up, record, replay
            result = function(x)
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start - (lock.waited - waited)
        return Call(lambda: function(x)), [t.clone() for t in outputs_of(result)], seconds, missing


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
    """ingot: (call, outputs, seconds to build)."""
    import ingot_library

    start = time.perf_counter()
    gpu = args.device != "cpu"
    engine = ingot_library.Engine(network.path, {"input": tuple(x.shape)}, budget=args.budget, timing_cache=args.timing_cache, verify=args.verify,
                                  device=args.device if gpu else None, precision=("tf32," + args.precision) if gpu else None,
                                  threads=max(2, cores() // args.gpus) if gpu else 2)
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
    return call, [t.clone() for t in outputs], seconds


def free(torch, stream):
    gc.collect()
    if stream:
        torch.cuda.empty_cache()


def measure(network, batch, args, torch, stream, kept, lock, alone, send):
    """One row of the table. `kept`: what an earlier run found for its peers, by name; None measures them."""
    torch.manual_seed(1)
    row = {"network": network.name, "batch": batch, "peers": {}, "errors": {}, "build_s": {}, "together": kept is None, "alone": alone,
           "date": time.strftime("%Y-%m-%d"), "rounds": args.rounds, "slot_s": args.slot, "budget_s": args.budget, "jobs": args.jobs}
    peers = args.peers.split(",") if kept is None else []
    x = torch.randn(batch, *network.shape).to(args.device)
    if stream:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        x = x.half().float()  # both sides get these numbers
    with torch.inference_mode():
        with lock:
            reference = network.model.to(args.device)
            pieces = [outputs_of(reference(x[i:i + 16])) for i in range(0, batch, 16)]
            want = [torch.cat(parts).cpu() for parts in zip(*pieces)]
            del reference, pieces
            network.model.cpu()
        half = x.half().contiguous(memory_format=torch.channels_last) if stream else x
        free(torch, stream)
        calls = {}
        if "compile" in peers and stream:
            calls["compile"], got, row["build_s"]["compile"], row["unshared"] = compiled(torch, network.peer(), half, args, lock, alone)
            row["errors"]["compile"] = error_of(got, want)
            del got
            free(torch, stream)
        send({"phase": MEASURING})  # what is compiled isn't thrown away at the limit
        with lock:
            send({"phase": MEASURING})
            start, row["priority"] = time.perf_counter(), go_first()
            for peer in peers:
                if peer == "graph" or (peer == "compile" and not stream):
                    calls[peer], got = graphed(torch, network.peer(), half, stream)
                    row["errors"][peer] = error_of(got, want)
            if not args.no_ingot:
                try:
                    calls["ingot"], got, row["build_s"]["ingot"] = built(torch, network, x, args, stream)
                    row["errors"]["ingot"] = error_of(got, want)
                except Exception as e:
                    if out_of_memory(e) and not alone:
                        raise OutOfMemory(str(e)[:300]) from e
                    row["failed"] = str(e)[:500]  # the peers' times are worth keeping
            in_turns(row, calls, Clock(torch, stream), args)
            row["lock_s"] = {"final": round(time.perf_counter() - start, 2)}
    row["lock_s"].update(held=round(lock.held, 2), waited=round(lock.waited, 2))
    for name, found in (kept or {}).items():
        row["peers"][name], row["errors"][name], row["build_s"][name] = found["times"], found["error"], found["build_s"]
    return row


def in_turns(row, calls, clock, args):
    """Measures all calls in turns and puts their times into the row."""
    times, host = {name: [] for name in calls}, {}
    for name, call in calls.items():
        clock.times(call, 0.05)
        host[name] = latency(call, clock.stream)
    for _ in range(args.rounds):
        for name, call in calls.items():
            time.sleep(0.02)
            call()
            times[name] += clock.times(call, args.slot)
    for name, found in times.items():
        found.sort()
        row["peers"][name] = {"min": round(found[0], 4), "median": round(found[len(found) // 2], 4), "runs": len(found),
                              "host": round(host[name], 4)}


def work(args, cache, job, device, alone, send):
    """What a job's process does (gpu_jobs.Jobs): job is "network:batch". Sends {"row": the row}."""
    name, _, batch = job.partition(":")
    lock = lock_of(device)
    tunings = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    if tunings:  # a folder for each row: Inductor's file of tunings is written whole, so of two rows the later one's would be all that is left
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(pathlib.Path(tunings) / f"{name}_{batch}")
    if device != "cpu":  # the one GPU that there is for this process, so that nothing is left on another
        os.environ["CUDA_VISIBLE_DEVICES"] = physical(device)
        device = "cuda:0"
    import torch

    args = argparse.Namespace(**{**vars(args), "device": device})
    stream = None
    torch.set_num_threads(share(args, alone))
    if device != "cpu":
        torch.cuda.set_device(device)
        stream = torch.cuda.Stream()
        torch.cuda.set_stream(stream)
    kept = cache.get(job, {}) if args.reuse else None
    send({"row": measure(Network(name, args, torch), int(batch), args, torch, stream, kept, lock, alone, send)})
