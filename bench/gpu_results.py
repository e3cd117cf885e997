"""The GPU benchmark's results: what machine they are of, their files, the table. For gpu_peers.py."""
import ctypes
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / (os.environ.get("BUILD") or "build")
TABLE = [("resnet50", 1, 128), ("resnet18", 1, 128), ("vgg16", 1, 32), ("alexnet", 1, 128), ("densenet121", 1, 32), ("squeezenet1_1", 1, 128),
         ("mobilenet_v2", 1, 128), ("vit_b_16", 1, 32), ("unet", 1, 8), ("ssd300", 1, 128)]
NAMES = {"compile": "torch.compile", "graph": "PyTorch, CUDA graph", "ingot": "ingot"}
SAME = "device", "driver", "torch", "cuda"  # of the machine: rows of one table agree in these


def driver():
    """The NVIDIA driver's version: from the kernel, nvidia-smi or NVML, whichever can be read; '' if none."""
    try:
        return re.search(r"Module\s+([\d.]+)", pathlib.Path("/proc/driver/nvidia/version").read_text())[1]
    except (OSError, TypeError):
        pass
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        found = re.match(r"[\d.]+", subprocess.run(command, capture_output=True, text=True, timeout=30).stdout)
        if found:
            return found[0]
    except (OSError, subprocess.TimeoutExpired):
        pass
    try:
        nvml, text = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.create_string_buffer(80)
        if nvml.nvmlInit_v2() == 0 and nvml.nvmlSystemGetDriverVersion(text, 80) == 0:
            return text.value.decode()
    except (OSError, AttributeError):
        pass
    return ""


def machine(torch, gpu):
    """What the figures depend on; `gpu`: without it, of a trial on the CPU."""
    found = {"torch": torch.__version__, "python": sys.version.split()[0]}
    if not gpu:
        return {"device": "cpu", **found}
    p = torch.cuda.get_device_properties(0)
    return {"device": p.name, "compute_capability": f"{p.major}.{p.minor}", "multiprocessors": p.multi_processor_count,
            "memory_gib": round(p.total_memory / 2**30, 1), "driver": driver(), "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(), **found}


class Files:
    """Where results and the peers' times are kept; written after every row."""

    def __init__(self, args, here):
        self.args, self.folder = args, pathlib.Path(args.out or HERE / "results")
        slug = re.sub(r"[^a-z0-9]+", "_", here["device"].lower()).strip("_")
        self.json, self.markdown = self.folder / f"gpu_{slug}.json", self.folder / f"gpu_{slug}.md"
        self.peers = BUILD / "bench" / f"gpu_peers_{slug}.json"
        self.results = {"machine": here, "precision": args.precision, "io": "float32" if args.float_io else "float16", "mode": args.mode, "rows": []}
        if args.resume and self.json.exists():
            self.resume(json.loads(self.json.read_text()))
        kept = json.loads(self.peers.read_text()) if self.peers.exists() else {}
        self.cache = kept["rows"] if kept.get("machine") == here and kept.get("mode") == args.mode else {}

    def resume(self, old):
        """Takes the rows of an earlier run over if they were measured the same way; the day may be another."""
        new = self.results
        differs = [k for k in ("precision", "io", "mode") if old.get(k) != new[k]]
        differs += [k for k in SAME if old["machine"].get(k) != new["machine"].get(k)]
        if differs:
            print(f"the results there are of another {' and '.join(differs)}: begun anew")
            return
        for row in old["rows"]:
            row.setdefault("date", old["machine"].get("date", ""))  # it was the whole file's once
        new["rows"] = old["rows"]

    def has(self, name, batch):
        return any(r["network"] == name and r["batch"] == batch and "failed" not in r for r in self.results["rows"])

    def add(self, row):
        key = row["network"], row["batch"]
        rows = [r for r in self.results["rows"] if (r["network"], r["batch"]) != key] + [row]
        order = [(n, b) for n, *batches in TABLE for b in batches]
        rows.sort(key=lambda r: order.index((r["network"], r["batch"])) if (r["network"], r["batch"]) in order else len(order))
        self.results["rows"] = rows
        if row["together"]:
            kept = self.cache.setdefault(f"{key[0]}:{key[1]}", {})
            kept.update({name: {"times": times, "error": row["errors"][name], "build_s": row["build_s"].get(name)}
                         for name, times in row["peers"].items() if name != "ingot"})
        if not self.args.no_save:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace(self.json, json.dumps(self.results, indent=1) + "\n")
            replace(self.markdown, table(self.results) + "\n")
        self.peers.parent.mkdir(parents=True, exist_ok=True)
        replace(self.peers, json.dumps({"machine": self.results["machine"], "mode": self.args.mode, "rows": self.cache}) + "\n")


def replace(path, text):
    """Writes a file so that it is the old one or the new one, never half."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


def ratio(row, what="min", peer="compile"):
    peers = row["peers"]
    return peers[peer][what] / peers["ingot"][what] if peer in peers and "ingot" in peers else None


def mean(values):
    product, n = 1.0, 0
    for v in values:
        if v:
            product, n = product * v, n + 1
    return product ** (1 / n) if n else None


def span(dates):
    dates = sorted({d for d in dates if d})
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else ""


def table(results):
    """The results as Markdown."""
    m, rows = results["machine"], results["rows"]
    peers = [n for n in NAMES if any(n in r["peers"] for r in rows)]
    device = f"{m['device']} (driver {m.get('driver') or 'unknown'}, CUDA {m.get('cuda')})" if m["device"] != "cpu" else "CPU: a trial of the script"
    beside = sum(r.get("others", 0) > 0 for r in rows)
    lines = [f"{device}, {results['precision']}, {results['io']} in and out; milliseconds a run by events, minimum (median); errors of the "
             f"outputs' range; PyTorch {m['torch']}, {results['mode']}; {span(r.get('date') for r in rows)}."
             + (f" {beside} of {len(rows)} rows had the GPU to themselves while processors compiled others." if beside else ""), "",
             "| network | batch | " + " | ".join(NAMES[p] for p in peers) + " | ratio of minima | of medians | error of ingot | of the peer |",
             "|---" * (len(peers) + 6) + "|"]

    def cell(value, form):
        return "" if value is None else form % value

    for r in rows:
        cells = [f"{r['peers'][p]['min']:.3f} ({r['peers'][p]['median']:.3f})" if p in r["peers"] else "" for p in peers]
        cells += [cell(ratio(r), "%.2f"), cell(ratio(r, "median"), "%.2f")] + [cell(r["errors"].get(p), "%.0e") for p in ("ingot", "compile")]
        lines.append(f"| {r['network']} | {r['batch']} | " + " | ".join(cells) + " |" + ("" if r["together"] else " <!-- peer of another run -->"))
    for words, wanted in (("batch 1", lambda r: r["batch"] == 1), ("large batches", lambda r: r["batch"] != 1)):
        found = [r for r in rows if wanted(r)]
        if found:
            lines.append(f"| geometric mean, {words} | |{' |' * len(peers)} {cell(mean(ratio(r) for r in found), '%.2f')} | "
                         f"{cell(mean(ratio(r, 'median') for r in found), '%.2f')} | | |")
    return "\n".join(lines)


def write_readme(text):
    readme = ROOT / "README.md"
    marks = r"(<!-- bench-gpu:begin -->\n).*?(<!-- bench-gpu:end -->)"
    new, found = re.subn(marks, lambda g: g[1] + text + "\n" + g[2], readme.read_text(), flags=re.S)
    if found:
        readme.write_text(new)
    return found
