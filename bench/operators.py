"""Measures single operators by ingot and by ONNX Runtime: in one process, in turns, on the same threads. `./dev bench operators`

    ./dev bench operators [--only REGEX] [--threads 2] [--rounds 4] [--slot 0.03] [--budget 0.5] [--below 0.5]
    ./dev bench operators --device cuda [--precision fp16]

Prints each operator's minimum and median in microseconds, the ratio of the minima (above 1: ingot is faster) and ingot's kernels; then a list
of those below the ratio of --below. The shapes are in bench/operator_cases.py. Outputs are compared, too: a large difference is marked.

On a GPU there is no peer: its own time for the layers, without copies to it and back, with what they come to in GB/s and GFLOP/s, and a mark
where they run on the host.
"""
import argparse
import os
import pathlib
import re
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


def make_model(op, inputs, constants, outputs, attributes):
    import onnx
    from onnx import helper, numpy_helper

    names = ["" if a is None else f"x{k}" for k, a in enumerate(inputs)]
    node = helper.make_node(op, names, [f"y{k}" for k in range(outputs)], **attributes)
    given = [(n, a) for n, a in zip(names, inputs) if a is not None]
    free = [(n, a) for k, (n, a) in enumerate(zip(names, inputs)) if a is not None and k not in constants]
    info = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in free]
    kept = [numpy_helper.from_array(a, n) for n, a in given if n not in dict(free)]
    graph = helper.make_graph([node], "g", info, [onnx.ValueInfoProto(name=f"y{k}") for k in range(outputs)], kept)
    version = min(onnx.defs.onnx_opset_version(), 23 if op == "RMSNormalization" else 21)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model), dict(free)


def in_turns(calls, rounds, slot):
    times = {name: [] for name in calls}
    for call in calls.values():
        call()
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            end = time.perf_counter() + slot
            while True:
                start = time.perf_counter()
                call()
                now = time.perf_counter()
                times[name].append((now - start) * 1e6)
                if now > end:
                    break
    return {name: sorted(t) for name, t in times.items()}


def measure(case, args, ort, ingot_library, folder):
    import numpy as np

    label, op, inputs, constants, outputs, attributes = case
    inputs = [None if a is None else np.asarray(a) for a in inputs]
    model, feeds = make_model(op, inputs, constants, outputs, attributes)
    path = pathlib.Path(folder) / "operator.onnx"
    path.write_bytes(model.SerializeToString())
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if args.spin else "0")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, a in feeds.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(a))
    want = session.run(None, feeds)
    for out, a in zip(session.get_outputs(), want):
        if op in ("NonZero", "NonMaxSuppression"):
            binding.bind_output(out.name)
        else:
            binding.bind_ortvalue_output(out.name, ort.OrtValue.ortvalue_from_numpy(a))
    engine = ingot_library.Engine(path, {n: a.shape for n, a in feeds.items()}, threads=args.threads, budget=args.budget,
                                  device=args.device, precision=f"tf32,{args.precision}" if args.device != "cpu" else None)
    engine.set(feeds)
    engine.run()
    worst = 0.0
    for a, o in zip(want, engine.get()):
        if a.dtype.kind == "f" and a.size:
            a, o = a.astype(np.float64), o.astype(np.float64)
            worst = max(worst, float(np.nanmax(np.abs(a - o))) / max(float(np.nanmax(np.abs(a))), 1e-9)) if a.shape == o.shape else np.inf
        elif not np.array_equal(a, o):
            worst = max(worst, float(np.mean(a != o)) if a.shape == o.shape else np.inf)
    if args.device != "cpu":
        return {"label": label, "error": worst, **on_gpu(engine, args)}
    times = in_turns({"ort": lambda: session.run_with_iobinding(binding), "ingot": engine.run}, args.rounds, args.slot)
    kernels = [layer.get("kernel") or "view" for layer in engine.inspect().get("layers", [])]
    ort_t, our_t = times["ort"], times["ingot"]
    return {"label": label, "ort": ort_t[0], "ort_median": ort_t[len(ort_t) // 2], "ingot": our_t[0], "median": our_t[len(our_t) // 2],
            "ratio": ort_t[0] / our_t[0], "kernels": " ".join(dict.fromkeys(kernels)), "error": worst}


def on_gpu(engine, args):
    engine.time_runs()
    engine.run()
    times, end = [], time.perf_counter() + args.rounds * args.slot
    while len(times) < 5 or time.perf_counter() < end:
        engine.run()
        times.append(engine.times()[1])
    layers = [layer for layer in engine.inspect().get("layers", []) if layer.get("kernel") and layer["type"] != "Transfer"]
    best, kernels = max(min(times), 1e-3), list(dict.fromkeys(layer["kernel"] for layer in layers))
    return {"ingot": min(times), "median": sorted(times)[len(times) // 2], "gbps": sum(layer.get("bytes", 0) for layer in layers) / best / 1e3,
            "gflops": sum(layer.get("flops", 0) for layer in layers) / best / 1e3, "kernels": " ".join(kernels) or "view",
            "host": [kernel for kernel in kernels if not kernel.startswith("cuda_")]}


def print_gpu(r):
    differs = f"  DIFFERS by {r['error']:.1g}" if r["error"] > 1e-2 else ""
    host = "  ON THE HOST" if r["host"] else ""
    print(f"{r['label']:36} {r['ingot']:9.1f} ({r['median']:9.1f})  {r['gbps']:8.1f} GB/s {r['gflops']:9.1f} GFLOP/s  {r['kernels']}{host}{differs}",
          flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="", help="a regular expression: labels that hold it")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=4)
    p.add_argument("--slot", type=float, default=0.03, help="seconds of a turn")
    p.add_argument("--budget", type=float, default=0.5, help="seconds for timing kernels when ingot builds")
    p.add_argument("--below", type=float, default=0.5, help="list the operators whose ratio is below this")
    p.add_argument("--spin", action="store_true", help="let ONNX Runtime's threads spin between runs, as they do by default: on few cores"
                                                       " they then take time from ingot's turns")
    p.add_argument("--device", default="cpu", help="cpu, or cuda:N for ingot's side: the GPU's own times")
    p.add_argument("--precision", default="", help="fp16 or bf16, on a GPU")
    args = p.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    try:
        import onnx  # noqa: F401
        import onnxruntime as ort
    except ImportError as e:
        sys.exit(f"{e.name} isn't here, which this needs to make the models and to compare with")
    sys.path.insert(0, str(HERE))
    import ingot_library
    import operator_cases

    print(f"{args.threads} threads, microseconds, minimum (median); ONNX Runtime {ort.__version__}")
    rows, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for case in operator_cases.all_cases():
            if not re.search(args.only, case[0]):
                continue
            try:
                r = measure(case, args, ort, ingot_library, folder)
            except Exception as e:  # one that either can't do isn't measured
                failed.append(f"{case[0]}: {str(e).splitlines()[0][:150]}")
                continue
            rows.append(r)
            if args.device != "cpu":
                print_gpu(r)
                continue
            differs = f"  DIFFERS by {r['error']:.1g}" if r["error"] > 1e-2 else ""
            print(f"{r['label']:36} ort {r['ort']:9.1f} ({r['ort_median']:9.1f})  ingot {r['ingot']:9.1f} ({r['median']:9.1f})"
                  f"  ratio {r['ratio']:6.2f}  {r['kernels']}{differs}", flush=True)
    for line in failed:
        print(f"not measured: {line}")
    if args.device != "cpu":
        print(f"\n{len(rows)} operators, {sum(bool(r['host']) for r in rows)} of them on the host")
        return
    slow = sorted((r for r in rows if r["ratio"] < args.below), key=lambda r: r["ratio"])
    print(f"\n{len(rows)} operators, {len(slow)} below {args.below}:")
    for r in slow:
        print(f"  {r['ratio']:5.2f}  {r['label']:36} {r['ingot']:9.1f} against {r['ort']:.1f} us  {r['kernels']}")


if __name__ == "__main__":
    main()
