"""Sequences and optionals: lists of arrays, and None, as the library's values and back."""
from __future__ import annotations

from typing import Any, Union

from . import arrays, dtypes
from ._native import ffi, lib
from .arrays import Array
from .errors import check

Value = Union[Array, list[Array], None]


def tensor(value: Any, number: int, name: str) -> Any:
    """A library's tensor with a copy of an array's elements."""
    array = arrays.as_array(value, number or arrays.number_of(value), name)
    number = number or dtypes.from_numpy(array.dtype)
    data, owner = arrays.pointer(array, number)
    out = ffi.new("ingot_value **")
    check(lib.ingot_value_create_tensor(ffi.NULL, number, array.ndim, array.shape, data, out))
    del owner
    return ffi.gc(out[0], lib.ingot_value_destroy)


def make(value: Any, number: int, name: str) -> Any:
    """The library's value for an array, a list of arrays, or None (NULL: an optional that holds nothing)."""
    if value is None:
        return ffi.NULL
    if not isinstance(value, (list, tuple)):
        return tensor(value, number, name)
    elements = [tensor(element, number, name) for element in value]
    out = ffi.new("ingot_value **")
    check(lib.ingot_value_create_sequence(ffi.NULL, ffi.new("ingot_value *[]", elements), len(elements), out))
    return ffi.gc(out[0], lib.ingot_value_destroy)


def read(value: Any) -> Value:
    """A library's value: an array, a list of arrays, or None. Copies."""
    kind = lib.ingot_value_kind(value)
    if kind == lib.INGOT_KIND_TENSOR:
        rank, dims, data = ffi.new("int *"), ffi.new("int64_t[8]"), ffi.new("void const **")
        check(lib.ingot_value_tensor(value, rank, dims, data))
        return arrays.from_memory(data[0], lib.ingot_value_dtype(value), tuple(dims[0:rank[0]]))
    elements = [read(lib.ingot_value_element(value, i)) for i in range(lib.ingot_value_count(value))]
    if kind == lib.INGOT_KIND_OPTIONAL:
        return elements[0] if elements else None
    return elements  # type: ignore[return-value]

