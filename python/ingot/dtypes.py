"""Data types: ingot's (the numbers of ONNX's TensorProto.DataType) as NumPy's, and ml_dtypes' for what NumPy hasn't got."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from ._native import lib
from .errors import DTypeError

_NUMPY = {
    "float32": np.float32, "uint8": np.uint8, "int8": np.int8, "uint16": np.uint16, "int16": np.int16, "int32": np.int32, "int64": np.int64,
    "string": np.object_, "bool": np.bool_, "float16": np.float16, "float64": np.float64, "uint32": np.uint32, "uint64": np.uint64,
    "complex64": np.complex64, "complex128": np.complex128, "bfloat16": ml_dtypes.bfloat16, "float8e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "float8e5m2": ml_dtypes.float8_e5m2, "float8e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "uint4": ml_dtypes.uint4, "int4": ml_dtypes.int4,
}
for _name, _type in (("float4e2m1", "float4_e2m1fn"), ("float6e2m3", "float6_e2m3fn"), ("float6e3m2", "float6_e3m2fn"),
                     ("float8e8m0", "float8_e8m0fnu"), ("uint2", "uint2"), ("int2", "int2")):
    if hasattr(ml_dtypes, _type):  # newer releases of ml_dtypes
        _NUMPY[_name] = getattr(ml_dtypes, _type)

# By ingot's number: the NumPy type, and the bits of an element in the library's memory.
_BY_NUMBER: dict[int, np.dtype[Any]] = {}
_BITS: dict[int, int] = {}
for _constant in dir(lib):
    _name = _constant[len("INGOT_"):].lower()
    if _constant.startswith("INGOT_") and _name in _NUMPY:
        _number = getattr(lib, _constant)
        _BY_NUMBER[_number] = np.dtype(_NUMPY[_name])
        _BITS[_number] = lib.ingot_dtype_bits(_number)
_BY_DTYPE = {dtype: number for number, dtype in _BY_NUMBER.items()}


def to_numpy(number: int) -> np.dtype[Any]:
    """The NumPy type for ingot's. Strings are object arrays of str; 4-bit types take a byte an element here."""
    try:
        return _BY_NUMBER[number]
    except KeyError:
        raise DTypeError(f"NumPy has no type for ingot's data type {number}") from None


def from_numpy(dtype: Any) -> int:
    """Ingot's number for a NumPy type."""
    found = _BY_DTYPE.get(np.dtype(dtype))
    if found is None and np.dtype(dtype).kind in "US":
        return int(lib.INGOT_STRING)
    if found is None:
        raise DTypeError(f"ingot has no data type for NumPy's {np.dtype(dtype)}")
    return found


def bits(number: int) -> int:
    """Bits of an element in the library's memory; below 8, elements are packed."""
    return _BITS[number]


def pack(array: np.ndarray[Any, Any], number: int) -> np.ndarray[Any, Any]:
    """Elements of less than a byte, the first in the low bits, as the library takes them. A copy."""
    each = 8 // bits(number)
    codes = np.ascontiguousarray(array).view(np.uint8).reshape(-1) & np.uint8((1 << bits(number)) - 1)
    codes = np.concatenate([codes, np.zeros(-codes.size % each, np.uint8)]).reshape(-1, each)
    shifts = np.arange(each, dtype=np.uint8) * np.uint8(bits(number))
    packed: np.ndarray[Any, Any] = np.bitwise_or.reduce(np.left_shift(codes, shifts), axis=1).astype(np.uint8)
    return packed


def unpack(packed: np.ndarray[Any, Any], number: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The reverse of `pack`. A copy."""
    width, count = bits(number), int(np.prod(shape, dtype=np.int64))
    shifts = np.arange(8 // width, dtype=np.uint8) * np.uint8(width)
    codes = (np.right_shift(packed.reshape(-1, 1), shifts) & np.uint8((1 << width) - 1)).reshape(-1)[:count]
    return np.ascontiguousarray(codes).view(to_numpy(number)).reshape(shape)
