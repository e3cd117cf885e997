"""A batch shared out among GPUs."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import numpy as np

from . import arrays
from .context import call
from .device import device_count
from .engine import Array, Engine, IoInfo
from .errors import ArgumentError, ShapeError


class DataParallel:
    """An engine on several GPUs, which run at the same time, each with its part of the batch: the first dims of inputs and outputs, where they are
    free. Inputs without a free first dim go to all of them. Parts are as equal as can be, the first ones the larger; the engine must take
    their sizes.

    engine   built for one of the GPUs: build(..., device="cuda"), with shapes that are a part's
    devices  the GPUs ("cuda:0", ...); all that there are by default

    Raises ingot.ArgumentError where nothing can be shared out, DeviceError where the engine wasn't built for a GPU or there is none."""

    def __init__(self, engine: Engine, devices: Optional[Sequence[str]] = None) -> None:
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self._split = {info.name for info in self.inputs if _free(info)}
        fixed = [info.name for info in self.outputs if not _free(info)]
        if not self._split or fixed:
            raise ArgumentError("the engine's inputs have no free first dim" if not self._split else
                                f"outputs without a free first dim can't be put together: {', '.join(fixed)}")
        names = list(devices) if devices is not None else [f"cuda:{i}" for i in range(device_count("cuda"))]
        data = engine.serialize()
        self.engines = [engine if name == engine.device else Engine.deserialize(data, device=name) for name in names or ["cuda:0"]]
        self._threads = ThreadPoolExecutor(len(self.engines), "ingot")

    def run(self, feeds: Mapping[str, Any], outputs: Optional[Sequence[str]] = None) -> dict[str, Array]:
        """Runs once on all GPUs and gives the outputs by name, whole. feeds: arrays in the host's memory, as for Context.run. Raises ingot.Error."""
        whole = {info.name: arrays.as_array(feeds[info.name], info.number, info.name) for info in self.inputs if info.name in feeds}
        if whole.keys() != {info.name for info in self.inputs} or len(feeds) != len(whole):
            raise ArgumentError(f"{', '.join(feeds) or 'nothing'} was given; the inputs are {', '.join(info.name for info in self.inputs)}")
        sizes = {whole[name].shape[0] for name in self._split if whole[name].ndim}
        if len(sizes) != 1:
            raise ShapeError(f"the inputs' first dims differ: {sorted(sizes)}")
        batch, = sizes
        each, left = divmod(batch, len(self.engines))
        bounds = [i * each + min(i, left) for i in range(len(self.engines) + 1)]
        work = [self._threads.submit(engine.run, {name: array[first:end] if name in self._split else array for name, array in whole.items()}, outputs)
                for engine, first, end in zip(self.engines, bounds, bounds[1:]) if end > first or batch == 0 and engine is self.engines[0]]
        parts = [future.result() for future in work]
        return {name: np.concatenate([part[name] for part in parts]) if len(parts) > 1 else found for name, found in parts[0].items()}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs with inputs by place or name; the output, or a tuple where there are several."""
        return call(self.run, self.engines[0], args, kwargs)


def _free(info: IoInfo) -> bool:
    return info.kind == "tensor" and bool(info.shape) and not isinstance(info.shape[0], int)  # type: ignore[index]
