"""What the caller gives as inputs, as arrays that the library can read in place; and the arrays that outputs are written to."""
from __future__ import annotations

import sys
from typing import Any, Optional

import numpy as np

from . import dlpack, dtypes
from ._native import ffi, lib
from .errors import DTypeError

Array = np.ndarray[Any, Any]


def as_array(value: Any, number: int, name: str) -> Array:
    """A dense row-major array of the input's type: `value` itself, its memory, or a copy where it has gaps. Arrays of another type are
    refused; Python's numbers and lists are converted."""
    want = dtypes.to_numpy(number)
    if type(value) is np.ndarray and value.dtype is want and value.flags.c_contiguous:
        return value  # as nearly always
    if not isinstance(value, np.ndarray):
        if hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
            value = dlpack.to_array(value)
        elif hasattr(value, "__array__"):
            value = np.asarray(value)
        else:
            value = np.asarray(value, want)
    if value.dtype != want and not (number == lib.INGOT_STRING and value.dtype.kind in "US"):
        raise DTypeError(f"input '{name}' is {want}, an array of {value.dtype} was given")
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    return value if value.flags.c_contiguous else np.ascontiguousarray(value)


def number_of(value: Any) -> int:
    """The library's data type for something that as_array takes."""
    return dtypes.from_numpy(value.dtype if isinstance(value, np.ndarray) else np.asarray(value).dtype)


def pointer(array: Array, number: int) -> tuple[Any, Any]:
    """The address for the library, and what must live while it is used: the array, or a packed copy of types below a byte, or strings."""
    if number == lib.INGOT_STRING:
        return strings(array)
    if dtypes.bits(number) < 8:
        array = dtypes.pack(array, number)
    return ffi.from_buffer(array), array


def strings(array: Array) -> tuple[Any, Any]:
    """The elements as an array of ingot_string, and what must live with it. Text goes as UTF-8; bytes as they are."""
    encoded = [element if isinstance(element, bytes) else str(element).encode("utf-8", "surrogateescape") for element in array.reshape(-1)]
    memory = [ffi.from_buffer(element) for element in encoded]
    out = ffi.new("ingot_string[]", max(len(encoded), 1))
    for i, (buffer, element) in enumerate(zip(memory, encoded)):
        out[i].data, out[i].size = ffi.cast("char *", buffer), len(element)
    return ffi.cast("void *", out), (out, memory, encoded)


def from_strings(data: Any, shape: tuple[int, ...]) -> Array:
    """An object array of str from an array of ingot_string. Bytes that aren't UTF-8 become surrogates, and themselves again as an input."""
    count = int(np.prod(shape, dtype=np.int64))
    out = np.empty(count, np.object_)
    elements = ffi.cast("ingot_string *", data)
    for i in range(count):
        out[i] = bytes(ffi.buffer(elements[i].data, elements[i].size)).decode("utf-8", "surrogateescape") if elements[i].size else ""
    return out.reshape(shape)


def from_memory(data: Any, number: int, shape: tuple[int, ...]) -> Array:
    """A copy of the elements at `data`."""
    if number == lib.INGOT_STRING:
        return from_strings(data, shape)
    width, count = dtypes.bits(number), int(np.prod(shape, dtype=np.int64))
    size = (count * width + 7) // 8
    if size == 0 or data == ffi.NULL:
        return np.empty(shape, dtypes.to_numpy(number))
    raw = np.frombuffer(ffi.buffer(data, size), np.uint8)
    if width < 8:
        return dtypes.unpack(raw, number, shape)
    return raw.copy().view(dtypes.to_numpy(number)).reshape(shape)


def in_place(number: int) -> bool:
    """Whether the library's memory of the type is NumPy's."""
    return dtypes.bits(number) >= 8


def output_memory(shape: tuple[int, ...], number: int, out: Optional[Array], name: str) -> Array:
    """Where an output is written: a new array, or the caller's if it fits."""
    want = dtypes.to_numpy(number)
    if out is None:
        return np.empty(shape, want)
    if out.dtype != want or out.shape != shape or not out.flags.c_contiguous or not out.flags.writeable:
        raise DTypeError(f"out['{name}'] must be a writable C-contiguous array of {want} with shape {shape}; "
                         f"it is {out.dtype} with shape {out.shape}")
    return out


def like(array: Any, example: Any) -> Any:
    """`array` as a tensor of the library that `example` is from, sharing its memory; as it is where that is NumPy, or in a GPU's memory."""
    if isinstance(example, np.ndarray) or not hasattr(example, "__dlpack__") or not isinstance(array, np.ndarray) or array.dtype == np.object_:
        return array
    if dlpack.on_gpu(example):
        return array
    library = sys.modules.get(type(example).__module__.split(".")[0])
    convert = getattr(library, "from_dlpack", None) or getattr(getattr(library, "utils", None), "from_dlpack", None)
    return convert(dlpack.Tensor(array)) if convert else array
