#!/usr/bin/env python3
"""Trains the cell U-Net from scratch on pictures of make_data.py and exports it.

Writes next to itself (or under --out): unet_cells.onnx, samples/, results.json
and RESULTS.md.  One command does it all, on a GPU in a few minutes:

    python3 train.py --seed 7

Shapes: N pictures, H = W = 512 pixels (any multiple of 16 trains).  The input
is (N, 1, H, W) float32, grey 0..255 divided by 255 and nothing else; the
output is (N, 2, H, W) float32 logits, channel 0 background, channel 1 cell.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import pathlib
import shlex
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import make_data

WIDTHS = (16, 32, 64, 96, 128)      # channels at 1/1, 1/2, 1/4, 1/8, 1/16 size


# ---------------------------------------------------------------------- network

def double_conv(cin, cout):
    """Twice 3x3 convolution, batch norm, ReLU: (N, cin, H, W) -> (N, cout, H, W)."""
    layers = []
    for channels in (cin, cout):
        layers += [nn.Conv2d(channels, cout, 3, padding=1, bias=False),
                   nn.BatchNorm2d(cout), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """U-Net, four levels down: (N, 1, H, W) grey 0..1 -> (N, 2, H, W) logits."""

    def __init__(self, widths=WIDTHS):
        super().__init__()
        ins = (1,) + widths[:-1]
        self.down = nn.ModuleList(double_conv(i, o) for i, o in zip(ins, widths))
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for low, high in zip(widths[:0:-1], widths[-2::-1]):
            self.up.append(nn.ConvTranspose2d(low, high, 2, stride=2))
            self.merge.append(double_conv(2 * high, high))
        self.head = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


# ------------------------------------------------------------------------- data

def one_picture(job):
    """make_data.make_image for a pool of processes; job: (seed, split, index)."""
    return make_data.make_image(*job)


def pictures(seed, split, count, workers):
    """`count` pictures of a split: images uint8 and truths bool, (count, 512, 512)."""
    jobs = [(seed, split, index) for index in range(count)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pairs = list(pool.imap(one_picture, jobs, chunksize=4))
    return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])


def augment(x, y, rng):
    """One of the 8 flips and quarter turns per batch, and light per picture.

    x: (N, 1, H, W) grey 0..1, y: (N, H, W) class 0/1, rng: torch CPU generator.
    """
    turns, flip = torch.randint(0, 4, (1,), generator=rng).item(), \
        torch.randint(0, 2, (1,), generator=rng).item()
    x, y = torch.rot90(x, turns, (2, 3)), torch.rot90(y, turns, (1, 2))
    if flip:
        x, y = x.flip(3), y.flip(2)
    gain, shift = torch.rand(2, len(x), 1, 1, 1, generator=rng).to(x.device)
    mean = x.mean((2, 3), keepdim=True)
    x = (x - mean) * (0.75 + 0.5 * gain) + mean + 0.2 * (shift - 0.5)
    return x.clamp(0, 1), y


# --------------------------------------------------------------------- training

def loss_of(logits, y):
    """Cross entropy plus soft Dice loss; logits (N, 2, H, W), y (N, H, W) 0/1."""
    logits = logits.float()
    cell = torch.softmax(logits, 1)[:, 1]
    both = (cell * y).sum((1, 2))
    dice = (2 * both + 1) / (cell.sum((1, 2)) + y.sum((1, 2)) + 1)
    return F.cross_entropy(logits, y) + 1 - dice.mean()


def train(images, truths, args, device):
    """Trains a U-Net on uint8 images and bool truths (count, H, W); returns it."""
    images, truths = (torch.from_numpy(a).to(device) for a in (images, truths))
    layout = torch.channels_last
    net = UNet().to(device, memory_format=layout)
    steps = args.epochs * (len(images) // args.batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, args.lr, total_steps=steps, pct_start=0.15)
    rng = torch.Generator().manual_seed(args.seed)
    began = time.time()
    for epoch in range(args.epochs):
        net.train()
        total = 0.0
        order = torch.randperm(len(images), generator=rng).to(device)
        chunks = order[:len(order) // args.batch * args.batch].split(args.batch)
        for pick in chunks:
            x, y = augment(images[pick, None].float() / 255, truths[pick].long(), rng)
            with torch.autocast(device.type, torch.bfloat16,
                                enabled=device.type == "cuda"):
                logits = net(x.contiguous(memory_format=layout))
            loss = loss_of(logits, y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.detach()
        print(f"epoch {epoch + 1:3d}/{args.epochs}  loss {total.item() / len(chunks):.4f}"
              f"  {time.time() - began:6.1f} s", flush=True)
    return net.eval()


# ------------------------------------------------------------------- evaluation

def dice(guess, truth):
    """Dice 2|A and B| / (|A| + |B|) of two bool arrays (H, W), as a float."""
    return float(2 * (guess & truth).sum() / max(1, guess.sum() + truth.sum()))


def predict(net, images, device):
    """Cell masks (count, H, W) bool of uint8 images, computed in fp32."""
    masks = []
    with torch.no_grad():
        for part in torch.from_numpy(images).split(8):
            logits = net(part[:, None].to(device).float() / 255)
            masks.append((logits[:, 1] > logits[:, 0]).cpu().numpy())
    return np.concatenate(masks)


def threshold_dice(image, truth):
    """Dice of one global threshold, on whichever side of it fits the truth better.

    Returns (with Otsu's threshold, with the best of all 255 thresholds); both
    choose with the truth in hand, so they flatter thresholding.
    """
    cell = np.bincount(image[truth], minlength=256).astype(np.float64)
    back = np.bincount(image[~truth], minlength=256).astype(np.float64)
    hit, miss = cell.cumsum()[:-1], back.cumsum()[:-1]   # grey <= k, k = 0..254
    dark = 2 * hit / (hit + miss + cell.sum())
    hit, miss = cell.sum() - hit, back.sum() - miss      # grey > k
    bright = 2 * hit / (hit + miss + cell.sum())
    share = (cell + back) / image.size
    weight, mean = share.cumsum(), (share * np.arange(256)).cumsum()
    spread = (mean[-1] * weight - mean) ** 2 / np.maximum(weight * (1 - weight), 1e-12)
    k = int(spread[:-1].argmax())
    return float(max(dark[k], bright[k])), float(max(dark.max(), bright.max()))


def export(net, path):
    """Writes the network (eval mode, batch norm folded) as ONNX, dynamic batch."""
    torch.onnx.export(
        net.cpu().float(), torch.zeros(1, 1, make_data.SIZE, make_data.SIZE),
        str(path), input_names=["input"], output_names=["output"],
        opset_version=17, dynamo=False,
        dynamic_axes={"input": {0: "N"}, "output": {0: "N"}})


def report(results, folder):
    """Writes results.json and the same figures as a table in RESULTS.md."""
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    rows = "\n".join(f"| {key.replace('_', ' ')} | {value} |"
                     for key, value in results.items())
    (folder / "RESULTS.md").write_text(
        "# unet_cells: results\n\nWritten by `train.py`. Dice is of the cell class, "
        "per picture, from argmax of the logits.\nBoth threshold figures choose the "
        "better side of the threshold with the truth in hand.\n\n"
        f"| | |\n| --- | --- |\n{rows}\n")


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=2400, help="training pictures")
    parser.add_argument("--heldout", type=int, default=200, help="held-out pictures")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=4e-3, help="peak of one cycle")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--samples", type=int, default=12, help="PNGs to write")
    parser.add_argument("--out", type=pathlib.Path, default=here)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.backends.cudnn.allow_tf32 = False      # the evaluation is plain fp32
    torch.backends.cudnn.benchmark = True
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    args.out.mkdir(parents=True, exist_ok=True)

    began = time.time()
    images, truths = pictures(args.seed, "train", args.count, args.workers)
    held, held_truths = pictures(args.seed, "heldout", args.heldout, args.workers)
    made = time.time()
    print(f"{args.count} + {args.heldout} pictures in {made - began:.0f} s", flush=True)
    net = train(images, truths, args, device)
    trained = time.time()

    masks = predict(net, held, device)
    scores = np.array([dice(m, t) for m, t in zip(masks, held_truths)])
    otsu, best = np.array([threshold_dice(i, t) for i, t in zip(held, held_truths)]).T
    onnx_path = args.out / "unet_cells.onnx"
    export(net, onnx_path)
    make_data.write_samples(args.out / "samples", args.samples, args.seed)
    options = sys.argv[1:]
    if "--out" in options:                       # where it went is no setting
        at = options.index("--out")
        del options[at:at + 2]
    results = {
        "dice_mean": round(scores.mean(), 4),
        "dice_median": round(float(np.median(scores)), 4),
        "dice_min": round(scores.min(), 4),
        "dice_of_the_first_12": [round(s, 4) for s in scores[:12].tolist()],
        "otsu_threshold_dice_mean": round(otsu.mean(), 4),
        "best_threshold_dice_mean": round(best.mean(), 4),
        "best_threshold_dice_max": round(best.max(), 4),
        "training_pictures": args.count,
        "heldout_pictures": args.heldout,
        "seed": args.seed,
        "command": shlex.join(["python3", "train.py"] + options),
        "epochs": args.epochs,
        "device": torch.cuda.get_device_name() if cuda else "CPU",
        "pytorch": torch.__version__,
        "date": datetime.date.today().isoformat(),
        "data_seconds": round(made - began),
        "training_seconds": round(trained - made),
        "channels": list(WIDTHS),
        "parameters": sum(p.numel() for p in net.parameters()),
        "onnx_bytes": onnx_path.stat().st_size,
    }
    report(results, args.out)
    print((args.out / "RESULTS.md").read_text())


if __name__ == "__main__":
    main()
