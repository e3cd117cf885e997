"""Exceptions: one class for each error of the C interface, with its text. All are `ingot.Error`; each is also the built-in exception that
Python's users expect in its place."""
from __future__ import annotations

from ._native import ffi, lib


class Error(Exception):
    """A call of the library failed. `status` is the number of ingot_status; the text names the file and the layer."""

    status = 0


class ArgumentError(Error, ValueError):
    """A call's argument is wrong."""


class OutOfMemoryError(Error, MemoryError):
    """No memory, or a limit on it was hit."""


class FileError(Error, OSError):
    """A file can't be opened, read or written."""


class FormatError(Error, ValueError):
    """A file is damaged, truncated or not of its format."""


class UnsupportedError(Error, NotImplementedError):
    """Valid, but something that ingot doesn't have: an operator, a type."""


class NetworkError(Error, ValueError):
    """The network is inconsistent: cycles, missing values, wrong attributes."""


class ShapeError(Error, ValueError):
    """Shapes that don't fit together, or out of the profile."""


class DTypeError(Error, TypeError):
    """Data types that don't fit together."""


class LimitError(Error, ValueError):
    """A size, depth or rank beyond what ingot accepts."""


class CancelledError(Error):
    """The progress callback asked to stop."""


class VerifyError(Error):
    """The engine's outputs leave the reference."""


class DeviceError(Error, RuntimeError):
    """A device or its driver is missing or failed."""


class StateError(Error, RuntimeError):
    """A call out of order."""


class InternalError(Error, RuntimeError):
    """A bug in ingot."""


_CLASSES = {
    lib.INGOT_E_ARGUMENT: ArgumentError, lib.INGOT_E_MEMORY: OutOfMemoryError, lib.INGOT_E_IO: FileError,
    lib.INGOT_E_FORMAT: FormatError, lib.INGOT_E_UNSUPPORTED: UnsupportedError, lib.INGOT_E_NETWORK: NetworkError,
    lib.INGOT_E_SHAPE: ShapeError, lib.INGOT_E_TYPE: DTypeError, lib.INGOT_E_LIMIT: LimitError,
    lib.INGOT_E_CANCELLED: CancelledError, lib.INGOT_E_VERIFY: VerifyError, lib.INGOT_E_DEVICE: DeviceError,
    lib.INGOT_E_STATE: StateError, lib.INGOT_E_INTERNAL: InternalError,
}
for _status, _class in _CLASSES.items():
    _class.status = _status


def check(status: int) -> None:
    """Raises what a call's status says; to be called right after it, on the same thread."""
    if status:
        raise _CLASSES.get(status, Error)(text(lib.ingot_last_error()))


def text(pointer: object) -> str:
    """A C string as str."""
    raw: bytes = ffi.string(pointer)
    return raw.decode("utf-8", "replace")
