"""Networks: loaded from ONNX, to be looked at and built."""
from __future__ import annotations

import logging
import os
import re
import sysconfig
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from . import dtypes
from ._native import ffi, lib
from .errors import check, text

log = logging.getLogger("ingot")
_LEVELS = {lib.INGOT_LOG_ERROR: logging.ERROR, lib.INGOT_LOG_WARNING: logging.WARNING, lib.INGOT_LOG_INFO: logging.INFO,
           lib.INGOT_LOG_VERBOSE: logging.DEBUG}


@ffi.def_extern()  # type: ignore[untyped-decorator]
def ingot_python_log(user: Any, severity: int, message: Any) -> None:
    log.log(_LEVELS[severity], "%s", text(message))


def environment(memory_limit: int = 0) -> Any:
    """The C environment: messages go to Python's logger "ingot", as urgent as it wants them now."""
    os.environ.setdefault("INGOT_SITE_PACKAGES", sysconfig.get_paths()["purelib"])  # where NVIDIA's wheels have put their libraries
    env = ffi.new("ingot_env *")
    env.log = lib.ingot_python_log
    env.log_level = max(number for number, level in _LEVELS.items() if number == lib.INGOT_LOG_ERROR or log.isEnabledFor(level))
    env.memory_limit = memory_limit
    return env


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: `shape` has a number for each fixed dim, the symbol's name (or None) for each other; None if the rank is unknown."""

    name: str
    dtype: np.dtype[Any]
    shape: Optional[tuple[Union[int, str, None], ...]]
    number: int  # ingot's and ONNX's number of the data type
    kind: str = "tensor"  # or "sequence" (of tensors of this type), "optional" (a tensor or None), "optional_sequence"


KINDS = {lib.INGOT_KIND_TENSOR: "tensor", lib.INGOT_KIND_SEQUENCE: "sequence", lib.INGOT_KIND_OPTIONAL: "optional",
         lib.INGOT_KIND_OPTIONAL_SEQUENCE: "optional_sequence"}


class Network:
    """A network in memory. `model` is the path of an ONNX file, its bytes, or an onnx.ModelProto; `folder` is where the external data
    of bytes lies. Raises ingot.Error with all problems found, one a line."""

    def __init__(self, model: Any, *, folder: Union[str, os.PathLike[str], None] = None, memory_limit: int = 0) -> None:
        out, env = ffi.new("ingot_network **"), environment(memory_limit)
        if hasattr(model, "SerializeToString"):
            model = model.SerializeToString()
        if isinstance(model, (str, os.PathLike)):
            check(lib.ingot_network_load(env, os.fsencode(model), out))
        else:
            self._bytes = ffi.from_buffer(model)  # the network's weights stay there
            where = os.fsencode(folder) if folder is not None else ffi.NULL
            check(lib.ingot_network_load_memory(env, self._bytes, len(self._bytes), where, out))
        self._handle = ffi.gc(out[0], lib.ingot_network_destroy)

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Inputs in the network's order; constants that ONNX lists among inputs are not."""
        n = lib.ingot_network_num_inputs(self._handle)
        return tuple(_info(lib.ingot_network_input(self._handle, i)) for i in range(n))

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Outputs in the network's order."""
        n = lib.ingot_network_num_outputs(self._handle)
        return tuple(_info(lib.ingot_network_output(self._handle, i)) for i in range(n))

    @property
    def num_layers(self) -> int:
        return int(lib.ingot_network_num_layers(self._handle))


def _info(tensor: Any) -> TensorInfo:
    name, rank, number = text(lib.ingot_tensor_name(tensor)), lib.ingot_tensor_rank(tensor), lib.ingot_tensor_dtype(tensor)
    dtype = np.dtype(np.object_) if number == lib.INGOT_UNDEFINED else dtypes.to_numpy(number)
    kind = KINDS[lib.ingot_tensor_kind(tensor)]
    if rank < 0:
        return TensorInfo(name, dtype, None, number, kind)
    dims = ffi.new("int64_t[8]")
    lib.ingot_tensor_dims(tensor, dims)
    shape = tuple(int(dims[i]) if dims[i] >= 0 else _symbol(tensor, i) for i in range(rank))
    return TensorInfo(name, dtype, shape, number, kind)


def _symbol(tensor: Any, axis: int) -> Optional[str]:
    """The dim's text; None for what the importer called after its place because the model gives no name, and for unknown dims."""
    symbol = text(lib.ingot_tensor_dim_text(tensor, axis))
    return None if symbol == "?" or re.search(r"_dim\d+$", symbol) else symbol
