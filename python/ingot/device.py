"""GPUs: how many there are, streams, and tensors in their memory: the caller's as inputs, of the caller's library for outputs."""
from __future__ import annotations

import sys
from typing import Any, Optional, Union

import numpy as np

from . import dlpack, dtypes
from ._native import lib
from .errors import ArgumentError, DeviceError, DTypeError

Stream = Union[int, Any]
_LEGACY = 1  # DLPack's number for CUDA's default stream, whose handle is 0


def device_count(kind: str = "cuda") -> int:
    """How many there are of a kind: "cuda": NVIDIA GPUs, 0 where the driver is missing; "cpu": 1."""
    return int(lib.ingot_device_count(kind.encode()))


def stream_handle(stream: Stream) -> int:
    """The CUstream of what libraries call a stream: its number, or an object with `cuda_stream` (PyTorch), `ptr` (CuPy) or `__cuda_stream__`."""
    if isinstance(stream, int):
        return stream
    for name in ("cuda_stream", "ptr"):
        if isinstance(found := getattr(stream, name, None), int):
            return found
    if hasattr(stream, "__cuda_stream__"):
        return int(stream.__cuda_stream__()[1])
    raise ArgumentError(f"a stream is a number, or an object with cuda_stream, ptr or __cuda_stream__; this is {type(stream).__name__}")


def _torch_of(value: Any) -> Any:
    """The module torch, if a value is a tensor of it; else None."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(value, torch.Tensor) else None


class Place:
    """Where a run has its tensors when some are in a GPU's memory, and the stream that it goes into: the caller's, PyTorch's current one where
    the tensors are its, or the context's own, which is waited for."""

    def __init__(self, example: Any, index: int, stream: Optional[Stream], own: int, watched: bool) -> None:
        self.example, self.index = example, index
        self._torch = _torch_of(example)
        self.waits = watched or (stream is None and self._torch is None)
        self._other: Any = None  # PyTorch's stream that it doesn't know its tensors are used in
        if self.waits:
            self.handle = own
        elif stream is not None:
            self.handle = stream_handle(stream)
        else:
            self.handle = int(self._torch.cuda.current_stream(example.device).cuda_stream)
        if self._torch and self.handle and self.handle != self._torch.cuda.current_stream(example.device).cuda_stream:
            self._other = self._torch.cuda.ExternalStream(self.handle, device=example.device)

    def borrow(self, value: Any, number: int, name: str, *, copy: bool = True) -> dlpack.Loan:
        """The tensor's memory; the stream goes on when what makes it has ended. copy: one with gaps is copied to a dense one, by its library."""
        loan = dlpack.Loan(value, self.handle or _LEGACY)
        want = dtypes.to_numpy(number)
        if loan.dtype != want:
            raise DTypeError(f"'{name}' is {want}, a tensor of {loan.dtype} was given")
        if loan.index != self.index:
            raise DeviceError(f"'{name}' is given in the memory of GPU {loan.index}, the engine runs on GPU {self.index}")
        if not loan.dense:
            if not copy:
                raise DTypeError(f"'{name}' is to be written and must be dense and row-major")
            return self.borrow(_dense(value, name), number, name, copy=False)
        if self._other is not None and _torch_of(value):
            value.record_stream(self._other)
        return loan

    def empty(self, shape: tuple[int, ...], number: int) -> Any:
        """A new tensor of the example's library; None where that isn't known how to ask, or hasn't the type: the output is an array then."""
        dtype = getattr(self._torch, dtypes.to_numpy(number).name, None) if self._torch else None
        if dtype is None:
            return None
        tensor = self._torch.empty(shape, dtype=dtype, device=self.example.device)
        if self._other is not None:
            tensor.record_stream(self._other)
        return tensor

    def moved(self, array: np.ndarray[Any, Any]) -> Any:
        """An output that is in the host's memory as the example's library has it; the array itself where that isn't known."""
        if not self._torch or array.dtype == np.object_ or not hasattr(self._torch, array.dtype.name):
            return array
        return self._torch.from_dlpack(dlpack.Tensor(array)).to(self.example.device)


def _dense(value: Any, name: str) -> Any:
    if hasattr(value, "contiguous"):
        return value.contiguous()
    library = sys.modules.get(type(value).__module__.split(".")[0])
    if hasattr(library, "ascontiguousarray"):
        return library.ascontiguousarray(value)  # type: ignore[union-attr]
    raise DTypeError(f"'{name}' isn't dense and row-major, and its library ({type(value).__module__}) isn't known to make it so")
