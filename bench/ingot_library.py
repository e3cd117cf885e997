"""The C library from Python, as little as benches and tests need: load an ONNX file, build, run on NumPy arrays.

Found in the build folder: the environment variable INGOT_BUILD or BUILD, or ./build."""
import ctypes, json, os, pathlib
import numpy as np

_build = pathlib.Path(__file__).resolve().parent.parent / (os.environ.get("INGOT_BUILD") or os.environ.get("BUILD") or "build")
_lib = ctypes.CDLL(str(_build / "libingot.so"))
_lib.ingot_last_error.restype = ctypes.c_char_p
_lib.ingot_status_text.restype = ctypes.c_char_p
_lib.ingot_engine_report.restype = ctypes.c_char_p
_lib.ingot_context_output.restype = ctypes.c_void_p
_lib.ingot_engine_num_io.restype = ctypes.c_size_t
_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16,
           11: np.float64, 12: np.uint32, 13: np.uint64}


class _Info(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("is_input", ctypes.c_bool), ("dtype", ctypes.c_int), ("rank", ctypes.c_int)] + [
        (n, ctypes.c_int64 * 8) for n in ("dims", "min", "opt", "max")]


def _call(name, *args):
    status = getattr(_lib, name)(*args)
    if status:
        raise RuntimeError(f"{name}: {_lib.ingot_status_text(status).decode()}: {_lib.ingot_last_error().decode()}")


class Engine:
    """An engine built from an ONNX file (or loaded from an engine file) and one context of it.

    shapes: {input: dims} fixes the inputs' shapes, {input: (min, opt, max)} gives a profile; budget: seconds for timing kernels;
    reference: the network as it is, by reference kernels.
    """

    def __init__(self, path, shapes=None, threads=2, budget=5.0, timing_cache=None, reference=False):
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
        options = (ctypes.c_int64 * 2)(threads)  # ingot_context_options: threads, queue
        _call("ingot_context_create", self._engine, options, ctypes.byref(self._context))
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
