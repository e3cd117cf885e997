"""Differential fuzzing: random valid ONNX models by ingot's engine, by its reference kernels and by ONNX Runtime. Run it with
./dev fuzz graphs [SECONDS | --count N] [--seed S] [--one SEED] [--row NAME] [--device cuda]; the library is build/libingot.so unless BUILD says otherwise.

Models are made and run in child processes, one for each of INGOT_ISA's sets in turn; one that dies or hangs is a finding of the model that it was
at. A finding is made smaller, printed as ONNX's text and saved with its inputs in the build folder's graphs/."""
import argparse
import collections
import os
import pathlib
import select
import signal
import sys
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "fuzz" / "graphs"))
ISAS = ["avx512", "avx2", "portable"]
BATCH, HANG_SECONDS = 120, 60


def isa_of(seed):
    return ISAS[seed % len(ISAS)]


def run_seeds(library, seeds, say, row=None):
    """Makes and checks the models of seeds, in this process; says 'start SEED', then 'ok SEED operators..' or 'finding SEED kind'."""
    from check import Finding, check, plan_for, stands
    from engines import Engines, pass_names
    from generate import generate
    from oracle import Oracle

    oracle, engines, passes = Oracle(), Engines(library), pass_names(ROOT)
    for seed in seeds:
        say(f"start {seed}")
        made = generate(oracle, seed, row)
        if made is None:
            say(f"none {seed}")
            continue
        model, sets, wanted, ops = made
        try:
            say(f"try {seed}")
            plan = plan_for(seed, passes)
            runs = check(engines, model, sets, wanted, plan, before_ort=lambda: say(f"ort {seed}"))  # noqa: B023
            say(f"ok {seed} {runs} {','.join(ops)}")
        except Finding as f:
            if stands(engines, oracle, model, sets, plan, f, seed):
                say(f"finding {seed} {f.kind}: {f.text.splitlines()[0][:400] if f.text else ''}")
            else:
                say(f"ok {seed} 2 {','.join(ops)}")


def batch(library, seeds, isa, log, row):
    """A child for these seeds; yields its lines, then ('died', how) if it did."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.environ["INGOT_ISA"] = isa
        os.dup2(log.fileno(), 2)
        code = 1
        try:
            run_seeds(library, seeds, lambda line: os.write(write, (line + "\n").encode()), row)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    rest, died = b"", None
    while True:
        ready, _, _ = select.select([read], [], [], HANG_SECONDS)
        if not ready:
            os.kill(child, signal.SIGKILL)
            died = "hangs"
            break
        data = os.read(read, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
    os.close(read)
    _, status = os.waitpid(child, 0)
    if died is None and os.WIFSIGNALED(status):
        died = f"dies by signal {os.WTERMSIG(status)}"
    elif died is None and os.WEXITSTATUS(status):
        died = "has an error of its own: see the log"
    if died:
        yield f"died {died}"


def report(library, seed, kind, folder, seconds, row):
    """Reduces a finding in a child of its own and prints it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["INGOT_ISA"] = isa_of(seed)
        try:
            import numpy as np
            from check import plan_for, readable
            from engines import pass_names
            from generate import generate
            from oracle import Oracle
            from reduce import Reducer

            oracle = Oracle()
            model, sets, _, _ = generate(oracle, seed, row)
            r = Reducer(library, oracle, model, sets, plan_for(seed, pass_names(ROOT)), seed, seconds).run()
            path = folder / f"{seed}.onnx"
            path.write_bytes(r.model.SerializeToString())
            np.savez(folder / f"{seed}.npz", **{f"{k}.{n}": a for k, s in enumerate(r.sets) for n, a in s.items()})
            shapes = [{n: f"{a.dtype}{list(a.shape)}" for n, a in s.items()} for s in r.sets]
            text = f"---- seed {seed} ({isa_of(seed)}): {r.kind or kind}\n{readable(r.model)}\nshapes: {shapes}\nplan: {r.plan}\nsaved: {path}\n"
            (folder / f"{seed}.txt").write_text(text)
            os.write(write, text.encode()[:60000])
        except BaseException as e:
            os.write(write, f"---- seed {seed}: {kind} (not reduced: {type(e).__name__} {e})\n".encode()[:60000])
        finally:
            os._exit(0)
    os.close(write)
    text = b""
    while data := os.read(read, 65536):
        text += data
    os.close(read)
    os.waitpid(child, 0)
    print(text.decode(errors="replace"), flush=True)


def fuzz(library, folder, seeds, seconds=None, reduce_seconds=60, most=25, quiet=False, row=None):
    """Runs seeds (an iterator) until they or the time end. Gives (models run, findings: {seed: kind}, operators: Counter)."""
    folder.mkdir(parents=True, exist_ok=True)
    log = open(folder / "log.txt", "a")
    findings, ops, models, runs = {}, collections.Counter(), 0, 0
    start, told = time.time(), time.time()
    pending = {isa: [] for isa in ISAS}
    seeds, ended = iter(seeds), False
    while not ended and len(findings) < most and not (seconds and time.time() > start + seconds):
        isa = None
        while isa is None:
            seed = next(seeds, None)
            if seed is None:
                ended = True
                break
            pending[isa_of(seed)].append(seed)
            if len(pending[isa_of(seed)]) >= BATCH:
                isa = isa_of(seed)
        for name in [isa] if isa else ISAS:
            todo, pending[name] = pending[name], []
            while todo and len(findings) < most and not (seconds and time.time() > start + seconds):
                at, state = todo[0], None
                for line in batch(library, todo, name, log, row):
                    word, _, rest = line.partition(" ")
                    if word in ("start", "try", "ort"):
                        at, state = int(rest), word
                    elif word == "ok":
                        _, n, names = (rest.split(" ") + [""])[:3]
                        models, runs = models + 1, runs + int(n)
                        ops.update(names.split(","))
                    elif word == "finding":
                        number, _, kind = rest.partition(" ")
                        findings[int(number)] = kind
                        models += 1
                        print(f"finding: seed {number}: {kind}", flush=True)
                    elif word == "died":
                        print(f"seed {at}: the process {rest}" + ("" if state == "try" else " in ONNX Runtime or the generator: not ingot's"), flush=True)
                        if state == "try":
                            findings[at] = f"the process {rest}"
                            models += 1
                    if seconds and time.time() > start + seconds:
                        break
                    if not quiet and time.time() > told + 10:
                        told = time.time()
                        print(f"{models} models, {runs} runs, {len(findings)} findings, {models / (told - start):.1f} a second", flush=True)
                todo = todo[todo.index(at) + 1:]
    if reduce_seconds:
        for seed, kind in findings.items():
            report(library, seed, kind, folder, reduce_seconds, row)
    return models, findings, ops


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("seconds", nargs="?", type=float, help="how long; 60 unless --count is given")
    p.add_argument("--count", type=int, help="how many models")
    p.add_argument("--seed", type=int, default=int(time.time()) % 1000000 * 1000, help="the first of the models' seeds")
    p.add_argument("--one", type=int, help="one seed's model alone: print it, run it, reduce it")
    p.add_argument("--reduce", type=float, default=60, help="seconds to make a finding smaller; 0: not at all")
    p.add_argument("--findings", type=int, default=25, help="stop after so many")
    p.add_argument("--device", help="of the engines: cuda (INGOT_CUDA_DRIVER and INGOT_NVRTC may name the emulated one); the CPU without it")
    p.add_argument("--row", help="models of this row of the generator's table alone, with a few nodes around it")
    a = p.parse_args()
    warnings.simplefilter("ignore")
    if a.device:
        os.environ["INGOT_FUZZ_DEVICE"] = a.device
    build = ROOT / os.environ.get("BUILD", "build")
    import generate  # noqa: F401  loaded once, before children are made
    import reduce  # noqa: F401

    if a.one is not None:
        seeds, seconds = [a.one], None
    elif a.count:
        seeds, seconds = range(a.seed, a.seed + a.count), a.seconds
    else:
        seeds, seconds = iter(range(a.seed, a.seed + 10**9)), a.seconds or 60
    start = time.time()
    models, findings, ops = fuzz(build / "libingot.so", build / "graphs", seeds, seconds, a.reduce, a.findings, row=a.row)
    print(f"{models} models from seed {a.one if a.one is not None else a.seed} in {time.time() - start:.0f} s, {len(ops)} operators, "
          f"{sum(ops.values())} nodes: {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
