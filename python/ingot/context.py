"""Contexts: running an engine."""
from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from . import arrays, dlpack, dtypes, values
from ._native import ffi, lib
from .device import Place, Stream, stream_handle
from .dlpack import address
from .errors import ArgumentError, DTypeError, ShapeError, StateError, check, text

if TYPE_CHECKING:
    from .engine import Engine, IoInfo

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LayerProfile:
    """One layer of one run: times in microseconds, its operations, the bytes of its inputs, outputs and weights, and what it computes in ("float16",
    "tf32", ..). On a GPU its time is what it adds to a run, and `least_microseconds` what the GPU's arithmetic and memory need for it at least (its
    roofline; what is in the cache comes faster); 0 where that isn't known, on CPUs."""

    name: str
    type: str
    kernel: str
    microseconds: float
    flops: int
    bytes: int
    precision: str = ""
    least_microseconds: float = 0.0


@dataclass(frozen=True)
class Times:
    """How long a run took on a GPU, in microseconds: copying inputs there, the layers, copying outputs back."""

    to_device: float
    compute: float
    from_device: float


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    weights: int
    activations: int
    workspace: int


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
        self._on_gpu, index = engine.device != "cpu", engine.device.partition(":")[2]
        self._index = int(index or 0)
        self._own_stream = int(ffi.cast("uintptr_t", lib.ingot_context_stream(self._handle)))
        self._watched = False  # an observer looks on
        self._kept: Any = None  # what a run that isn't waited for may still read
        self._bound: Any = None  # the memory that enqueue uses
        self._enqueue = lib.ingot_context_enqueue_stream
        self._stream: Optional[Stream] = None  # enqueue's last, and as the library takes it
        self._stream_pointer = ffi.cast("void *", self._own_stream)

    def run(self, feeds: Mapping[str, Any], outputs: Optional[Sequence[str]] = None, *, out: Optional[Mapping[str, Any]] = None,
            stream: Optional[Stream] = None) -> dict[str, Array]:
        """Runs once, and gives the outputs by name: arrays (a sequence is a list of them, an optional may be None, whatever the type hint says).

        feeds    arrays for all inputs by name: NumPy's, or anything with __dlpack__ or __array__. Dense row-major ones are read where they
                 are (read-only too); others are copied first. Numbers and lists are converted. Strings are object arrays (or any of str or
                 bytes), sequences lists of arrays, optionals an array, a list, or None (or left out): these are copied.
                 For an engine on a GPU also tensors in that GPU's memory, of PyTorch or any library with DLPack: dense ones are read where
                 they are.
        outputs  the names wanted; all by default
        out      arrays, or tensors on the engine's GPU, that outputs are written into, by name; others are new: tensors on the GPU where
                 an input is one of PyTorch's (nothing is copied then), arrays elsewhere
        stream   engines on a GPU: the CUDA stream to run in, as its number or the object of PyTorch or CuPy. By default PyTorch's current
                 one where inputs are its tensors on the GPU, else one of the context's own

        Without a stream it returns when the outputs are written. With one, or with PyTorch's, it returns at once where all outputs are on the
        GPU: they are complete when the stream has got there, as what PyTorch computes is. The GIL is released while it runs. Raises
        ingot.Error: ShapeError and DTypeError for inputs that don't fit, DeviceError for tensors on another GPU (or any GPU, when the engine
        runs on the CPU), StateError for a stream when the engine runs on the CPU."""
        with self._lock:
            place = self._place(feeds, stream)
            keep = self._set_inputs(feeds, place)
            wanted = self._wanted(outputs)
            results = self._set_outputs(wanted, out or {}, place)
            listener = self._listener
            if place is None or place.waits:
                check(lib.ingot_context_run(self._handle))
                self._kept = None
            else:
                check(self._enqueue(self._handle, ffi.cast("void *", place.handle)))
                self._kept = keep
                if len(results) != len(wanted) or any(isinstance(result, np.ndarray) for result in results.values()):
                    check(lib.ingot_context_wait(self._handle))
            if listener and listener.error:
                error, listener.error = listener.error, None
                raise error
            del keep
            if len(results) == len(wanted):
                return results
            return {info.name: self._result(info, name, results.get(info.name), out or {}, place) for info, name in wanted}

    def _place(self, feeds: Mapping[str, Any], stream: Optional[Stream]) -> Optional[Place]:
        """Where a run has its tensors and goes on; None: in the host's memory, and in the context's own stream if there is one."""
        self._bound = None
        if not self._on_gpu:
            if stream is not None:
                raise StateError("the engine runs on the CPU: it has no streams")
            return None
        example = next((value for value in feeds.values() if dlpack.on_gpu(value)), None)
        if example is None and stream is None:
            return None
        return Place(example, self._index, stream, self._own_stream, self._watched or self._listener is not None)

    def _set_inputs(self, feeds: Mapping[str, Any], place: Optional[Place]) -> list[Any]:
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
            value = feeds[info.name]
            if place is not None and dlpack.on_gpu(value):
                owner = place.borrow(value, info.number, info.name)
                shape, data = owner.shape, ffi.cast("void *", owner.address)
            else:
                array = arrays.as_array(value, info.number, info.name)
                shape, (data, owner) = array.shape, arrays.pointer(array, info.number)
            self._set_shape(i, name, shape)
            check(lib.ingot_context_set_address(self._handle, name, data))
            keep.append(owner)
        return keep

    def _set_shape(self, i: int, name: Any, shape: tuple[int, ...]) -> None:
        if shape != self._shapes[i]:
            self._planned = None
            self._shapes[i] = None
            check(lib.ingot_context_set_input_shape(self._handle, name, len(shape), shape))
            self._shapes[i] = shape

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

    def _set_outputs(self, wanted: list[tuple[IoInfo, Any]], out: Mapping[str, Any], place: Optional[Place]) -> dict[str, Any]:
        """The arrays, or tensors on the GPU, of outputs whose sizes are known. The library asks for memory for others when it runs."""
        if self._planned is None:
            self._planned = self._plan()
        everything = wanted is self._outputs
        asked: Collection[str] = () if everything else {info.name for info, _ in wanted}
        results: dict[str, Any] = {}
        for (info, name), shape in zip(self._outputs, self._planned):
            if info.kind != "tensor":
                continue
            data, allocator = ffi.NULL, ffi.NULL
            if (everything or info.name in asked) and arrays.in_place(info.number):
                if shape is None:
                    allocator = self._memory.allocator
                else:
                    results[info.name], data = self._output(info, shape, out.get(info.name), place)
            if allocator != ffi.NULL or info.name in self._allocated:
                self._allocated.add(info.name)
                check(lib.ingot_context_set_output_allocator(self._handle, name, allocator))
            check(lib.ingot_context_set_address(self._handle, name, data))
        return results

    def _output(self, info: IoInfo, shape: tuple[int, ...], out: Any, place: Optional[Place]) -> tuple[Any, Any]:
        """An output whose shape is known, and its address: the caller's, a new tensor on the GPU, a new array."""
        if out is not None and self._on_gpu and dlpack.on_gpu(out):
            place = place or Place(None, self._index, None, self._own_stream, True)
            loan = place.borrow(out, info.number, info.name, copy=False)
            if loan.shape != shape:
                raise ShapeError(f"out['{info.name}'] must have shape {shape}; it has {loan.shape}")
            return out, ffi.cast("void *", loan.address)
        if out is None and place is not None and (tensor := place.empty(shape, info.number)) is not None:
            return tensor, ffi.cast("void *", tensor.data_ptr())
        array = arrays.output_memory(shape, info.number, out, info.name)
        return array, arrays.pointer(array, info.number)[0]

    def _result(self, info: IoInfo, name: Any, array: Any, out: Mapping[str, Any], place: Optional[Place]) -> Any:
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
        if place is not None and info.name not in out:
            return place.moved(array)
        if info.name in out:
            arrays.output_memory(shape, info.number, out[info.name], info.name)[...] = array
            return out[info.name]
        return array

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs with inputs by place or name, as Engine's."""
        return call(self.run, self.engine, args, kwargs)

    def bind(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Sets the memory that enqueue uses again and again, until the next run: all inputs and outputs by name, tensors on the engine's GPU (with
        DLPack) or arrays, dense and of the engine's types; their shapes are the run's. They stay the caller's to fill and to read, and are
        kept alive. The engine's inputs and outputs must be tensors whose shapes follow from the inputs'.

        Raises ingot.ArgumentError for names that are missing or not the engine's, ShapeError, DTypeError and DeviceError for tensors that
        don't fit, StateError when the engine runs on the CPU."""
        with self._lock:
            if not self._on_gpu:
                raise StateError("the engine runs on the CPU: it has no streams")
            self._bound = None
            place = Place(None, self._index, None, self._own_stream, True)
            keep: list[Any] = []
            for given, known in ((inputs, self._inputs), (outputs, self._outputs)):
                if given.keys() != {info.name for info, _ in known}:
                    raise ArgumentError(f"{', '.join(given) or 'nothing'} was given; there are: {', '.join(info.name for info, _ in known)}")
                planned = self._plan() if given is outputs else [None] * len(known)
                for i, (info, name) in enumerate(known):
                    shape, data, owner = self._fixed(info, given[info.name], place)
                    if given is inputs:
                        self._set_shape(i, name, shape)
                    elif shape != planned[i]:
                        raise ShapeError(f"'{info.name}' has shape {planned[i]} for these inputs; {shape} was given")
                    check(lib.ingot_context_set_address(self._handle, name, data))
                    keep += [given[info.name], owner]
            self._bound = keep

    def _fixed(self, info: IoInfo, value: Any, place: Place) -> tuple[tuple[int, ...], Any, Any]:
        """Shape, address and owner of what is bound: nothing may be converted, for it is used later."""
        if dlpack.on_gpu(value):
            loan = place.borrow(value, info.number, info.name, copy=False)
            return loan.shape, ffi.cast("void *", loan.address), loan
        array = value if isinstance(value, np.ndarray) else dlpack.to_array(value)
        if info.kind != "tensor" or not arrays.in_place(info.number) or array.dtype != info.dtype or not array.flags.c_contiguous:
            raise DTypeError(f"'{info.name}' must be a dense array of {info.dtype} to be bound; it is one of {array.dtype}")
        return array.shape, ffi.cast("void *", address(array)), array

    def enqueue(self, stream: Optional[Stream] = None) -> None:
        """Puts a run over the memory that was bound into a stream and returns without waiting: one call of the library, nothing is allocated. The
        stream is a number or an object as for run; None: the context's own, for wait. Several may be put in one after the other. Raises
        ingot.StateError where nothing is bound."""
        with self._lock:
            if self._bound is None:
                raise StateError("nothing is bound, or the context has run since: Context.bind")
            if stream is not self._stream:
                self._stream, self._stream_pointer = stream, ffi.cast("void *", self._own_stream if stream is None else stream_handle(stream))
            status = self._enqueue(self._handle, self._stream_pointer)
            if status:
                check(status)

    def wait(self) -> None:
        """Returns when what enqueue, or run with a stream, has put in has ended. Raises its errors, and StateError when there was nothing."""
        check(lib.ingot_context_wait(self._handle))

    @property
    def stream(self) -> Optional[int]:
        """The CUDA stream of the context's own, as a number; None when the engine runs on the CPU."""
        return self._own_stream if self._on_gpu else None

    def set_timing(self, timing: bool) -> None:
        """Whether the runs that follow are timed on the GPU, for `times`. Raises ingot.StateError when the engine runs on the CPU."""
        check(lib.ingot_context_set_timing(self._handle, timing))

    @property
    def times(self) -> Times:
        """Of the last run, which is waited for. Raises ingot.StateError where it wasn't timed."""
        times = ffi.new("ingot_run_times *")
        check(lib.ingot_context_times(self._handle, times))
        return Times(times.to_device, times.compute, times.from_device)

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
        self._watched = True
        try:
            results = self.run(feeds)
        finally:
            self._watched = False
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
        listener.profiler(LayerProfile(text(layer.name), text(layer.type), text(layer.kernel), layer.microseconds, layer.flops, layer.bytes,
                                       text(layer.precision) if layer.precision else "", layer.least_microseconds))
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


def call(run: Callable[..., dict[str, Array]], engine: Engine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """run() with inputs by place or name; the output, or a tuple where there are several."""
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
