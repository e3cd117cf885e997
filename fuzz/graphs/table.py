"""The generator's table: rows register themselves with the operators they make and their tags."""
import pathlib
import re
from collections import namedtuple

def known_operators(root):
    """ONNX's names of the operators that ingot has: ops.def's and those that the importer makes of others."""
    rows = re.findall(r"^INGOT_(?:OP|ELEMENTWISE)\((\w+), \"(\w*)\"(?:, \"(\w*)\")?", (root / "src" / "ops.def").read_text(), re.M)
    made = re.findall(r"ROW\(([A-Z]\w+), ", (root / "src" / "import" / "onnx" / "opset.c").read_text().split("microsoft[]")[0])
    return {onnx for _, onnx, domain in rows if onnx and domain in ("", None)} | set(made)


ROOT = pathlib.Path(__file__).resolve().parents[2]
KNOWN = known_operators(ROOT)
Row = namedtuple("Row", "fn ops tags weight since")
Theme = namedtuple("Theme", "name ranks empty tags")
ROWS = []


def row(*ops, tags=("any",), weight=1.0, since=0):
    """Registers fn(g), which adds nodes to g or raises Reject. `since`: the opset that has them."""

    def register(fn):
        ROWS.append(Row(fn, ops, tags, weight, since))
        return fn

    return register


# How often rows of each tag are drawn; a tag that isn't named counts 0.3.
THEMES = [
    Theme("image", [4, 4, 4, 4, 3, 5], 0.003, {"any": 0.6, "image": 3.0, "norm": 1.0, "shape": 0.7, "quant": 0.7, "chain": 1.5}),
    Theme("sequence", [3, 3, 3, 2, 4], 0.005, {"any": 0.7, "matrix": 2.5, "norm": 2.0, "shape": 1.0, "rnn": 0.8, "chain": 1.5, "quant": 0.4}),
    Theme("matrix", [2, 2, 2, 3, 1], 0.01, {"any": 1.0, "matrix": 2.0, "norm": 1.0, "shape": 1.0, "quant": 0.8, "chain": 1.0}),
    Theme("elements", [0, 1, 2, 3, 4, 5], 0.03, {"any": 2.0, "shape": 0.7, "bool": 1.0, "int": 0.7, "reduce": 1.0}),
    Theme("movement", [1, 2, 3, 4, 5], 0.03, {"any": 0.6, "shape": 3.0, "index": 2.0, "reduce": 0.7, "chain": 1.0}),
    Theme("integers", [0, 1, 2, 3], 0.02, {"any": 0.5, "int": 3.0, "index": 1.5, "shape": 1.0, "bool": 1.5}),
    Theme("control", [1, 2, 3], 0.01, {"any": 1.0, "flow": 3.0, "bool": 1.0, "shape": 0.8, "matrix": 0.7}),
    Theme("mixed", [0, 1, 2, 3, 4, 5], 0.01, {tag: 1.0 for tag in ("any", "image", "norm", "matrix", "shape", "index", "int", "bool", "reduce",
                                                                   "quant", "rnn", "flow", "chain")}),
]
THEME_WEIGHTS = [0.24, 0.16, 0.12, 0.12, 0.12, 0.06, 0.08, 0.10]


def rows_for(theme, opset):
    rows = [r for r in ROWS if r.since <= opset]
    return rows, [r.weight * max(theme.tags.get(tag, 0.15) for tag in r.tags) for r in rows]
