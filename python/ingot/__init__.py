"""ingot: a compiler and runtime for trained networks.

    engine = ingot.build("net.onnx")          # or bytes; engine.save("net.ingot"), ingot.Engine.load("net.ingot")
    y = engine(x)                             # NumPy arrays, or PyTorch tensors without copies
    outputs = engine.run({"input": x})        # by name
    engine = ingot.build("net.onnx", device="cuda", fp16=True)   # for a GPU; PyTorch's CUDA tensors without copies

`ingot.InferenceSession` is called as ONNX Runtime's. Messages go to the logger "ingot"."""
from __future__ import annotations

from . import errors as _errors
from ._native import lib as _lib
from .compiler import build
from .context import Context, LayerProfile, Memory, Times
from .device import device_count
from .dlpack import Tensor
from .engine import Engine, IoInfo
from .errors import (ArgumentError, CancelledError, DeviceError, DTypeError, Error, FileError, FormatError, InternalError, LimitError,
                     NetworkError, OutOfMemoryError, ShapeError, StateError, UnsupportedError, VerifyError)
from .network import Network, TensorInfo
from .parallel import DataParallel
from .session import InferenceSession, NodeArg, SessionOptions

__version__: str = _errors.text(_lib.ingot_version())
__all__ = [
    "ArgumentError", "CancelledError", "Context", "DTypeError", "DataParallel", "DeviceError", "Engine", "Error", "FileError", "FormatError",
    "InferenceSession", "InternalError", "IoInfo", "LayerProfile", "LimitError", "Memory", "Network", "NetworkError", "NodeArg",
    "OutOfMemoryError", "SessionOptions", "ShapeError", "StateError", "Tensor", "TensorInfo", "Times", "UnsupportedError", "VerifyError", "build",
    "device_count",
]
