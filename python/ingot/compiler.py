"""Building: from network to engine."""
from __future__ import annotations

import glob
import os
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Union

from ._native import ffi, lib
from .engine import Engine
from .errors import check, text
from .network import Network, environment

Shape = Sequence[int]
Profile = Union[Shape, tuple[Shape, Shape, Shape]]
Progress = Callable[[str, int, int], Optional[bool]]


_SOURCES = {"CUBLAS_LT": lib.INGOT_TACTIC_CUBLAS_LT, "CUDNN": lib.INGOT_TACTIC_CUDNN}


class _Watcher:
    """What a build's progress callback needs, and the exception it raised."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.error = progress, None  # type: Progress, Optional[BaseException]


@ffi.def_extern()  # type: ignore[untyped-decorator]
def ingot_python_progress(user: Any, phase: Any, done: int, total: int) -> bool:
    watcher: _Watcher = ffi.from_handle(user)
    try:
        return watcher.progress(text(phase), done, total) is not False
    except BaseException as error:  # raised again by build()
        watcher.error = error
        return False


def _find_nvrtc() -> None:
    """Tells the library where NVIDIA's wheel (nvidia-cuda-nvrtc) has put its compiler, unless the caller has said where another is."""
    if os.environ.get("INGOT_NVRTC"):
        return
    found = glob.glob(os.path.join(glob.escape(sysconfig.get_paths()["purelib"]), "nvidia", "*", "lib", "libnvrtc.so.1[23]"))
    if found:
        os.environ["INGOT_NVRTC"] = max(found)


def build(model: Any, *, shapes: Optional[Mapping[str, Profile]] = None, profiles: Sequence[Mapping[str, Profile]] = (), threads: int = 0, budget: float = 10.0,
          timing_cache: Union[str, os.PathLike[str], None] = None, verify: bool = True, progress: Optional[Progress] = None,
          reference: bool = False, folder: Union[str, os.PathLike[str], None] = None, memory_limit: int = 0, device: str = "cpu", fp16: bool = False,
          bf16: bool = False, best: bool = False, fp16_error: Optional[float] = None, tf32: bool = True, workspace_limit: int = 0,
          tactic_sources: Optional[Sequence[str]] = None) -> Engine:
    """Compiles a network into an engine.

    model         path of an ONNX file, its bytes, an onnx.ModelProto, or an ingot.Network
    shapes        for inputs whose dims are not fixed, by name: one shape, or (min, opt, max): each dim may be from min to max, kernels are
                  chosen for opt
    profiles      more of these, for one engine that is tuned for several sets of shapes and takes those of any
    threads       that a run uses; 0: all that the process may use
    budget        seconds for timing kernels; 0 takes the cost model's word
    timing_cache  a file with times from earlier builds, read if it is there and updated
    verify        compare every layer's outputs with the reference kernels'
    progress      called with (phase, done, total); False stops the build with ingot.CancelledError, an exception stops it with itself
    reference     an engine that runs the network as it was given with the reference kernels: slow, the truth to compare with
    folder        where the external data of a model given as bytes lies
    memory_limit  bytes that the engine, and each of its contexts, may hold in the host's memory; 0: no limit
    device        where the engine is to run: "cpu", "cuda" or "cuda:N", the N-th NVIDIA GPU
    fp16, bf16    on a GPU layers may be computed in float16, or bfloat16; sums, normalisations and softmax stay in float32, inputs and outputs
                  keep their types
    best          any precision that the device has
    fp16_error    how far float16 may move an output, of its range: where it is more, measured on random inputs, layers at the front, and the last four
                  where that helps, stay in float32, with a warning; 0: any; None: 0.0025, and 0.015 for networks of more than 4e9 operations a run
    tf32          on a GPU float32 products may be computed by tensor cores, with 10 bits of mantissa; False: exactly
    workspace_limit  bytes that one kernel may want for itself, unless all of a layer's want more; 0: no limit
    tactic_sources   NVIDIA's libraries whose kernels may be chosen on a GPU, where they are found: "CUBLAS_LT", "CUDNN"; None: all, (): none

    The GIL is released while it works. Raises ingot.Error: DeviceError where the GPU, its driver or NVRTC is missing, ArgumentError for another
    device's name."""
    network = model if isinstance(model, Network) else Network(model, folder=folder, memory_limit=memory_limit)
    out, env = ffi.new("ingot_config **"), environment(memory_limit)
    check(lib.ingot_config_create(env, out))
    config = ffi.gc(out[0], lib.ingot_config_destroy)
    check(lib.ingot_config_set_threads(config, threads))
    check(lib.ingot_config_set_budget(config, budget))
    check(lib.ingot_config_set_verify(config, verify))
    if device.startswith("cuda"):
        _find_nvrtc()
    check(lib.ingot_config_set_device(config, device.encode()))
    check(lib.ingot_config_set_precision(config, (lib.INGOT_PRECISION_TF32 if tf32 else 0) | (lib.INGOT_PRECISION_FP16 if fp16 or best else 0) |
                                         (lib.INGOT_PRECISION_BF16 if bf16 or best else 0)))
    if fp16_error is not None:
        check(lib.ingot_config_set_fp16_error(config, fp16_error))
    check(lib.ingot_config_set_workspace(config, workspace_limit))
    if tactic_sources is not None:
        unknown = [name for name in tactic_sources if name not in _SOURCES]
        if isinstance(tactic_sources, str) or unknown:
            raise ValueError(f"tactic_sources: a sequence of {', '.join(_SOURCES)}, not {tactic_sources!r}")
        check(lib.ingot_config_set_tactic_sources(config, sum({_SOURCES[name] for name in tactic_sources})))
    if timing_cache is not None:
        check(lib.ingot_config_set_timing_cache(config, os.fsencode(timing_cache)))
    for i, given in enumerate([shapes or {}, *profiles] if shapes or not profiles else profiles):
        if i > 0:
            check(lib.ingot_config_add_profile(config))
        for name, profile in given.items():
            low, opt, high = _three(profile)
            check(lib.ingot_config_set_profile(config, name.encode(), len(opt), list(low), list(opt), list(high)))
    watcher = _Watcher(progress) if progress else None
    user = ffi.new_handle(watcher)
    if watcher:
        check(lib.ingot_config_set_progress(config, lib.ingot_python_progress, user))
    result = ffi.new("ingot_engine **")
    status = (lib.ingot_build_reference if reference else lib.ingot_build)(network._handle, config, result)
    if watcher and watcher.error:
        raise watcher.error
    check(status)
    return Engine(result[0])


def _three(profile: Profile) -> tuple[Shape, Shape, Shape]:
    if len(profile) == 3 and not all(hasattr(dim, "__index__") for dim in profile):
        low, opt, high = profile
        if not len(low) == len(opt) == len(high):  # type: ignore[arg-type]
            raise ValueError(f"min, opt and max have different numbers of dims: {low}, {opt}, {high}")
        return low, opt, high  # type: ignore[return-value]
    return profile, profile, profile  # type: ignore[return-value]
