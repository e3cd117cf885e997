"""InferenceSession: ingot called as ONNX Runtime's users write it."""
from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from . import arrays, dlpack
from ._native import lib
from .compiler import build
from .device import device_count
from .engine import Engine
from .errors import ArgumentError, DeviceError
from .network import Network, TensorInfo

_ANY = 2**31 - 1  # the longest that a free dim may be
_ENGINE_MAGIC = b"INGOTENG"
_TYPES = {"FLOAT32": "float", "FLOAT64": "double"}  # others are called as ONNX does
_TYPE_NAMES = {getattr(lib, name): _TYPES.get(name[6:], name[6:].lower()) for name in dir(lib)
               if name.startswith("INGOT_") and name[6:].rstrip("0123456789EMFNUZ") in
               ("UINT", "INT", "STRING", "BOOL", "BFLOAT", "COMPLEX", "FLOAT") or name in ("INGOT_UNDEFINED",)}


class SessionOptions:
    """Options of a session. Those of ONNX Runtime that have no meaning here may be set, and do nothing."""

    def __init__(self) -> None:
        self.intra_op_num_threads = 0  # 0: all that the process may use
        self.inter_op_num_threads = 0
        self.budget = 2.0  # seconds for timing kernels when the network is built
        self.verify = False  # compare every layer with the reference kernels when building
        self.timing_cache: Optional[str] = None
        self.fp16 = False  # on GPUs: layers may be computed in float16,
        self.bf16 = False  # or bfloat16,
        self.best = False  # or any precision that the GPU has;
        self.tf32 = True  # float32 products by tensor cores, with 10 bits of mantissa. The provider's option use_tf32 goes before
        self.graph_optimization_level: Any = None
        self.execution_mode: Any = None
        self.log_severity_level = 2
        self.log_verbosity_level = 0
        self.enable_profiling = False
        self.enable_mem_pattern = True
        self.enable_cpu_mem_arena = True
        self.use_deterministic_compute = False
        self.logid = ""

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Accepted, without effect."""


class NodeArg:
    """An input or output: `shape` has numbers, symbols' names, and None where a dim is free and nameless."""

    def __init__(self, info: TensorInfo) -> None:
        self.name = info.name
        self.shape: list[Union[int, str, None]] = list(info.shape or ())
        tensor = f"tensor({_TYPE_NAMES.get(info.number, '?')})"
        self.type = {"sequence": f"seq({tensor})", "optional": f"optional({tensor})", "optional_sequence": f"optional(seq({tensor}))"}.get(
            info.kind, tensor)

    def __repr__(self) -> str:
        return f"NodeArg(name='{self.name}', type='{self.type}', shape={self.shape})"


def _device(providers: Optional[Sequence[Any]], options: Optional[Sequence[Any]]) -> tuple[str, dict[str, Any]]:
    """The first provider that is here, as build's device, with its options."""
    given = [(p, {}) if isinstance(p, str) else (p[0], dict(p[1])) for p in providers or ("CPUExecutionProvider",)]
    for i, more in enumerate(options or ()):
        if i < len(given):
            given[i] = (given[i][0], {**given[i][1], **(more or {})})
    missing: list[str] = []
    for name, settings in given:
        if name == "CPUExecutionProvider":
            if missing:
                warnings.warn(f"{', '.join(missing)}: not here; the session runs on the CPU", RuntimeWarning, stacklevel=3)
            return "cpu", settings
        index, count = int(settings.get("device_id", 0)), device_count("cuda")
        if name == "CUDAExecutionProvider" and 0 <= index < count:
            return f"cuda:{index}", settings
        missing.append(f"{name} (GPU {index} of {count})" if name == "CUDAExecutionProvider" else name)
    raise DeviceError(f"none of the providers is here: {', '.join(missing)}; there are CPUExecutionProvider, and CUDAExecutionProvider where there "
                      "is a GPU and its driver")


class InferenceSession:
    """A network ready to run: `path_or_bytes` is an ONNX model or an engine file. Inputs whose dims are free take any shape; the network is
    built at once, or at the first run for the shapes that it has where dims are free, and never again.

    providers         "CPUExecutionProvider", the default, or "CUDAExecutionProvider", also as ("CUDAExecutionProvider", {"device_id": 1}): the
                      first that is here is taken, with a warning where it is the CPU for want of a GPU. An engine file runs where it was
                      built for; device_id takes it to another GPU. Options: device_id, use_tf32 (0: exact float32 products)
    provider_options  dicts of such options, one a provider

    Raises ingot.Error: DeviceError where no provider is here."""

    def __init__(self, path_or_bytes: Any, sess_options: Optional[SessionOptions] = None, providers: Optional[Sequence[Any]] = None,
                 provider_options: Optional[Sequence[Any]] = None, **kwargs: Any) -> None:
        self._options = sess_options or SessionOptions()
        self._lock = threading.Lock()
        self._engine: Optional[Engine] = None
        self._network: Optional[Network] = None
        self._device, self._settings = _device(providers, provider_options)
        if _is_engine(path_or_bytes):
            load = Engine.load if isinstance(path_or_bytes, (str, os.PathLike)) else Engine.deserialize
            self._engine = load(path_or_bytes, device=self._device if "device_id" in self._settings else None)
            self._device = self._engine.device
            self._inputs: tuple[TensorInfo, ...] = self._engine.inputs
            self._outputs: tuple[TensorInfo, ...] = self._engine.outputs
        else:
            self._network = Network(path_or_bytes)
            self._inputs, self._outputs = self._network.inputs, self._network.outputs
            if all(info.kind != "tensor" or info.shape is not None and all(isinstance(d, int) for d in info.shape) for info in self._inputs):
                self._build({})

    def _build(self, feeds: Mapping[str, tuple[int, ...]]) -> Engine:
        """The engine: free dims may be anything from 0, and kernels are chosen for those of `feeds`, shapes by input."""
        with self._lock:
            if self._engine is None:
                shapes = {}
                for info in self._inputs:
                    if info.kind != "tensor":
                        continue
                    dims = feeds.get(info.name, ())
                    if info.shape is None or len(info.shape) == len(dims):
                        declared = info.shape or (None,) * len(dims)
                        free = [not isinstance(d, int) for d in declared]
                        if any(free):
                            shapes[info.name] = (tuple(0 if f else d for f, d in zip(free, dims)), dims,
                                                 tuple(max(_ANY, d) if f else d for f, d in zip(free, dims)))
                o = self._options
                tf32 = bool(int(self._settings.get("use_tf32", o.tf32)))
                self._engine = build(self._network, shapes=shapes, threads=o.intra_op_num_threads, budget=o.budget, verify=o.verify,
                                     timing_cache=o.timing_cache, device=self._device, fp16=o.fp16, bf16=o.bf16, best=o.best, tf32=tf32)
                self._network = None
            return self._engine

    @property
    def engine(self) -> Optional[Engine]:
        """The engine that runs; None before the first run where dims are free."""
        return self._engine

    def get_inputs(self) -> list[NodeArg]:
        return [NodeArg(info) for info in self._inputs]

    def get_outputs(self) -> list[NodeArg]:
        return [NodeArg(info) for info in self._outputs]

    def get_providers(self) -> list[str]:
        """Those that layers run on: what a GPU has no kernels for runs on the CPU."""
        return ["CPUExecutionProvider"] if self._device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def run(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any], run_options: Any = None) -> list[Any]:
        """The outputs named, all for None, in that order; `input_feed` has every input by name, arrays or, for a GPU, tensors in its memory.
        Threads may run at once."""
        engine = self._engine
        if engine is None:
            tensors = [info for info in self._inputs if info.kind == "tensor"]
            missing = [info.name for info in tensors if info.name not in input_feed]
            if missing:
                raise ArgumentError(f"missing inputs: {', '.join(missing)}")
            input_feed = {**input_feed, **{info.name: value if dlpack.on_gpu(value) else arrays.as_array(value, info.number, info.name)
                                           for info in tensors for value in (input_feed[info.name],)}}
            engine = self._build({info.name: tuple(int(d) for d in input_feed[info.name].shape) for info in tensors})
        names = [info.name for info in self._outputs] if output_names is None else list(output_names)
        results = engine.run(input_feed, names)
        return [results[name] for name in names]


def _is_engine(model: Any) -> bool:
    if isinstance(model, (str, os.PathLike)):
        try:
            with open(model, "rb") as file:
                return file.read(len(_ENGINE_MAGIC)) == _ENGINE_MAGIC
        except OSError:
            return False  # Network says what is wrong
    return isinstance(model, (bytes, bytearray, memoryview)) and bytes(model[: len(_ENGINE_MAGIC)]) == _ENGINE_MAGIC
