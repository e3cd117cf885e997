"""Measures ONNX Runtime and ingot on the same networks: in one process, in turns, on the same threads. `./dev bench`

    ./dev bench [--models resnet50,unet] [--batch 1] [--threads 2] [--budget 20] [--rounds 8] [--slot 0.5]
    ./dev bench peers --readme      only writes README's table again, from the results there
    ./dev bench peers --gpu         on a GPU, against torch.compile: gpu_peers.py

OpenVINO and torch.compile are measured too where they are asked for (--openvino, --compile) and installed. Each network runs in a process
of its own. Turns of `slot` seconds alternate, so that the machine's other work falls on all alike, each after a pause: a peer's threads go on
spinning for a while after a run. A run of all networks writes bench/results/cpu_<machine>.json and the table in README.md.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / (os.environ.get("BUILD") or "build")
RESULTS = HERE / "results"
MODELS = [("ssd300", 1), ("unet", 1), ("resnet50", 1), ("resnet50", 8), ("alexnet", 1), ("vgg16", 1), ("densenet121", 1),
          ("squeezenet1_1", 1), ("resnet18", 1), ("mobilenet_v2", 1), ("vit_b_16", 1)]
NAMES = {"ort": "ONNX Runtime", "ingot": "ingot", "openvino": "OpenVINO", "compile": "torch.compile"}


def machine():
    """What the figures depend on: the processor, its cores, its instruction sets."""
    info = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    flags = info.get("flags", "").split()
    wanted = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
    return {"cpu": info.get("model name", platform.processor()), "family": info.get("cpu family", ""), "model": info.get("model", ""),
            "cores": len(os.sched_getaffinity(0)), "features": [f for f in wanted if f in flags]}


def in_turns(calls, rounds, slot):
    """Milliseconds of every run by name, sorted."""
    times = {name: [] for name in calls}
    for call in calls.values():
        call()
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(0.1)
            call()
            end = time.perf_counter() + slot
            while True:
                start = time.perf_counter()
                call()
                now = time.perf_counter()
                times[name].append((now - start) * 1e3)
                if now > end:
                    break
    return {name: sorted(t) for name, t in times.items()}


def measure(name, batch, args):
    """One network: {model, batch, error, build_s, peers: {name: {min, median, runs}}}."""
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import numpy as np
    import onnxruntime as ort

    sys.path.insert(0, str(HERE))
    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    path, model, shape = folder / f"{name}.onnx", None, None
    if not path.exists() or args.compile:
        import networks

        model, shape = networks.make(name)
        if not path.exists():
            networks.export(model, shape, path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    key = session.get_inputs()[0].name
    x = np.random.default_rng(0).standard_normal((batch, *session.get_inputs()[0].shape[1:])).astype(np.float32)
    calls = {"ort": lambda: session.run(None, {key: x})}
    want = session.run(None, {key: x})

    import ingot_library

    start = time.perf_counter()
    engine = ingot_library.Engine(path, {key: x.shape}, threads=args.threads, budget=args.budget)
    built = time.perf_counter() - start
    engine.set({key: x})
    engine.run()
    error = max(float(np.abs(a - b).max() / max(np.ptp(a), 1e-12)) for a, b in zip(want, engine.get()))
    calls["ingot"] = engine.run
    if args.openvino:
        try:
            import openvino as ov

            core = ov.Core()
            core.set_property("CPU", {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
            network = core.read_model(str(path))
            network.reshape({network.inputs[0]: list(x.shape)})
            request = core.compile_model(network, "CPU").create_infer_request()
            calls["openvino"] = lambda: request.infer([x])
        except ImportError:
            print("OpenVINO isn't installed: left out", file=sys.stderr)
    if args.compile:
        import torch
        import torch._inductor.config

        torch._inductor.config.freezing = True
        torch.set_num_threads(args.threads)
        tensor, compiled = torch.from_numpy(x), torch.compile(model)

        def run_compiled():
            with torch.inference_mode():
                compiled(tensor)

        calls["compile"] = run_compiled
    times = in_turns(calls, args.rounds, args.slot)
    peers = {n: {"min": round(t[0], 3), "median": round(t[len(t) // 2], 3), "runs": len(t)} for n, t in times.items()}
    return {"model": name, "batch": batch, "error": float(f"{error:.2g}"), "build_s": round(built, 2), "peers": peers}


def ratio(row, what="min"):
    return row["peers"]["ort"][what] / row["peers"]["ingot"][what]


def table(results):
    """The results as Markdown."""
    m, rows = results["machine"], results["rows"]
    peers = [n for n in NAMES if any(n in r["peers"] for r in rows)]
    lines = [f"{m['cpu']} (family {m['family']}, model {m['model']}; {', '.join(m['features'])}), {results['threads']} threads, float32; "
             f"milliseconds a run, minimum (median); ONNX Runtime {results['onnxruntime']}, {results['date']}.", "",
             "| network | batch | " + " | ".join(NAMES[p] for p in peers) + " | ratio of minima | of medians |",
             "|---" * (len(peers) + 4) + "|"]
    for r in rows:
        cells = [f"{r['peers'][p]['min']:.2f} ({r['peers'][p]['median']:.2f})" if p in r["peers"] else "" for p in peers]
        lines.append(f"| {r['model']} | {r['batch']} | " + " | ".join(cells) + f" | {ratio(r):.2f} | {ratio(r, 'median'):.2f} |")
    product = 1.0
    for r in rows:
        product *= ratio(r)
    lines.append(f"| geometric mean | | {' | ' * (len(peers) - 1)} | {product ** (1 / len(rows)):.2f} | |")
    return "\n".join(lines)


def write_readme(results):
    readme = ROOT / "README.md"
    text = readme.read_text()
    new, found = re.subn(r"(<!-- bench:begin -->\n).*?(<!-- bench:end -->)", lambda g: g[1] + table(results) + "\n" + g[2], text, flags=re.S)
    if not found:
        sys.exit("README.md has no '<!-- bench:begin -->' and '<!-- bench:end -->'")
    readme.write_text(new)


def main():
    if "--gpu" in sys.argv[1:]:
        sys.path.insert(0, str(HERE))
        import gpu_peers

        gpu_peers.main()
        return
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", help="names, with commas; all of the table without it")
    p.add_argument("--batch", type=int, help="only rows of this batch, or this batch for models that the table hasn't")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--budget", type=float, default=20, help="seconds for timing kernels when ingot builds")
    p.add_argument("--rounds", type=int, default=8)
    p.add_argument("--slot", type=float, default=0.5)
    p.add_argument("--openvino", action="store_true")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--no-save", action="store_true", help="print only, after a run of all networks too")
    p.add_argument("--readme", action="store_true", help="write README's table from the newest results and measure nothing")
    p.add_argument("--one", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.readme:
        files = sorted(RESULTS.glob("cpu_*.json"), key=lambda f: f.stat().st_mtime)
        if not files:
            sys.exit("there are no results in bench/results yet: ./dev bench")
        write_readme(json.loads(files[-1].read_text()))
        return
    if args.one:
        name, batch = args.one.split(":")
        print("RESULT " + json.dumps(measure(name, int(batch), args)))
        return
    for module in ("torch", "onnxruntime"):
        if subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode:
            sys.exit(f"{module} isn't here, which this needs to " + ("make the networks" if module == "torch" else "compare with"))
    plan = [(n, b) for n, b in MODELS if (not args.models or n in args.models.split(",")) and (not args.batch or b == args.batch)]
    plan += [(n, args.batch or 1) for n in (args.models or "").split(",") if n and n not in dict(plan)]
    import importlib.metadata

    here = machine()
    results = {"machine": here, "threads": args.threads, "date": time.strftime("%Y-%m-%d"), "rounds": args.rounds, "slot_s": args.slot,
               "budget_s": args.budget, "onnxruntime": importlib.metadata.version("onnxruntime"), "rows": []}
    print(f"{here['cpu']}, {here['cores']} cores, {', '.join(here['features'])}; {args.threads} threads")
    failed = []
    for name, batch in plan:
        done = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--one", f"{name}:{batch}"], stdout=subprocess.PIPE, text=True)
        found = re.search(r"^RESULT (.*)$", done.stdout, re.M)
        if done.returncode or not found:
            print(f"{name} batch {batch}: failed (exit {done.returncode})")
            failed.append(name)
            continue
        row = json.loads(found[1])
        results["rows"].append(row)
        cells = "  ".join(f"{NAMES[n]} {t['min']:.2f} ms (median {t['median']:.2f})" for n, t in row["peers"].items())
        print(f"{name:14} batch {batch}: {cells}  ratio {ratio(row):.2f} ({ratio(row, 'median'):.2f})  "
              f"error {row['error']:.0e} of the range  built in {row['build_s']} s", flush=True)
    if results["rows"]:
        print("\n" + table(results))
    if not failed and not args.no_save and not args.models and not args.batch:  # a part of the table doesn't replace the whole
        RESULTS.mkdir(exist_ok=True)
        slug = re.sub(r"[^a-z0-9]+", "_", f"{here['cpu']} {here['family']} {here['model']} {here['cores']} cores".lower()).strip("_")
        file = RESULTS / f"cpu_{slug}.json"
        file.write_text(json.dumps(results, indent=1) + "\n")
        write_readme(results)
        print(f"\nwritten: {file.relative_to(ROOT)} and README.md's table")
    sys.exit(1 if failed or not results["rows"] else 0)


if __name__ == "__main__":
    main()
