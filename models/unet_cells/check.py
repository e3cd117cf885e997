#!/usr/bin/env python3
"""Runs unet_cells.onnx on the samples with onnxruntime and prints the Dice.

Each sample goes through alone and again in batches of four; the logits of both
ways must agree.  Needs NumPy, Pillow and onnxruntime.

    python3 check.py
"""

import argparse
import pathlib

import numpy as np
import onnxruntime
from PIL import Image


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=here / "unet_cells.onnx")
    parser.add_argument("--samples", type=pathlib.Path, default=here / "samples")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(
        str(args.model), options, providers=["CPUExecutionProvider"])

    names = sorted(p for p in args.samples.glob("cell_*.png")
                   if not p.stem.endswith("_truth"))
    images = np.stack([np.asarray(Image.open(p)) for p in names])
    truths = np.stack([np.asarray(Image.open(p.with_name(p.stem + "_truth.png"))) > 127
                       for p in names])
    x = (images[:, None] / 255).astype(np.float32)   # (count, 1, 512, 512)

    alone = np.concatenate([session.run(["output"], {"input": x[i:i + 1]})[0]
                            for i in range(len(x))])
    four = np.concatenate([session.run(["output"], {"input": x[i:i + 4]})[0]
                           for i in range(0, len(x), 4)])
    scores = []
    for name, logits, truth in zip(names, alone, truths):
        guess = logits[1] > logits[0]
        scores.append(2 * (guess & truth).sum() / (guess.sum() + truth.sum()))
        print(f"{name.name}  Dice {scores[-1]:.4f}")
    print(f"mean {np.mean(scores):.4f}  min {np.min(scores):.4f}")
    print(f"batch of 4 against alone: largest difference of a logit "
          f"{np.abs(four - alone).max():.2e} (logits reach {np.abs(alone).max():.1f})")


if __name__ == "__main__":
    main()
