"""InferenceSession: ingot called as ONNX Runtime's users write it."""
from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from . import arrays
from ._native import lib
from .compiler import build
from .engine import Array, Engine
from .errors import ArgumentError
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


class InferenceSession:
    """A network ready to run: `path_or_bytes` is an ONNX model or an engine file. Inputs whose dims are free take any shape; the network is
    built at once, or at the first run for the shapes that it has where dims are free, and never again."""

    def __init__(self, path_or_bytes: Any, sess_options: Optional[SessionOptions] = None, providers: Optional[Sequence[Any]] = None,
                 provider_options: Optional[Sequence[Any]] = None, **kwargs: Any) -> None:
        self._options = sess_options or SessionOptions()
        self._lock = threading.Lock()
        self._engine: Optional[Engine] = None
        self._network: Optional[Network] = None
        if _is_engine(path_or_bytes):
            load = Engine.load if isinstance(path_or_bytes, (str, os.PathLike)) else Engine.deserialize
            self._engine = load(path_or_bytes)
            self._inputs: tuple[TensorInfo, ...] = self._engine.inputs
            self._outputs: tuple[TensorInfo, ...] = self._engine.outputs
        else:
            self._network = Network(path_or_bytes)
            self._inputs, self._outputs = self._network.inputs, self._network.outputs
            if all(info.kind != "tensor" or info.shape is not None and all(isinstance(d, int) for d in info.shape) for info in self._inputs):
                self._build({})

    def _build(self, feeds: Mapping[str, Array]) -> Engine:
        """The engine: free dims may be anything from 0, and kernels are chosen for those of `feeds`."""
        with self._lock:
            if self._engine is None:
                shapes = {}
                for info in self._inputs:
                    if info.kind != "tensor":
                        continue
                    dims = feeds[info.name].shape if info.name in feeds else ()
                    if info.shape is None or len(info.shape) == len(dims):
                        declared = info.shape or (None,) * len(dims)
                        free = [not isinstance(d, int) for d in declared]
                        if any(free):
                            shapes[info.name] = (tuple(0 if f else d for f, d in zip(free, dims)), dims,
                                                 tuple(max(_ANY, d) if f else d for f, d in zip(free, dims)))
                o = self._options
                self._engine = build(self._network, shapes=shapes, threads=o.intra_op_num_threads, budget=o.budget, verify=o.verify,
                                     timing_cache=o.timing_cache)
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
        return ["CPUExecutionProvider"]

    def run(self, output_names: Optional[Sequence[str]], input_feed: Mapping[str, Any], run_options: Any = None) -> list[Any]:
        """The outputs named, all for None, in that order; `input_feed` has every input by name. Threads may run at once."""
        engine = self._engine
        if engine is None:
            tensors = [info for info in self._inputs if info.kind == "tensor"]
            missing = [info.name for info in tensors if info.name not in input_feed]
            if missing:
                raise ArgumentError(f"missing inputs: {', '.join(missing)}")
            input_feed = {**input_feed, **{info.name: arrays.as_array(input_feed[info.name], info.number, info.name) for info in tensors}}
            engine = self._build(input_feed)
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
