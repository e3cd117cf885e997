"""Engines and contexts: what was built, and running it."""
from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from . import arrays, dtypes, values
from ._native import ffi, lib
from .dlpack import address
from .errors import ArgumentError, StateError, check, text
from .network import KINDS, TensorInfo, environment

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LayerProfile:
    """One layer of one run: times in microseconds, the operations and bytes that it needs at least."""

    name: str
    type: str
    kernel: str
    microseconds: float
    flops: int
    bytes: int


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    weights: int
    activations: int
    workspace: int


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
    def load(cls, path: Union[str, os.PathLike[str]], *, memory_limit: int = 0) -> Engine:
        """From a file, which is mapped and must not be changed while the engine lives."""
        out = ffi.new("ingot_engine **")
        check(lib.ingot_engine_load(environment(memory_limit), os.fsencode(path), out))
        return cls(out[0])

    @classmethod
    def deserialize(cls, data: Any, *, memory_limit: int = 0) -> Engine:
        """From bytes (anything with a buffer), which are copied."""
        out, buffer = ffi.new("ingot_engine **"), ffi.from_buffer(data)
        check(lib.ingot_engine_load_memory(environment(memory_limit), buffer, len(buffer), out))
        return cls(out[0])

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

    def run(self, feeds: Mapping[str, Any], outputs: Optional[Sequence[str]] = None, *, out: Optional[Mapping[str, Array]] = None) -> dict[str, Array]:
        """Runs once in a context of the engine's own (threads that run at once have one each): Context.run."""
        try:
            context = self._idle.pop()
        except IndexError:
            context = self.create_context()
        try:
            return context.run(feeds, outputs, out=out)
        finally:
            self._idle.append(context)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs with inputs by place or name; gives the output, or a tuple where there are several. Where the first input is another
        library's tensor (PyTorch's), so are the outputs; none is copied."""
        return _call(self.run, self, args, kwargs)

    def __repr__(self) -> str:
        return f"ingot.Engine({_names(self.inputs)} -> {_names(self.outputs)})"


class Context:
    """Runs an engine, one run at a time; calls from several threads wait for each other."""

    def __init__(self, engine: Engine, *, threads: int = 0) -> None:
        out, options = ffi.new("ingot_context **"), ffi.new("ingot_context_options *")
        options.threads = threads
        check(lib.ingot_context_create(engine._handle, options, out))
        self.engine = engine
        self._handle = ffi.gc(out[0], lib.ingot_context_destroy)
        self._lock = threading.Lock()
        self._inputs = [(info, ffi.new("char[]", info.name.encode())) for info in engine.inputs]
        self._outputs = [(info, ffi.new("char[]", info.name.encode())) for info in engine.outputs]
        self._shapes: list[Optional[tuple[int, ...]]] = [None] * len(self._inputs)
        self._planned: Optional[list[Optional[tuple[int, ...]]]] = None  # outputs' shapes for these; None: known after a run
        self._listener: Optional[_Listener] = None
        self._input_names = {info.name for info in engine.inputs}
        self._memory = _OutputMemory()
        self._allocated: set[str] = set()  # outputs that an allocator is set for

    def run(self, feeds: Mapping[str, Any], outputs: Optional[Sequence[str]] = None, *, out: Optional[Mapping[str, Array]] = None) -> dict[str, Array]:
        """Runs once, and gives the outputs by name: arrays (a sequence is a list of them, an optional may be None, whatever the type hint says).

        feeds    arrays for all inputs by name: NumPy's, or anything with __dlpack__ or __array__. Dense row-major ones are read where they
                 are (read-only too); others are copied first. Numbers and lists are converted. Strings are object arrays (or any of str or
                 bytes), sequences lists of arrays, optionals an array, a list, or None (or left out): these are copied.
        outputs  the names wanted; all by default
        out      arrays that outputs are written into, by name; others are new ones

        The GIL is released while it runs. Raises ingot.Error."""
        with self._lock:
            keep = self._set_inputs(feeds)
            wanted = self._wanted(outputs)
            results = self._set_outputs(wanted, out or {})
            listener = self._listener
            check(lib.ingot_context_run(self._handle))
            if listener and listener.error:
                error, listener.error = listener.error, None
                raise error
            del keep
            if len(results) == len(wanted):
                return results
            return {info.name: self._result(info, name, results.get(info.name), out or {}) for info, name in wanted}

    def _set_inputs(self, feeds: Mapping[str, Any]) -> list[Any]:
        if feeds.keys() != self._input_names:
            absent = [info.name for info, _ in self._inputs if info.name not in feeds and not info.kind.startswith("optional")]
            unknown = [name for name in feeds if name not in self._input_names]
            if absent or unknown:
                raise ArgumentError("; ".join(([f"missing inputs: {', '.join(absent)}"] if absent else []) +
                                              ([f"the engine has no inputs {', '.join(map(repr, unknown))}"] if unknown else [])))
        keep: list[Any] = []
        for i, (info, name) in enumerate(self._inputs):
            if info.kind != "tensor":
                check(lib.ingot_context_set_value(self._handle, name, values.make(feeds.get(info.name), info.number, info.name)))
                self._planned = None
                continue
            array = arrays.as_array(feeds[info.name], info.number, info.name)
            if array.shape != self._shapes[i]:
                self._planned = None
                self._shapes[i] = None
                check(lib.ingot_context_set_input_shape(self._handle, name, array.ndim, array.shape))
                self._shapes[i] = array.shape
            data, owner = arrays.pointer(array, info.number)
            check(lib.ingot_context_set_address(self._handle, name, data))
            keep.append(owner)
        return keep

    def _wanted(self, outputs: Optional[Sequence[str]]) -> list[tuple[IoInfo, Any]]:
        if outputs is None:
            return self._outputs
        by_name = {info.name: (info, name) for info, name in self._outputs}
        for output in outputs:
            if output not in by_name:
                raise ArgumentError(f"the engine has no output '{output}'; there are: {', '.join(by_name)}")
        return [by_name[output] for output in outputs]

    def _plan(self) -> list[Optional[tuple[int, ...]]]:
        rank, dims = ffi.new("int *"), ffi.new("int64_t[8]")
        shapes: list[Optional[tuple[int, ...]]] = []
        for info, name in self._outputs:
            status = lib.ingot_context_shape(self._handle, name, rank, dims) if info.kind == "tensor" else lib.INGOT_E_STATE
            if status == lib.INGOT_E_STATE:
                shapes.append(None)
                continue
            check(status)
            shapes.append(tuple(dims[0:rank[0]]))
        return shapes

    def _set_outputs(self, wanted: list[tuple[IoInfo, Any]], out: Mapping[str, Array]) -> dict[str, Array]:
        """The arrays of outputs whose sizes are known. The library asks for memory for others when it runs."""
        if self._planned is None:
            self._planned = self._plan()
        everything = wanted is self._outputs
        asked: Collection[str] = () if everything else {info.name for info, _ in wanted}
        results: dict[str, Array] = {}
        for (info, name), shape in zip(self._outputs, self._planned):
            if info.kind != "tensor":
                continue
            data, allocator = ffi.NULL, ffi.NULL
            if (everything or info.name in asked) and arrays.in_place(info.number):
                if shape is None:
                    allocator = self._memory.allocator
                else:
                    results[info.name] = array = arrays.output_memory(shape, info.number, out.get(info.name), info.name)
                    data = arrays.pointer(array, info.number)[0]
            if allocator != ffi.NULL or info.name in self._allocated:
                self._allocated.add(info.name)
                check(lib.ingot_context_set_output_allocator(self._handle, name, allocator))
            check(lib.ingot_context_set_address(self._handle, name, data))
        return results

    def _result(self, info: IoInfo, name: Any, array: Optional[Array], out: Mapping[str, Array]) -> Any:
        if array is not None:
            return array
        if info.kind != "tensor":
            return values.read(lib.ingot_context_value(self._handle, name))
        rank, dims = ffi.new("int *"), ffi.new("int64_t[8]")
        check(lib.ingot_context_shape(self._handle, name, rank, dims))
        shape, data = tuple(dims[0:rank[0]]), lib.ingot_context_output(self._handle, name)
        array = self._memory.take(info, shape, data)
        if array is None:
            array = arrays.from_memory(data, info.number, shape)
        if info.name in out:
            arrays.output_memory(shape, info.number, out[info.name], info.name)[...] = array
            return out[info.name]
        return array

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs with inputs by place or name, as Engine's."""
        return _call(self.run, self.engine, args, kwargs)

    def profile(self, feeds: Mapping[str, Any]) -> list[LayerProfile]:
        """Runs twice and gives the second run's time of every layer, in running order."""
        self.run(feeds)
        layers: list[LayerProfile] = []
        before = self._listener
        self.set_profiler(layers.append)
        try:
            self.run(feeds)
        finally:
            self._listen(before)
        return layers

    def set_profiler(self, profiler: Optional[Callable[[LayerProfile], None]]) -> None:
        """Called for each layer after each run, in running order, until set to None."""
        self._listen(_Listener(profiler) if profiler else None)

    def _listen(self, listener: Optional[_Listener]) -> None:
        if self._lock.locked():
            raise StateError("a run is in progress")
        self._listener = listener
        function = lib.ingot_python_profiler if listener else ffi.NULL
        check(lib.ingot_context_set_profiler(self._handle, function, listener.handle if listener else ffi.NULL))

    def set_profile(self, profile: int) -> None:
        """Which of the engine's profiles the shapes must be in; -1, as at first: any."""
        check(lib.ingot_context_set_profile(self._handle, profile))
        self._planned, self._shapes = None, [None] * len(self._inputs)

    def observe(self, feeds: Mapping[str, Any], observer: Callable[[str, Array], None]) -> dict[str, Array]:
        """Runs once, calling observer(name, array) with each layer's outputs as they are computed: for finding where two engines part. The
        arrays are copies."""
        watcher = _Observer(observer)
        check(lib.ingot_context_set_observer(self._handle, lib.ingot_python_observer, watcher.handle))
        try:
            results = self.run(feeds)
        finally:
            check(lib.ingot_context_set_observer(self._handle, ffi.NULL, ffi.NULL))
        if watcher.error:
            raise watcher.error
        return results

    def cancel(self) -> None:
        """Asks the run in progress to stop, from another thread: it raises ingot.CancelledError, and the context can run again."""
        lib.ingot_context_cancel(self._handle)

    @property
    def memory(self) -> Memory:
        """What the context and its engine hold, for the shapes of the last run."""
        info = ffi.new("ingot_memory_info *")
        check(lib.ingot_context_memory(self._handle, info))
        return Memory(info.weights, info.activations, info.workspace)


class _OutputMemory:
    """Arrays for outputs whose sizes are known only when they are computed, made as the library asks for them."""

    def __init__(self) -> None:
        self.blocks: dict[str, Array] = {}
        self.handle = ffi.new_handle(self)
        self.allocator = ffi.new("ingot_output_allocator *")
        self.allocator.reallocate, self.allocator.user = lib.ingot_python_reallocate, self.handle

    def take(self, info: IoInfo, shape: tuple[int, ...], data: Any) -> Optional[Array]:
        """The array that the library wrote to; None where it wrote elsewhere."""
        block = self.blocks.pop(info.name, None)
        dtype = dtypes.to_numpy(info.number)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        start = int(ffi.cast("uintptr_t", data)) - address(block) if block is not None else -1
        if block is None or start < 0 or start + size > block.nbytes:
            return None
        return block[start:start + size].view(dtype).reshape(shape)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def ingot_python_reallocate(user: Any, output: Any, current: Any, size: int, align: int) -> Any:
    memory: _OutputMemory = ffi.from_handle(user)
    try:
        block = np.empty(size + align, np.uint8)
    except MemoryError:
        return ffi.NULL
    memory.blocks[text(output)] = block
    return ffi.cast("void *", (address(block) + align - 1) // align * align)


class _Listener:
    """A profiler, and the exception that it raised."""

    def __init__(self, profiler: Callable[[LayerProfile], None]) -> None:
        self.profiler = profiler
        self.error: Optional[BaseException] = None
        self.handle = ffi.new_handle(self)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def ingot_python_profiler(user: Any, layer: Any) -> None:
    listener: _Listener = ffi.from_handle(user)
    try:
        listener.profiler(LayerProfile(text(layer.name), text(layer.type), text(layer.kernel), layer.microseconds, layer.flops, layer.bytes))
    except BaseException as error:  # raised again by run()
        listener.error = error


class _Observer:
    """An observer, and the exception that it raised."""

    def __init__(self, observer: Callable[[str, Array], None]) -> None:
        self.observer = observer
        self.error: Optional[BaseException] = None
        self.handle = ffi.new_handle(self)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def ingot_python_observer(user: Any, tensor: Any, dtype: int, rank: int, dims: Any, data: Any) -> None:
    watcher: _Observer = ffi.from_handle(user)
    try:
        if watcher.error is None:
            watcher.observer(text(tensor), arrays.from_memory(data, dtype, tuple(dims[0:rank])))
    except BaseException as error:  # raised again by observe()
        watcher.error = error


def _dtype(number: int) -> np.dtype[Any]:
    return np.dtype(np.object_) if number == lib.INGOT_UNDEFINED else dtypes.to_numpy(number)


def _names(infos: tuple[IoInfo, ...]) -> str:
    return ", ".join(f"{info.name}: {info.dtype}{['?' if d is None else d for d in info.shape] if info.shape is not None else ''}" for info in infos)


def _call(run: Callable[..., dict[str, Array]], engine: Engine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if len(args) > len(engine.inputs):
        raise ArgumentError(f"{len(args)} inputs were given, the engine has {len(engine.inputs)}")
    feeds = {info.name: value for info, value in zip(engine.inputs, args)}
    for name in kwargs:
        if name in feeds:
            raise ArgumentError(f"input '{name}' was given twice")
    feeds.update(kwargs)
    results = run(feeds)
    first = next(iter(feeds.values()), None)
    found = [arrays.like(results[info.name], first) for info in engine.outputs]
    return found[0] if len(found) == 1 else tuple(found)
