"""A model through libingot: built and run as a plan says (passes left out, threads, an engine written and read again), or by the reference
kernels."""
import ctypes as c
import os
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "import"))
from reference_engine import DIMS, DTYPES, IngotError, IoInfo, Library  # noqa: E402

LOG = c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_char_p)
silent = LOG(lambda user, severity, text: None)


class Env(c.Structure):
    _fields_ = [("allocator", c.c_void_p), ("log", LOG), ("log_user", c.c_void_p), ("log_level", c.c_int), ("memory_limit", c.c_size_t)]


DEVICE = os.environ.get("INGOT_FUZZ_DEVICE")  # of the engines: "cuda"; the CPU without it
GUARD = 64  # bytes around an output's memory that must stay as they are


def pass_names(root):
    import re

    return re.findall(r"^INGOT_PASS\((\w+)", (root / "src" / "passes.def").read_text(), re.M)


def make_plan(rng, passes):
    """How a model is built and run."""
    plan = {"threads": int(rng.choice([1, 1, 1, 2])), "budget": 0.0, "verify": bool(rng.random() < 0.05), "skip": [], "stop": None,
            "file": bool(rng.random() < 0.2), "memory": bool(rng.random() < 0.5)}
    if rng.random() < 0.03:
        plan["budget"] = 0.01
    if rng.random() < 0.2:
        plan["skip"] = [str(p) for p in rng.choice(passes, int(rng.integers(1, 4)), replace=False)]
    elif rng.random() < 0.05:
        plan["stop"] = str(rng.choice(passes))
    return plan


class Engines(Library):
    def __init__(self, path):
        super().__init__(path)
        self.lib.ingot_blob_free.restype = None
        self.env = Env(log=silent)

    def load(self, model):
        network = c.c_void_p()
        self.call("ingot_network_load_memory", c.byref(self.env), model, c.c_size_t(len(model)), None, c.byref(network))
        return network

    def configure(self, config, sets, plan):
        for name in sets[0]:
            shapes = np.array([s[name].shape for s in sets]).reshape(len(sets), -1)
            low, high = shapes.min(0), shapes.max(0)
            self.call("ingot_config_set_profile", config, name.encode(), len(low), DIMS(*map(int, low)), DIMS(*map(int, shapes[0])),
                      DIMS(*map(int, high)))
        self.call("ingot_config_set_budget", config, c.c_double(plan["budget"]))
        self.call("ingot_config_set_threads", config, plan["threads"])
        self.call("ingot_config_set_verify", config, c.c_bool(plan["verify"]))
        for name in plan["skip"]:
            self.call("ingot_config_skip_pass", config, name.encode())
        if plan["stop"]:
            self.call("ingot_config_stop_after", config, plan["stop"].encode())

    def through_a_file(self, engine):
        data, size, again = c.c_void_p(), c.c_size_t(), c.c_void_p()
        self.call("ingot_engine_serialize", engine, c.byref(data), c.byref(size))
        try:
            self.call("ingot_engine_load_memory", c.byref(self.env), data, size, c.byref(again))
        finally:
            self.lib.ingot_blob_free(engine, data, size)
        return again

    def infos(self, engine):
        infos = []
        for i in range(self.lib.ingot_engine_num_io(engine)):
            info = IoInfo()
            self.call("ingot_engine_io", engine, c.c_size_t(i), c.byref(info))
            infos.append(info)
        return infos

    def run_once(self, engine, context, feeds, own_memory):
        keep = {}
        for name, a in feeds.items():
            keep[name] = np.ascontiguousarray(a) if a.ndim else a.copy()
            self.call("ingot_context_set_input_shape", context, name.encode(), a.ndim, DIMS(*a.shape))
            self.call("ingot_context_set_address", context, name.encode(), c.c_void_p(keep[name].ctypes.data))
        guarded = {}
        for info in self.infos(engine) if own_memory else []:
            rank, dims = c.c_int(), DIMS()
            if info.is_input:
                continue
            self.call("ingot_context_set_address", context, info.name, None)
            if info.name in self.late or self.lib.ingot_context_shape(context, info.name, c.byref(rank), dims) != 0:
                self.late.add(info.name)  # known after each run
                continue
            n = int(np.prod([dims[k] for k in range(rank.value)], dtype=np.int64)) * np.dtype(DTYPES[info.dtype]).itemsize
            memory = np.full(n + 2 * GUARD, 0xA5, np.uint8)
            guarded[info.name.decode()] = memory
            self.call("ingot_context_set_address", context, info.name, c.c_void_p(memory.ctypes.data + GUARD))
        before = {name: a.copy() for name, a in keep.items()}
        self.call("ingot_context_run", context)
        found = {name: a.copy() for name, a in self.outputs(engine, context).items()}
        for name, memory in guarded.items():
            if (memory[:GUARD] != 0xA5).any() or (memory[-GUARD:] != 0xA5).any():
                raise IngotError(-1, f"writes outside of output {name}")
        for name, a in keep.items():
            if a.tobytes() != before[name].tobytes():
                raise IngotError(-1, f"writes into input {name}")
        return found

    def results(self, model, sets, plan):
        """Outputs by name for each set of inputs, and for the first set again; with plan None by the reference kernels."""
        self.late = set()
        network, engine, context, config = self.load(model), c.c_void_p(), c.c_void_p(), c.c_void_p()
        try:
            self.call("ingot_config_create", c.byref(self.env), c.byref(config))
            reference = plan is None
            plan = plan or {"threads": 1, "budget": 0.0, "verify": False, "skip": [], "stop": None, "file": False, "memory": False}
            self.configure(config, sets, plan)
            if DEVICE and not reference:
                self.call("ingot_config_set_device", config, DEVICE.encode())
                self.call("ingot_config_set_precision", config, 0)  # float32, without TF32
            self.call("ingot_build_reference" if reference else "ingot_build", network, config, c.byref(engine))
            if plan["file"]:
                again = self.through_a_file(engine)
                self.lib.ingot_engine_destroy(engine)
                engine = again
            self.call("ingot_context_create", engine, None, c.byref(context))
            order = sets + sets[:1] if len(sets) > 1 else sets
            return [self.run_once(engine, context, feeds, plan["memory"]) for feeds in order]
        finally:
            self.lib.ingot_context_destroy(context)
            self.lib.ingot_engine_destroy(engine)
            self.lib.ingot_config_destroy(config)
            self.lib.ingot_network_destroy(network)
