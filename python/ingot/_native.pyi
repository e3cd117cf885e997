# The extension that cffi makes of ingot.h (python/make_native.py): `lib` has the functions and constants, `ffi` the types.
from typing import Any

ffi: Any
lib: Any
