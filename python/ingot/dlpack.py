"""DLPack: tensors of other libraries as NumPy arrays and back, sharing memory, and those in a GPU's memory by their addresses. NumPy's own exchange
doesn't know bfloat16 and 8-bit floats."""
from __future__ import annotations

import ctypes
from typing import Any, Optional

import ml_dtypes
import numpy as np

from ._native import ffi, lib
from .errors import DeviceError, DTypeError

CPU = (1, 0)  # kDLCPU, device 0
_HOST, _GPU = (1, 3), (2, 13)  # kDLCPU, kDLCUDAHost (page-locked); kDLCUDA, kDLCUDAManaged
# DLPack's type code and bits for NumPy's types.
_INT, _UINT, _FLOAT, _BFLOAT, _COMPLEX, _BOOL = 0, 1, 2, 4, 5, 6
_CODES: dict[np.dtype[Any], tuple[int, int]] = {
    np.dtype(np.bool_): (_BOOL, 8), np.dtype(ml_dtypes.bfloat16): (_BFLOAT, 16), np.dtype(np.complex64): (_COMPLEX, 64),
    np.dtype(np.complex128): (_COMPLEX, 128), np.dtype(ml_dtypes.float8_e4m3fn): (10, 8), np.dtype(ml_dtypes.float8_e4m3fnuz): (11, 8),
    np.dtype(ml_dtypes.float8_e5m2): (12, 8), np.dtype(ml_dtypes.float8_e5m2fnuz): (13, 8),
}
for _bits in (8, 16, 32, 64):
    _CODES[np.dtype(f"int{_bits}")] = (_INT, _bits)
    _CODES[np.dtype(f"uint{_bits}")] = (_UINT, _bits)
    if _bits > 8:
        _CODES[np.dtype(f"float{_bits}")] = (_FLOAT, _bits)
_DTYPES = {code: dtype for dtype, code in _CODES.items()}

_capsule_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(("PyCapsule_New", ctypes.pythonapi))
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_capsule_rename = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_SetName", ctypes.pythonapi))
_capsule_destructor = int(ffi.cast("uintptr_t", lib.ingot_python_capsule_destructor()))
_NAME, _USED = b"dltensor", b"used_dltensor"  # names stay with the capsules: they must live as long as the process


class Loan:
    """Another library's tensor, held until this is gone: where it lies, its shape, type, and strides in elements (None: dense)."""

    def __init__(self, tensor: Any, stream: Optional[int] = None) -> None:
        if getattr(tensor, "requires_grad", False):  # PyTorch refuses to give such away; reading is all that is done here
            tensor = tensor.detach()
        capsule = tensor.__dlpack__() if stream is None else tensor.__dlpack__(stream=stream)
        self._managed = ffi.cast("ingot_dl_managed *", _capsule_pointer(capsule, _NAME))
        _capsule_rename(capsule, _USED)
        t = self._managed.dl_tensor
        dtype = _DTYPES.get((t.dtype.code, t.dtype.bits))
        if dtype is None or t.dtype.lanes != 1:
            raise DTypeError(f"DLPack's type (code {t.dtype.code}, {t.dtype.bits} bits, {t.dtype.lanes} lanes) has no place in NumPy")
        self.dtype: np.dtype[Any] = dtype
        self.shape: tuple[int, ...] = tuple(t.shape[i] for i in range(t.ndim))
        self.strides: Optional[tuple[int, ...]] = None if t.strides == ffi.NULL else tuple(t.strides[i] for i in range(t.ndim))
        self.address = int(ffi.cast("uintptr_t", t.data)) + int(t.byte_offset)
        self.index = int(t.device.device_id)

    @property
    def dense(self) -> bool:
        """Whether its elements follow each other in row-major order."""
        expected = 1
        for dim, stride in zip(reversed(self.shape), reversed(self.strides or ())):
            if dim > 1 and stride != expected:
                return 0 in self.shape
            expected *= dim
        return True

    def __del__(self) -> None:
        managed = getattr(self, "_managed", None)
        if managed is not None and managed.deleter != ffi.NULL:
            managed.deleter(managed)


class _Owner:
    """What an array looks at."""

    def __init__(self, loan: Loan, interface: dict[str, Any]) -> None:
        self.loan = loan
        self.__array_interface__ = interface


def on_gpu(value: Any) -> bool:
    """Whether it is another library's tensor in the memory of an NVIDIA GPU."""
    return not isinstance(value, np.ndarray) and hasattr(value, "__dlpack_device__") and int(value.__dlpack_device__()[0]) in _GPU


def to_array(tensor: Any) -> np.ndarray[Any, Any]:
    """An array over the memory of `tensor` (anything with __dlpack__, in host memory), which it keeps alive."""
    kind = int(tensor.__dlpack_device__()[0])
    if kind in _GPU:
        raise DeviceError("this tensor is in a GPU's memory, and what it is for runs on the host: copy it there, or build with device='cuda'")
    if kind not in _HOST:
        raise DeviceError(f"this tensor is on DLPack's device {tuple(tensor.__dlpack_device__())}; ingot takes tensors in the memory of the host and "
                          "of NVIDIA GPUs")
    loan = Loan(tensor)
    strides = None if loan.strides is None else tuple(stride * loan.dtype.itemsize for stride in loan.strides)
    plain = {1: "|u1", 2: "<u2", 4: "<u4", 8: "<u8", 16: "<c16"}[loan.dtype.itemsize]
    owner = _Owner(loan, {"version": 3, "shape": loan.shape, "strides": strides, "typestr": plain, "data": (loan.address, False)})
    return np.asarray(owner).view(loan.dtype)


_lent: dict[int, tuple[Any, ...]] = {}  # by address: what must live until the consumer calls the deleter


@ffi.def_extern()  # type: ignore[untyped-decorator]
def ingot_python_dl_delete(managed: Any) -> None:
    _lent.pop(int(ffi.cast("uintptr_t", managed)), None)


class Tensor:
    """An array that other libraries can take without a copy, whatever its type: `torch.from_dlpack(ingot.Tensor(array))`."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        if array.dtype not in _CODES:
            raise DTypeError(f"DLPack has no type for {array.dtype}")
        self.array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None) -> Any:
        """A capsule with the tensor; it keeps the array alive until it is used up. `copy=True` gives a copy's."""
        array = self.array.copy() if copy else self.array
        managed = ffi.new("ingot_dl_managed *")
        shape, strides = ffi.new("int64_t[]", list(array.shape) or [0]), ffi.new("int64_t[]", [s // array.itemsize for s in array.strides] or [0])
        t = managed.dl_tensor
        t.data = ffi.cast("void *", address(array))
        t.device.device_type, t.device.device_id = CPU
        t.ndim, t.shape, t.strides = array.ndim, shape, strides
        (t.dtype.code, t.dtype.bits), t.dtype.lanes = _CODES[array.dtype], 1
        managed.deleter = lib.ingot_python_dl_delete
        pointer = int(ffi.cast("uintptr_t", managed))
        _lent[pointer] = (managed, shape, strides, array)
        return _capsule_new(pointer, _NAME, _capsule_destructor)


def address(array: np.ndarray[Any, Any]) -> int:
    """Where an array's data begins; of read-only arrays too."""
    return int(array.__array_interface__["data"][0])
