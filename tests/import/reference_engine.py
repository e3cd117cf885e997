"""Runs ONNX models with libingot's reference kernels, in this process and through the C interface: what the importer made of a model."""
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
DIMS = c.c_int64 * MAX_RANK


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
                ("opt", DIMS), ("max", DIMS)]


class IngotError(Exception):
    def __init__(self, status, text):
        super().__init__(f"status {status}: {text}")
        self.status, self.text = status, text


class Library:
    def __init__(self, path):
        self.lib = c.CDLL(str(path))
        self.lib.ingot_last_error.restype = c.c_char_p
        self.lib.ingot_context_output.restype = c.c_void_p
        self.lib.ingot_engine_num_io.restype = c.c_size_t
        self.lib.ingot_network_num_layers.restype = c.c_size_t
        for name in ("network", "engine", "context", "config"):
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

    def run(self, model, inputs):
        """Outputs by name, for inputs by name."""
        network, engine, context, config = self.load(model), c.c_void_p(), c.c_void_p(), c.c_void_p()
        try:
            self.call("ingot_config_create", None, c.byref(config))
            for name, a in inputs.items():
                self.call("ingot_config_set_profile", config, name.encode(), a.ndim, None, DIMS(*a.shape), None)
            self.call("ingot_build_reference", network, config, c.byref(engine))
            self.call("ingot_context_create", engine, None, c.byref(context))
            keep = [pack(a) for a in inputs.values()]
            for (name, shaped), a in zip(inputs.items(), keep):
                self.call("ingot_context_set_input_shape", context, name.encode(), shaped.ndim, DIMS(*shaped.shape))
                self.call("ingot_context_set_address", context, name.encode(), c.c_void_p(a.ctypes.data))
            self.call("ingot_context_run", context)
            return self.outputs(engine, context)
        finally:
            self.lib.ingot_context_destroy(context)
            self.lib.ingot_engine_destroy(engine)
            self.lib.ingot_config_destroy(config)
            self.lib.ingot_network_destroy(network)

    def outputs(self, engine, context):
        result = {}
        for i in range(self.lib.ingot_engine_num_io(engine)):
            info, rank, dims = IoInfo(), c.c_int(), DIMS()
            self.call("ingot_engine_io", engine, c.c_size_t(i), c.byref(info))
            if info.is_input:
                continue
            self.call("ingot_context_shape", context, info.name, c.byref(rank), dims)
            shape = tuple(dims[k] for k in range(rank.value))
            n = int(np.prod(shape, dtype=np.int64))
            n = -(-n * BITS[info.dtype] // 8) if info.dtype in BITS else n * np.dtype(DTYPES[info.dtype]).itemsize
            data = c.string_at(self.lib.ingot_context_output(context, info.name), n) if n else b""
            result[info.name.decode()] = unpack(data, info.dtype, shape)
        return result
