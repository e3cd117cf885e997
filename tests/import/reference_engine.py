"""Runs ONNX models with libingot, in this process and through the C interface: by the reference kernels, which shows what the importer made of
a model, or as built with all passes and kernels.

Inputs and outputs are NumPy arrays, of strings with dtype object (str or bytes in, str out); lists of arrays for sequences; None for an
optional that holds nothing."""
import ctypes as c

import numpy as np

MAX_RANK = 8
DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64",
          12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128"}
BITS = {21: 4, 22: 4, 23: 4, 25: 2, 26: 2}  # types that lie several to a byte
try:  # the narrow types are NumPy's by this package
    import ml_dtypes
    DTYPES.update({16: ml_dtypes.bfloat16, 17: ml_dtypes.float8_e4m3fn, 18: ml_dtypes.float8_e4m3fnuz, 19: ml_dtypes.float8_e5m2,
                   20: ml_dtypes.float8_e5m2fnuz, 21: ml_dtypes.uint4, 22: ml_dtypes.int4, 23: ml_dtypes.float4_e2m1fn,
                   24: ml_dtypes.float8_e8m0fnu, 25: ml_dtypes.uint2, 26: ml_dtypes.int2, 27: ml_dtypes.float6_e2m3fn,
                   28: ml_dtypes.float6_e3m2fn})
except (ImportError, AttributeError):
    pass
NUMBERS = {np.dtype(dtype): number for number, dtype in DTYPES.items()}
STRING = 8
TENSOR, SEQUENCE, OPTIONAL, OPTIONAL_SEQUENCE = range(4)
DIMS = c.c_int64 * MAX_RANK


class String(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_size_t)]


def pack(array):
    """The array's bytes as libingot has them: NumPy gives a byte to each element, here those of 4 and 2 bits share one, low bits first."""
    bits = BITS.get(NUMBERS.get(array.dtype))
    if bits is None:
        return np.ascontiguousarray(array) if array.ndim else array.copy()
    per, flat = 8 // bits, array.reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    flat = np.pad(flat, (0, -flat.size % per)).reshape(-1, per) << (np.arange(per) * bits)
    return np.bitwise_or.reduce(flat, 1).astype(np.uint8)


def unpack(data, number, shape):
    """The reverse: bytes to an array of the type that ONNX gives this number."""
    dtype, n = np.dtype(DTYPES[number]), int(np.prod(shape, dtype=np.int64))
    bits = BITS.get(number)
    if bits is None:
        return np.frombuffer(data, dtype).reshape(shape)
    codes = (np.frombuffer(data, np.uint8)[:, None] >> (np.arange(8 // bits) * bits) & ((1 << bits) - 1)).reshape(-1)[:n].astype(np.uint8)
    if number in (22, 26):  # signed
        codes = ((codes ^ (1 << bits - 1)).astype(np.int8) - (1 << bits - 1)).astype(np.int8)
    return codes.view(dtype).reshape(shape)


class IoInfo(c.Structure):
    _fields_ = [("name", c.c_char_p), ("is_input", c.c_bool), ("dtype", c.c_int), ("rank", c.c_int), ("dims", DIMS), ("min", DIMS),
                ("opt", DIMS), ("max", DIMS), ("kind", c.c_int)]


class IngotError(Exception):
    def __init__(self, status, text):
        super().__init__(f"status {status}: {text}")
        self.status, self.text = status, text


def strings(a, keep):
    """An array of ingot_string for the elements of `a`; what it points to goes to keep."""
    made = (String * max(a.size, 1))()
    for i, s in enumerate(a.reshape(-1)):
        text = s if isinstance(s, bytes) else str(s).encode()
        buffer = c.create_string_buffer(text, len(text) + 1)
        keep.append(buffer)
        made[i] = String(c.addressof(buffer), len(text))
    keep.append(made)
    return c.addressof(made)


class Library:
    def __init__(self, path):
        self.lib = c.CDLL(str(path))
        self.lib.ingot_last_error.restype = c.c_char_p
        for name in ("ingot_context_output", "ingot_context_value", "ingot_value_element"):
            getattr(self.lib, name).restype = c.c_void_p
        for name in ("ingot_engine_num_io", "ingot_network_num_layers", "ingot_value_count"):
            getattr(self.lib, name).restype = c.c_size_t
        for name in ("network", "engine", "context", "config", "value"):
            getattr(self.lib, f"ingot_{name}_destroy").restype = None

    def call(self, name, *args):
        status = getattr(self.lib, name)(*args)
        if status != 0:
            raise IngotError(status, self.lib.ingot_last_error().decode(errors="replace"))

    def load(self, model):
        """From bytes, an onnx.ModelProto or a path; free it with destroy."""
        network = c.c_void_p()
        if hasattr(model, "SerializeToString"):
            model = model.SerializeToString()
        if isinstance(model, bytes):
            self.call("ingot_network_load_memory", None, model, c.c_size_t(len(model)), None, c.byref(network))
        else:
            self.call("ingot_network_load", None, str(model).encode(), c.byref(network))
        return network

    def layers(self, model):
        network = self.load(model)
        n = self.lib.ingot_network_num_layers(network)
        self.lib.ingot_network_destroy(network)
        return n

    def value(self, x):
        """An ingot_value, to be destroyed: of an array, a list, or None for an optional without content."""
        made, keep = c.c_void_p(), []
        if x is None:
            self.call("ingot_value_create_optional", None, None, c.byref(made))
        elif isinstance(x, list):
            elements = [self.value(e) for e in x]
            self.call("ingot_value_create_sequence", None, (c.c_void_p * max(len(x), 1))(*elements), c.c_size_t(len(x)), c.byref(made))
            for e in elements:
                self.lib.ingot_value_destroy(e)
        else:
            a = np.asarray(x)
            dtype = STRING if a.dtype.kind in "OUS" else NUMBERS[a.dtype]
            if dtype != STRING:
                keep.append(pack(a))
            data = strings(a, keep) if dtype == STRING else keep[-1].ctypes.data
            self.call("ingot_value_create_tensor", None, dtype, a.ndim, DIMS(*a.shape), c.c_void_p(data), c.byref(made))
        return made

    def run(self, model, inputs, reference=True, through_file=False):
        """Outputs by name, for inputs by name. through_file: the engine is written and read again before."""
        network, engine, context, config = self.load(model), c.c_void_p(), c.c_void_p(), c.c_void_p()
        keep, values = [], []
        try:
            self.call("ingot_config_create", None, c.byref(config))
            self.call("ingot_config_set_budget", config, c.c_double(0))
            for name, a in inputs.items():
                if isinstance(a, np.ndarray) and not self.is_object(network, name):
                    self.call("ingot_config_set_profile", config, name.encode(), a.ndim, None, DIMS(*a.shape), None)
            self.call("ingot_build_reference" if reference else "ingot_build", network, config, c.byref(engine))
            if through_file:
                engine = self.written_and_read(engine)
            self.call("ingot_context_create", engine, None, c.byref(context))
            kinds = {i.name.decode(): i.kind for i in self.io(engine)}
            for name, a in inputs.items():
                if kinds[name] != TENSOR:
                    values.append(self.value(a))
                    self.call("ingot_context_set_value", context, name.encode(), values[-1])
                    continue
                if a.dtype.kind in "OUS":
                    data = strings(a, keep)
                else:
                    keep.append(pack(a))
                    data = keep[-1].ctypes.data
                self.call("ingot_context_set_input_shape", context, name.encode(), a.ndim, DIMS(*a.shape))
                self.call("ingot_context_set_address", context, name.encode(), c.c_void_p(data))
            for v in values: # the context keeps what it needs
                self.lib.ingot_value_destroy(v)
            self.call("ingot_context_run", context)
            return self.outputs(engine, context)
        finally:
            self.lib.ingot_context_destroy(context)
            self.lib.ingot_engine_destroy(engine)
            self.lib.ingot_config_destroy(config)
            self.lib.ingot_network_destroy(network)

    def is_object(self, network, name):
        self.lib.ingot_network_find_tensor.restype = c.c_void_p
        tensor = c.c_void_p(self.lib.ingot_network_find_tensor(network, name.encode()))
        return self.lib.ingot_tensor_kind(tensor) != TENSOR

    def written_and_read(self, engine):
        data, size, again = c.c_void_p(), c.c_size_t(), c.c_void_p()
        self.call("ingot_engine_serialize", engine, c.byref(data), c.byref(size))
        self.call("ingot_engine_load_memory", None, data, size, c.byref(again))
        self.lib.ingot_blob_free(engine, data, size)
        self.lib.ingot_engine_destroy(engine)
        return again

    def io(self, engine):
        infos = []
        for i in range(self.lib.ingot_engine_num_io(engine)):
            infos.append(IoInfo())
            self.call("ingot_engine_io", engine, c.c_size_t(i), c.byref(infos[-1]))
        return infos

    def array(self, dtype, shape, data):
        """A copy of elements at an address."""
        n = int(np.prod(shape, dtype=np.int64))
        if dtype == STRING:
            elements = (String * n).from_address(data) if n else []
            return np.array([c.string_at(s.data, s.size).decode() if s.size else "" for s in elements], dtype=object).reshape(shape)
        size = -(-n * BITS[dtype] // 8) if dtype in BITS else n * np.dtype(DTYPES[dtype]).itemsize
        return unpack(c.string_at(data, size) if n else b"", dtype, shape)

    def read(self, value):
        """An ingot_value as array, list or None."""
        kind = self.lib.ingot_value_kind(c.c_void_p(value))
        if kind != TENSOR:
            n = self.lib.ingot_value_count(c.c_void_p(value))
            elements = [self.read(self.lib.ingot_value_element(c.c_void_p(value), c.c_size_t(i))) for i in range(n)]
            return elements if kind == SEQUENCE else elements[0] if elements else None
        rank, dims, data = c.c_int(), DIMS(), c.c_void_p()
        self.call("ingot_value_tensor", c.c_void_p(value), c.byref(rank), dims, c.byref(data))
        return self.array(self.lib.ingot_value_dtype(c.c_void_p(value)), tuple(dims[k] for k in range(rank.value)), data.value)

    def outputs(self, engine, context):
        result = {}
        for info in self.io(engine):
            rank, dims = c.c_int(), DIMS()
            if info.is_input:
                continue
            if info.kind != TENSOR:
                result[info.name.decode()] = self.read(self.lib.ingot_context_value(context, info.name))
                continue
            self.call("ingot_context_shape", context, info.name, c.byref(rank), dims)
            shape = tuple(dims[k] for k in range(rank.value))
            result[info.name.decode()] = self.array(info.dtype, shape, self.lib.ingot_context_output(context, info.name))
        return result
