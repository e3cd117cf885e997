"""Writes the C source of ingot's Python extension: `make_native.py INGOT_H OUT_C`. The declarations that cffi needs are taken from the
public header itself, so that the two can't part. CMake runs this; it needs cffi."""
import pathlib
import re
import sys

# DLPack's structures, and what frees a capsule's tensor that nobody took. (PyCapsule is in Python's limited API.)
DLPACK = """
typedef struct { int32_t device_type, device_id; } ingot_dl_device;
typedef struct { uint8_t code, bits; uint16_t lanes; } ingot_dl_type;
typedef struct {
  void *data;
  ingot_dl_device device;
  int32_t ndim;
  ingot_dl_type dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
} ingot_dl_tensor;
typedef struct ingot_dl_managed {
  ingot_dl_tensor dl_tensor;
  void *manager_ctx;
  void (*deleter)(struct ingot_dl_managed *);
} ingot_dl_managed;
"""
CAPSULE = """
static void free_capsule(PyObject *capsule) {
  ingot_dl_managed *managed = PyCapsule_IsValid(capsule, "dltensor") ? PyCapsule_GetPointer(capsule, "dltensor") : NULL;
  if (managed && managed->deleter) managed->deleter(managed);
}
static void *ingot_python_capsule_destructor(void) { return (void *)free_capsule; }
"""


def declarations(header: str) -> str:
    """What cffi's parser understands of the header: no comments, no preprocessor, numbers for macros."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    numbers = dict(re.findall(r"^#define (INGOT_[A-Z0-9_]+) (\d+)u?\s*$", text, flags=re.M))
    text = re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", "", text, flags=re.M)
    body = re.search(r'extern "C" \{(.*)^\}', text, flags=re.S | re.M)
    if not body:
        raise SystemExit('make_native.py: the header has no extern "C" { ... }')
    text = body.group(1).replace("INGOT_API ", "")
    text = re.sub(r"\b(" + "|".join(numbers) + r")\b", lambda m: numbers[m.group(1)], text)
    macros = "".join(f"#define {name} {value}\n" for name, value in numbers.items())
    return macros + re.sub(r"\n\s*\n+", "\n", text)


def callbacks(text: str) -> str:
    """For every function type `ingot_x_fn`, and the allocator's function, a function `ingot_python_x` that Python defines."""
    found = re.findall(r"typedef ([a-z_]+) \(\*ingot_([a-z]+)_fn\)(\([^;]*\));", text)
    found += [(result, name, arguments) for result, name, arguments in re.findall(r"^ +(void \*)\(\*(reallocate)\)(\([^;]*\));", text, flags=re.M)]
    return "".join(f'extern "Python" {result} ingot_python_{name}{arguments};\n' for result, name, arguments in found)


def main() -> None:
    try:
        import cffi
    except ImportError:
        raise SystemExit(f"make_native.py: {sys.executable} has no cffi: pip install cffi") from None
    header, out = map(pathlib.Path, sys.argv[1:3])
    text = declarations(header.read_text())
    ffi = cffi.FFI()
    ffi.cdef(text + DLPACK + callbacks(text) + 'void *ingot_python_capsule_destructor(void);\n'
             'extern "Python" void ingot_python_dl_delete(ingot_dl_managed *);\n')
    ffi.set_source("ingot._native", '#include "ingot/ingot.h"\n' + DLPACK + CAPSULE, py_limited_api=True)
    ffi.emit_c_code(str(out))


main()
