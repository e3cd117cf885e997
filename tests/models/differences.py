"""How far outputs are off, for the tests of networks."""
import numpy as np


def worst(got, want):
    """The largest difference of any output, relative to its range."""
    found = 0.0
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape
        if not w.size:
            continue
        spread = float(np.ptp(w.astype(np.float64))) or max(float(np.abs(w.astype(np.float64)).max()), 1e-6)
        difference = np.abs(g.astype(np.float64) - w.astype(np.float64)).max() / spread
        found = max(found, float(difference) if difference == difference else float("inf"))
    return found
