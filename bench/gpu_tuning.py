"""Lets several processes tune torch.compile's kernels on one GPU: what is timed holds the GPU's lock, what is compiled doesn't. For gpu_rows.py.

Inductor times everything (choices for a convolution or product, fusions, configurations of Triton kernels) by its benchmarker, whose functions are
wrapped here. A first run of a kernel within them may compile it, which lets go of the lock. Names inside PyTorch change with its versions: those
of 2.11 and 2.13 are known here, and share() tells which it didn't find. Nothing of Inductor's runtime is imported before share(): that asks for the
GPU, which a process that forks others must not.
"""
import contextlib
import functools
import importlib

from gpu_jobs import OutOfMemory, out_of_memory

TIMERS = "benchmark", "benchmark_gpu", "benchmark_gpu_with_cuda_graph"
OPTIONAL = {"Benchmarker.benchmark_gpu_with_cuda_graph"}  # not in all versions, and not used where it isn't


def timed(function, lock, alone):
    """`function` under the lock. Memory that runs out there would only cost the peer a choice, without a word: beside others it ends the job."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with lock:
            try:
                return function(*args, **kwargs)
            except Exception as e:
                if out_of_memory(e) and not alone:
                    raise OutOfMemory(str(e)[:300]) from e
                raise

    return wrapped


def compiles(function, lock):
    """`function` without the lock, also where it is called within something timed."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with lock.released():
            return function(*args, **kwargs)

    return wrapped


def module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def share(lock, alone=False):
    """Wraps what is there, once in a process; returns the names that weren't found, for tuning()."""
    missing = []
    benchmarking, heuristics = (module("torch._inductor.runtime." + name) for name in ("benchmarking", "triton_heuristics"))
    base = getattr(benchmarking, "Benchmarker", None)
    classes = [c for c in vars(benchmarking).values() if isinstance(c, type) and issubclass(c, base)] if base else []
    for name in TIMERS:
        owners = [c for c in classes if name in vars(c)]
        for c in owners:
            setattr(c, name, timed(vars(c)[name], lock, alone))
        if not owners and f"Benchmarker.{name}" not in OPTIONAL:
            missing.append(f"Benchmarker.{name}")
    tuner = getattr(heuristics, "CachingAutotuner", None)
    for name, wrap in (("bench", lambda f: timed(f, lock, alone)), ("_precompile_config", lambda f: compiles(f, lock))):
        if tuner and hasattr(tuner, name):
            setattr(tuner, name, wrap(getattr(tuner, name)))
        else:
            missing.append(f"CachingAutotuner.{name}")
    return missing


def unsafe(missing):
    """Whether what share() didn't find leaves what is timed on the GPU without the lock."""
    return "Benchmarker.benchmark_gpu" in missing


def tuning(lock, missing):
    """What to compile within: nothing where all names were found, else the lock."""
    return lock if unsafe(missing) else contextlib.nullcontext()
