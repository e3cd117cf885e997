"""Tensors in the emulated GPU's memory, as another library would have them: with DLPack, and with as much of PyTorch as the package uses."""
import types

import numpy as np


class Gpu:
    """The GPU's memory by the library's own calls."""

    def __init__(self, package):
        self.package, self.ffi, self.lib = package, package._native.ffi, package._native.lib
        out = self.ffi.new("ingot_device **")
        package.errors.check(self.lib.ingot_device_create(self.ffi.NULL, b"cuda:0", out))
        self.handle = out[0]

    def copy(self, to, source, size):
        cast = self.ffi.cast
        self.package.errors.check(self.lib.ingot_device_copy(self.handle, cast("void *", to), cast("void *", source), size))

    def tensor(self, array, kind=None):
        """A copy of an array there; of its strides too."""
        array = np.asarray(array)
        base = array.base if array.base is not None and array.base.size > array.size else array
        dense = np.ascontiguousarray(base.ravel(order="K"))
        made = (kind or Tensor)(self, array.shape, array.dtype, [s // array.itemsize for s in array.strides], dense.nbytes)
        self.copy(made.start, dense.ctypes.data, dense.nbytes)
        made.offset = array.ctypes.data - base.ctypes.data
        return made

    def empty(self, shape, dtype, kind=None):
        strides, step = [], 1
        for dim in reversed(shape):
            strides.insert(0, step)
            step *= dim
        return (kind or Tensor)(self, tuple(shape), np.dtype(dtype), strides, max(step * np.dtype(dtype).itemsize, 1))


class Tensor:
    def __init__(self, gpu, shape, dtype, strides, size):
        out = gpu.ffi.new("void **")
        gpu.package.errors.check(gpu.lib.ingot_device_alloc(gpu.handle, size, out))
        self.gpu, self.shape, self.dtype, self.strides, self.size, self.offset = gpu, shape, dtype, strides, size, 0
        self.start, self.index, self.asked = int(gpu.ffi.cast("uintptr_t", out[0])), 0, []

    def __del__(self):
        self.gpu.lib.ingot_device_free(self.gpu.handle, self.gpu.ffi.cast("void *", self.start))

    def __dlpack_device__(self):
        return (2, self.index)

    def __dlpack__(self, *, stream=None, **more):
        dlpack, ffi = self.gpu.package.dlpack, self.gpu.ffi
        self.asked.append(stream)
        managed = ffi.new("ingot_dl_managed *")
        shape, strides, t = ffi.new("int64_t[]", list(self.shape) or [0]), ffi.new("int64_t[]", list(self.strides) or [0]), managed.dl_tensor
        t.data, t.byte_offset, t.ndim, t.shape, t.strides = ffi.cast("void *", self.start), self.offset, len(self.shape), shape, strides
        t.device.device_type, t.device.device_id = 2, self.index
        (t.dtype.code, t.dtype.bits), t.dtype.lanes = dlpack._CODES[self.dtype], 1
        managed.deleter = self.gpu.lib.ingot_python_dl_delete
        pointer = int(ffi.cast("uintptr_t", managed))
        dlpack._lent[pointer] = (managed, shape, strides, self)
        return dlpack._capsule_new(pointer, dlpack._NAME, dlpack._capsule_destructor)

    def numpy(self):
        flat = np.zeros(self.size, np.uint8)
        self.gpu.copy(flat.ctypes.data, self.start, self.size)
        strides = [s * self.dtype.itemsize for s in self.strides]
        return np.lib.stride_tricks.as_strided(flat[self.offset:].view(self.dtype), self.shape, strides).copy()


def torch_of(gpu):
    """A module that stands for PyTorch: tensors are on the GPU, the current stream is what `current` says."""
    torch = types.ModuleType("torch")
    torch.current, torch.recorded = types.SimpleNamespace(cuda_stream=0), []

    class TorchTensor(Tensor):
        device = "cuda:0"
        requires_grad = False

        def data_ptr(self):
            return self.start + self.offset

        def contiguous(self):
            return gpu.tensor(np.ascontiguousarray(self.numpy()), TorchTensor)

        def record_stream(self, stream):
            torch.recorded.append(stream)

    torch.Tensor = TorchTensor
    for name in ("float32", "float16", "int64", "bool"):
        setattr(torch, name, np.dtype(name))
    torch.empty = lambda shape, dtype, device: gpu.empty(shape, dtype, TorchTensor)
    torch.cuda = types.SimpleNamespace(current_stream=lambda device: torch.current, ExternalStream=lambda handle, device: ("external", handle))
    torch.from_dlpack = lambda host: types.SimpleNamespace(to=lambda device: gpu.tensor(host.array, TorchTensor))
    return torch
