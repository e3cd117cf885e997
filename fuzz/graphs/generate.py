"""A random model from a seed."""
import numpy as np

import rows_chains  # noqa: F401  (rows register themselves)
import rows_elements  # noqa: F401
import rows_flow  # noqa: F401
import rows_networks  # noqa: F401
import rows_shape  # noqa: F401
import rows_vision  # noqa: F401
from builder import Graph, finish
from table import THEME_WEIGHTS, THEMES, rows_for

OPSETS = [17, 18, 20, 21, 21, 22, 23, 24, 25, 26]
MOST_NODES = 28


def generate(oracle, seed, only=None):
    """(model, sets of feeds, wanted outputs in copies for each set, operators); None where the seed gives nothing. `only`: a row's name."""
    rng = np.random.default_rng([seed, 1])
    theme = THEMES[int(rng.choice(len(THEMES), p=THEME_WEIGHTS))]
    opset = int(rng.choice(OPSETS))
    g = Graph(oracle, [seed, 2], opset, theme)
    rows, weights = rows_for(theme, opset)
    if only:
        weights = [w if r.fn.__name__ in ("unary", "binary", "transpose") else 40.0 if r.fn.__name__ == only else 0.0 for r, w in zip(rows, weights)]
    weights = np.array(weights) / sum(weights)
    want, tries = int(rng.integers(1, 12)), 0
    while len(g.ops) < want and tries < 60 and len(g.nodes) < MOST_NODES:
        tries += 1
        g.try_row(rows[int(rng.choice(len(rows), p=weights))].fn)
    made = finish(g)
    return made and (*made, g.ops)
