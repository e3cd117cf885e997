"""ingot as a backend of the onnx package: `onnx.backend.test.BackendTest(ingot.onnx_backend, __name__)` runs onnx's own tests on it."""
from __future__ import annotations

from typing import Any

import onnx
from onnx import helper
from onnx.backend.base import Backend, BackendRep

from .device import device_count
from .session import InferenceSession, SessionOptions


def _provider(device: str) -> Any:
    """onnx's device ("CPU", "CUDA:1") as a provider: without TF32, for the tests' tolerances are float32's."""
    name, _, index = device.partition(":")
    return ("CUDAExecutionProvider", {"device_id": int(index or 0), "use_tf32": 0}) if name == "CUDA" else "CPUExecutionProvider"


class IngotRep(BackendRep):
    """A model ready to run."""

    def __init__(self, model: Any, options: SessionOptions, provider: Any = "CPUExecutionProvider") -> None:
        self.session = InferenceSession(model, options, [provider])
        self._declared = [value.name for value in model.graph.input]
        self._names = [info.name for info in self.session.get_inputs()]

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Inputs by place (of those that aren't constants, or of all that the graph lists) or by name."""
        if isinstance(inputs, dict):
            feeds = inputs
        else:
            inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
            names = self._names if len(inputs) == len(self._names) else self._declared
            feeds = {name: value for name, value in zip(names, inputs) if name in self._names}
        return tuple(self.session.run(None, feeds))


class IngotBackend(Backend):
    """Kernels are chosen by the cost model alone: tests want results soon. `session_options=` says otherwise."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **kwargs: Any) -> bool:
        return True

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> IngotRep:
        options = kwargs.get("session_options")
        if options is None:
            options = SessionOptions()
            options.budget = 0.0
        return IngotRep(model, options, _provider(device))

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any) -> tuple[Any, ...]:
        """Runs one node; types and shapes are those of the inputs."""
        import numpy as np

        feeds = {name: np.asarray(value) for name, value in zip([name for name in node.input if name], inputs)}
        types = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in feeds.items()}
        graph = helper.make_graph([node], "node", [helper.make_tensor_value_info(name, types[name], value.shape) for name, value in feeds.items()],
                                  [helper.make_empty_tensor_value_info(name) for name in node.output if name])
        opsets = [helper.make_opsetid(node.domain, kwargs.get("opset_version", onnx.defs.onnx_opset_version()))]
        return cls.run_model(helper.make_model(graph, opset_imports=opsets), list(feeds.values()), device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        name, _, index = device.partition(":")
        return name == "CPU" or (name == "CUDA" and int(index or 0) < device_count("cuda"))


is_compatible = IngotBackend.is_compatible
prepare = IngotBackend.prepare
run = IngotBackend.run_model
run_model = IngotBackend.run_model
run_node = IngotBackend.run_node
supports_device = IngotBackend.supports_device
