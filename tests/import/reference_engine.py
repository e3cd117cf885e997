"""Runs ONNX models with libingot's reference kernels, in this process and through the C interface: what the importer made of a model."""
import ctypes as c

import numpy as np

MAX_RANK = 8
DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64",
          12: "uint32", 13: "uint64"}
DIMS = c.c_int64 * MAX_RANK


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
            keep = [np.ascontiguousarray(a) if a.ndim else a.copy() for a in inputs.values()]
            for name, a in zip(inputs, keep):
                self.call("ingot_context_set_input_shape", context, name.encode(), a.ndim, DIMS(*a.shape))
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
            dtype = np.dtype(DTYPES[info.dtype])
            n = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            data = c.string_at(self.lib.ingot_context_output(context, info.name), n) if n else b""
            result[info.name.decode()] = np.frombuffer(data, dtype).reshape(shape)
        return result
