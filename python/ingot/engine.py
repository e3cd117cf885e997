"""Engines: what was built, and running it."""
from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from . import dtypes
from ._native import ffi, lib
from .context import Context, call
from .device import Stream
from .errors import check, text
from .network import KINDS, TensorInfo, environment

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class IoInfo(TensorInfo):
    """An engine's input or output; inputs have the shapes that the engine was built for."""

    min: tuple[int, ...] = ()
    opt: tuple[int, ...] = ()
    max: tuple[int, ...] = ()


class Engine:
    """A compiled network. Immutable; any number of threads may run it at once. Made by ingot.build, Engine.load or Engine.deserialize."""

    def __init__(self, handle: Any) -> None:
        self._handle = ffi.gc(handle, lib.ingot_engine_destroy)
        info = ffi.new("ingot_io_info *")
        inputs: list[IoInfo] = []
        outputs: list[IoInfo] = []
        for i in range(lib.ingot_engine_num_io(self._handle)):
            check(lib.ingot_engine_io(self._handle, i, info))
            shape = tuple(int(d) if d >= 0 else None for d in info.dims[0:info.rank]) if info.rank >= 0 else None
            ranges = [tuple(int(d) for d in dims[0:info.rank]) if info.is_input and info.rank >= 0 else () for dims in
                      (info.min, info.opt, info.max)]
            (inputs if info.is_input else outputs).append(IoInfo(text(info.name), _dtype(info.dtype), shape, int(info.dtype), KINDS[info.kind], *ranges))
        self.inputs: tuple[IoInfo, ...] = tuple(inputs)
        self.outputs: tuple[IoInfo, ...] = tuple(outputs)
        self._idle: list[Context] = []

    @classmethod
    def load(cls, path: Union[str, os.PathLike[str]], *, device: Optional[str] = None, memory_limit: int = 0) -> Engine:
        """From a file, which is mapped and must not be changed while the engine lives. device: "cuda:N" for another GPU than it was built on. Raises
        ingot.FileError, FormatError, and DeviceError where its device is missing or is of another kind."""
        out, env = ffi.new("ingot_engine **"), environment(memory_limit)
        if device is None:
            check(lib.ingot_engine_load(env, os.fsencode(path), out))
        else:
            check(lib.ingot_engine_load_on(env, os.fsencode(path), device.encode(), out))
        return cls(out[0])

    @classmethod
    def deserialize(cls, data: Any, *, device: Optional[str] = None, memory_limit: int = 0) -> Engine:
        """From bytes (anything with a buffer), which are copied; the rest as for load."""
        out, env, buffer = ffi.new("ingot_engine **"), environment(memory_limit), ffi.from_buffer(data)
        if device is None:
            check(lib.ingot_engine_load_memory(env, buffer, len(buffer), out))
        else:
            check(lib.ingot_engine_load_memory_on(env, buffer, len(buffer), device.encode(), out))
        return cls(out[0])

    @property
    def device(self) -> str:
        """Where it runs: "cpu" or "cuda:N"."""
        index = ffi.new("int *")
        kind = text(lib.ingot_engine_device(self._handle, index))
        return kind if kind == "cpu" else f"{kind}:{index[0]}"

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the engine to a file, whole or not at all."""
        check(lib.ingot_engine_save(self._handle, os.fsencode(path)))

    def serialize(self) -> bytes:
        """The file's bytes."""
        data, size = ffi.new("void **"), ffi.new("size_t *")
        check(lib.ingot_engine_serialize(self._handle, data, size))
        try:
            return bytes(ffi.buffer(data[0], size[0]))
        finally:
            lib.ingot_blob_free(self._handle, data[0], size[0])

    @property
    def profiles(self) -> list[dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]]:
        """The shapes that the engine was built for, by profile: (min, opt, max) of each input."""
        found = []
        for p in range(lib.ingot_engine_num_profiles(self._handle)):
            shapes = {}
            for i, info in enumerate(self.inputs):
                if info.shape is not None:
                    ranges = [ffi.new("int64_t[8]") for _ in range(3)]
                    check(lib.ingot_engine_profile(self._handle, p, i, *ranges))
                    low, opt, high = (tuple(dims[0:len(info.shape)]) for dims in ranges)
                    shapes[info.name] = (low, opt, high)
            found.append(shapes)
        return found

    @property
    def report(self) -> Optional[dict[str, Any]]:
        """The build's report: passes, each layer's candidates with times and the choice, verification, memory; None for a loaded engine."""
        report = lib.ingot_engine_report(self._handle)
        return None if report == ffi.NULL else json.loads(text(report))

    def inspect(self) -> dict[str, Any]:
        """Layers with the nodes fused into each, kernels, shapes, bytes, FLOPs; inputs, outputs and profiles."""
        out, size = ffi.new("char **"), ffi.new("size_t *")
        check(lib.ingot_engine_inspect(self._handle, out, size))
        try:
            found: dict[str, Any] = json.loads(bytes(ffi.buffer(out[0], size[0])))
            return found
        finally:
            lib.ingot_blob_free(self._handle, out[0], size[0] + 1)

    def create_context(self, *, threads: int = 0) -> Context:
        """What one run at a time needs: memory and threads. 0 threads: as many as the engine was built for, or as there are."""
        return Context(self, threads=threads)

    def run(self, feeds: Mapping[str, Any], outputs: Optional[Sequence[str]] = None, *, out: Optional[Mapping[str, Any]] = None,
            stream: Optional[Stream] = None) -> dict[str, Array]:
        """Runs once in a context of the engine's own (threads that run at once have one each): Context.run. Runs in streams that shall overlap need
        contexts of their own: those of one context wait for each other on the GPU."""
        try:
            context = self._idle.pop()
        except IndexError:
            context = self.create_context()
        try:
            return context.run(feeds, outputs, out=out, stream=stream)
        finally:
            self._idle.append(context)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs with inputs by place or name; gives the output, or a tuple where there are several. Where the first input is another
        library's tensor (PyTorch's, in the host's memory or on the engine's GPU), so are the outputs; none is copied."""
        return call(self.run, self, args, kwargs)

    def __repr__(self) -> str:
        return f"ingot.Engine({_names(self.inputs)} -> {_names(self.outputs)})"


def _dtype(number: int) -> np.dtype[Any]:
    return np.dtype(np.object_) if number == lib.INGOT_UNDEFINED else dtypes.to_numpy(number)


def _names(infos: tuple[IoInfo, ...]) -> str:
    return ", ".join(f"{info.name}: {info.dtype}{['?' if d is None else d for d in info.shape] if info.shape is not None else ''}" for info in infos)
