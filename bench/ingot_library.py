"""The C library from Python, as little as benches and tests need: load an ONNX file, build, run on NumPy arrays.

Found in the build folder: the environment variable INGOT_BUILD or BUILD, or ./build."""
import ctypes, json, os, pathlib
import numpy as np

_build = pathlib.Path(__file__).resolve().parent.parent / (os.environ.get("INGOT_BUILD") or os.environ.get("BUILD") or "build")
_lib = ctypes.CDLL(str(_build / "libingot.so"))
_lib.ingot_last_error.restype = ctypes.c_char_p
_lib.ingot_status_text.restype = ctypes.c_char_p
_lib.ingot_engine_report.restype = ctypes.c_char_p
_lib.ingot_device_description.restype = ctypes.c_char_p
_lib.ingot_context_output.restype = ctypes.c_void_p
_lib.ingot_engine_num_io.restype = ctypes.c_size_t
_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16,
           11: np.float64, 12: np.uint32, 13: np.uint64}

_PRECISIONS = {"tf32": 1, "fp16": 2, "bf16": 4}


def describe_device(name="cuda"):
    """What a device is: its model, architecture, driver; RuntimeError with what is missing."""
    device = ctypes.c_void_p()
    _call("ingot_device_create", None, name.encode(), ctypes.byref(device))
    try:
        return _lib.ingot_device_description(device).decode()
    finally:
        _lib.ingot_device_destroy(device)


class _Info(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("is_input", ctypes.c_bool), ("dtype", ctypes.c_int), ("rank", ctypes.c_int)] + [
        (n, ctypes.c_int64 * 8) for n in ("dims", "min", "opt", "max")] + [("kind", ctypes.c_int)]


class _ContextOptions(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int), ("queue", ctypes.c_void_p)]


class _Times(ctypes.Structure):
    _fields_ = [(n, ctypes.c_double) for n in ("to_device", "compute", "from_device")]


def _call(name, *args):
    status = getattr(_lib, name)(*args)
    if status:
        raise RuntimeError(f"{name}: {_lib.ingot_status_text(status).decode()}: {_lib.ingot_last_error().decode()}")


class Engine:
    """An engine built from an ONNX file (or loaded from an engine file) and one context of it.

    shapes: {input: dims} fixes the inputs' shapes, {input: (min, opt, max)} gives a profile; budget: seconds for timing kernels;
    reference: the network as it is, by reference kernels; device: "cuda:0"; precision: "tf32", "fp16", "bf16", with commas;
    queue: the CUstream that runs go into, as a number.
    """

    def __init__(self, path, shapes=None, threads=2, budget=5.0, timing_cache=None, reference=False, device=None, precision=None, verify=True,
                 queue=None):
        self._engine, self._context = ctypes.c_void_p(), ctypes.c_void_p()
        if str(path).endswith(".ingot"):
            _call("ingot_engine_load", None, os.fsencode(path), ctypes.byref(self._engine))
        else:
            network, config = ctypes.c_void_p(), ctypes.c_void_p()
            _call("ingot_network_load", None, os.fsencode(path), ctypes.byref(network))
            try:
                _call("ingot_config_create", None, ctypes.byref(config))
                _call("ingot_config_set_threads", config, threads)
                _call("ingot_config_set_budget", config, ctypes.c_double(budget))
                _call("ingot_config_set_verify", config, ctypes.c_bool(verify))
                if device:
                    _call("ingot_config_set_device", config, device.encode())
                if precision is not None:
                    _call("ingot_config_set_precision", config, sum(_PRECISIONS[p] for p in precision.split(",") if p))
                if timing_cache:
                    _call("ingot_config_set_timing_cache", config, os.fsencode(timing_cache))
                for name, dims in (shapes or {}).items():
                    profile = dims if len(dims) == 3 and all(isinstance(d, (tuple, list)) for d in dims) else (None, dims, None)
                    least, best, most = ((ctypes.c_int64 * len(d))(*d) if d is not None else None for d in profile)
                    _call("ingot_config_set_profile", config, name.encode(), len(profile[1]), least, best, most)
                _call("ingot_build_reference" if reference else "ingot_build", network, config, ctypes.byref(self._engine))
            finally:
                _lib.ingot_config_destroy(config)
                _lib.ingot_network_destroy(network)
        _call("ingot_context_create", self._engine, ctypes.byref(_ContextOptions(threads, queue)), ctypes.byref(self._context))
        self.inputs, self.outputs = [], []
        for i in range(_lib.ingot_engine_num_io(self._engine)):
            info = _Info()
            _call("ingot_engine_io", self._engine, ctypes.c_size_t(i), ctypes.byref(info))
            (self.inputs if info.is_input else self.outputs).append((info.name.decode(), _DTYPES[info.dtype]))
        self._held = {}

    def set(self, feeds):
        """Sets inputs: {name: array}; the arrays are kept and read at each run."""
        for name, dtype in self.inputs:
            a = np.asarray(feeds[name], dtype=dtype, order="C")
            dims = (ctypes.c_int64 * max(a.ndim, 1))(*a.shape)
            _call("ingot_context_set_input_shape", self._context, name.encode(), a.ndim, dims)
            _call("ingot_context_set_address", self._context, name.encode(), ctypes.c_void_p(a.ctypes.data))
            self._held[name] = a

    def bind(self, inputs, outputs):
        """Memory of the caller's, on the host or the engine's device: {name: (address, dims)} for inputs, {name: address} for outputs."""
        for name, (pointer, shape) in inputs.items():
            _call("ingot_context_set_input_shape", self._context, name.encode(), len(shape), (ctypes.c_int64 * max(len(shape), 1))(*shape))
            _call("ingot_context_set_address", self._context, name.encode(), ctypes.c_void_p(pointer))
        for name, pointer in outputs.items():
            _call("ingot_context_set_address", self._context, name.encode(), ctypes.c_void_p(pointer))

    def shape(self, name):
        """An input's or output's dims for the inputs' shapes that are set."""
        rank, dims = ctypes.c_int(), (ctypes.c_int64 * 8)()
        _call("ingot_context_shape", self._context, name.encode(), ctypes.byref(rank), dims)
        return tuple(dims[: rank.value])

    def report(self):
        """What building found, as a dict; None for a loaded engine."""
        text = _lib.ingot_engine_report(self._engine)
        return json.loads(text) if text else None

    def plan(self, shapes):
        """Sets inputs' shapes, {name: dims}, and plans for them."""
        for name, dims in shapes.items():
            _call("ingot_context_set_input_shape", self._context, name.encode(), len(dims), (ctypes.c_int64 * max(len(dims), 1))(*dims))
        rank, dims = ctypes.c_int(), (ctypes.c_int64 * 8)()
        _call("ingot_context_shape", self._context, self.inputs[0][0].encode(), ctypes.byref(rank), dims)

    def inspect(self):
        """What `ingot inspect` prints, as a dict."""
        text, size = ctypes.c_void_p(), ctypes.c_size_t()
        _call("ingot_engine_inspect", self._engine, ctypes.byref(text), ctypes.byref(size))
        try:
            return json.loads(ctypes.string_at(text, size.value))
        finally:
            _lib.ingot_blob_free(self._engine, text, ctypes.c_size_t(size.value + 1))

    def run(self):
        """Runs once on the inputs that were set."""
        _call("ingot_context_run", self._context)

    def put(self, stream):
        """Puts a run into a stream (a number) of the engine's GPU, and doesn't wait for it."""
        _call("ingot_context_enqueue_stream", self._context, ctypes.c_void_p(stream))

    def time_runs(self):
        """From now on runs on a GPU are timed there."""
        _call("ingot_context_set_timing", self._context, ctypes.c_bool(True))

    def times(self):
        """The last run's microseconds on the GPU: copying inputs there, the layers, copying outputs back."""
        times = _Times()
        _call("ingot_context_times", self._context, ctypes.byref(times))
        return times.to_device, times.compute, times.from_device

    def get(self):
        """The last run's outputs, copied: [array, ..]."""
        result = []
        for name, dtype in self.outputs:
            rank, dims = ctypes.c_int(), (ctypes.c_int64 * 8)()
            _call("ingot_context_shape", self._context, name.encode(), ctypes.byref(rank), dims)
            shape = tuple(dims[: rank.value])
            n = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            data = ctypes.string_at(_lib.ingot_context_output(self._context, name.encode()), n) if n else b""
            result.append(np.frombuffer(data, dtype).reshape(shape))
        return result

    def save(self, path):
        """Writes the engine's file."""
        _call("ingot_engine_save", self._engine, os.fsencode(path))

    def __del__(self):
        _lib.ingot_context_destroy(self._context)
        _lib.ingot_engine_destroy(self._engine)
