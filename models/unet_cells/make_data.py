#!/usr/bin/env python3
"""Synthetic microscopy images of cells with pixel truth (NumPy + SciPy only).

One image is fixed by (seed, split, index): `make_image(7, "heldout", 3)` gives
the same pixels in whatever process and order it is called.

Images are (512, 512) uint8, grey 0..255; truths are (512, 512) bool, True on
cell.  All lengths below are in pixels, all intensities in units of full scale
(0..1, where 1 is grey 255) until the last step, which quantises.

A picture is put together as a microscope would: cells (varied shape, size,
contrast; bright, dark, or phase-contrast-like with a rim, a halo and an inside
as grey as the background; many of them touching), debris that is not cell
(specks, fibres, ring-shaped bubbles, out-of-focus blobs), uneven light, blur
of the optics, shot and read noise, 8-bit quantisation.  Where two cells touch,
the truth leaves a gap two pixels wide as background, so that its connected
components are single cells.

    python3 make_data.py --out samples --count 12 --seed 7
"""

import argparse
import pathlib
import struct
import zlib

import numpy as np
from scipy import ndimage

SIZE = 512
SPLITS = {"train": 0, "heldout": 1}


# ---------------------------------------------------------------- small helpers

def smooth_field(rng, knots):
    """Smooth random field, (512, 512) float32, mean 0, standard deviation 1.

    `knots` random values along each axis, joined by cubic splines: 2 or 3
    gives light falling off over the whole view, 16 gives clouds.
    """
    grid = rng.standard_normal((knots + 1, knots + 1)).astype(np.float32)
    at = np.linspace(0, knots, SIZE, dtype=np.float32)
    field = ndimage.map_coordinates(
        grid, np.meshgrid(at, at, indexing="ij"), order=3, mode="nearest")
    return (field - field.mean()) / (field.std() + 1e-6)


def window(cy, cx, reach):
    """Rows and columns of the square of half-side `reach` around (cy, cx).

    Returns (slices, y, x): a pair of slices inside the image, and the pixel
    offsets from the centre as broadcastable float32 columns and rows.
    """
    y0, y1 = max(0, int(cy - reach)), min(SIZE, int(cy + reach) + 1)
    x0, x1 = max(0, int(cx - reach)), min(SIZE, int(cx + reach) + 1)
    y = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(cy)
    x = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(cx)
    return (slice(y0, y1), slice(x0, x1)), y, x


# ------------------------------------------------------------------------ cells

def draw_style(rng):
    """Everything that the cells of one picture have in common, as a dict."""
    mode = rng.choice(["bright", "dark", "phase"], p=[0.3, 0.25, 0.45])
    sign = {"bright": 1.0, "dark": -1.0}.get(mode) or rng.choice([-1.0, 1.0])
    return {
        "mode": mode,
        "contrast": sign * rng.uniform(0.09, 0.24),   # full scale = 1
        "radius": rng.uniform(13, 34),                # px
        "radius_spread": rng.uniform(0.1, 0.35),      # of the radius
        "wobble": rng.uniform(0.02, 0.16),            # of the radius
        "stretch": rng.uniform(1.05, 2.0),            # long axis / short axis
        "coverage": rng.uniform(0.10, 0.42),          # share of cell pixels
        "touching": rng.uniform(0.2, 0.8),            # chance to sit at another
        "nucleus": rng.uniform(-0.5, 0.7),            # of the contrast
        "grain": rng.uniform(0.1, 0.45),              # of the contrast
    }


def cell_depth(rng, style, radius, y, x):
    """Depth below the outline (px, negative outside) and relative radius.

    The outline is a stretched, turned, bent circle with a Fourier series on
    its radius.  `y`, `x` are offsets from the centre (px); both results have
    the shape of the window.
    """
    turn = rng.uniform(0, 2 * np.pi)
    stretch = rng.uniform(1.0, style["stretch"])
    along = np.cos(turn) * x + np.sin(turn) * y
    across = np.cos(turn) * y - np.sin(turn) * x
    across = across + rng.uniform(-0.25, 0.25) * along * along / radius
    along = along / np.sqrt(stretch)
    across = across * np.sqrt(stretch)
    distance = np.hypot(along, across) + 1e-3
    angle = np.arctan2(across, along)
    outline = np.ones_like(angle)
    for k in range(2, 7):
        size = style["wobble"] * rng.normal() * 2.0 / k
        outline += size * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    outline = radius * np.clip(outline, 0.55, 1.5)
    return outline - distance, distance / outline


def cell_light(rng, style, depth, rel, grain):
    """What one cell adds to the light of its window (full scale = 1).

    depth: px below the outline, rel: 0 at the centre and 1 at the outline,
    grain: (window) texture of standard deviation 1.
    """
    inside = np.clip(depth + 0.5, 0, 1)              # one soft pixel of edge
    if style["mode"] == "phase":
        rim = np.exp(-0.5 * ((depth - 1.5) / rng.uniform(1.4, 2.6)) ** 2)
        body = inside * rng.uniform(-0.25, 0.25) + rng.uniform(0.7, 1.1) * rim
        halo = np.exp(-0.5 * ((depth + 3.0) / 2.5) ** 2) * (1 - inside)
        light = body - rng.uniform(0.2, 0.5) * halo
    else:
        dome = np.sqrt(np.clip(1 - rel ** 2, 0, 1))
        flat = rng.uniform(0.3, 0.9)
        light = inside * (flat + (1 - flat) * dome)
    nucleus = np.clip((rng.uniform(0.35, 0.5) - rel) * 8, 0, 1)
    light = light + style["nucleus"] * nucleus
    light = light + style["grain"] * grain * inside
    return style["contrast"] * rng.uniform(0.5, 1.15) * light


def place_cells(rng, style):
    """Cells of one picture: (light float32, labels int32), both (512, 512).

    labels is 0 on background and 1, 2, ... on the cells.
    """
    light = np.zeros((SIZE, SIZE), np.float32)
    labels = np.zeros((SIZE, SIZE), np.int32)
    grain = 0.7 * smooth_field(rng, 90) + 0.7 * smooth_field(rng, 40)
    placed = []                                      # (cy, cx, radius)
    covered = 0
    for _ in range(600):
        if covered >= style["coverage"] * SIZE * SIZE:
            break
        radius = style["radius"] * np.exp(style["radius_spread"] * rng.normal())
        radius = float(np.clip(radius, 10, 55))
        cy, cx = rng.uniform(-5, SIZE + 5, 2)
        if placed and rng.random() < style["touching"]:
            oy, ox, other = placed[rng.integers(len(placed))]
            turn, away = rng.uniform(0, 2 * np.pi), 0.95 * (radius + other)
            cy, cx = oy + away * np.sin(turn), ox + away * np.cos(turn)
            if not (0 <= cy < SIZE and 0 <= cx < SIZE):
                continue
        where, y, x = window(cy, cx, 2.2 * radius + 8)
        depth, rel = cell_depth(rng, style, radius, y, x)
        taken = labels[where] > 0
        mine = (depth > 0) & ~taken
        if mine.sum() < 0.8 * max((depth > 0).sum(), 150):
            continue                                 # too much in the way
        added = cell_light(rng, style, depth, rel, grain[where])
        light[where] += np.where(taken, 0, added)
        labels[where][mine] = len(placed) + 1
        placed.append((cy, cx, radius))
        covered += int(mine.sum())
    return light, labels


def gaps(labels):
    """Pixels (bool) of a cell that have another cell among their 8 neighbours."""
    high = ndimage.maximum_filter(labels, 3)
    low = ndimage.minimum_filter(np.where(labels == 0, 1 << 30, labels), 3)
    return (labels > 0) & (high != low)


# ----------------------------------------------------------------------- debris

def place_debris(rng, strength):
    """Light (full scale = 1) of things that are not cells, (512, 512) float32.

    strength: the contrast of the picture's cells, without its sign.
    """
    light = np.zeros((SIZE, SIZE), np.float32)

    def height(low, high):
        return strength * rng.uniform(low, high) * rng.choice([-1.0, 1.0])

    for _ in range(rng.poisson(25)):                 # specks, 1 to 3.5 px
        radius = rng.uniform(1.0, 3.5)
        where, y, x = window(*rng.uniform(0, SIZE, 2), 4 * radius + 2)
        spot = np.exp(-((y * y + x * x) / radius ** 2) ** 2)
        light[where] += height(0.8, 2.0) * spot
    for _ in range(rng.poisson(4)):                  # ring-shaped bubbles
        radius, wall = rng.uniform(4, 8), rng.uniform(0.8, 1.3)
        where, y, x = window(*rng.uniform(0, SIZE, 2), radius + 6)
        ring = np.exp(-0.5 * ((np.hypot(y, x) - radius) / wall) ** 2)
        light[where] += height(0.8, 1.6) * ring
    for _ in range(rng.poisson(7)):                  # blobs far out of focus
        wide, high = rng.uniform(10, 32, 2)
        where, y, x = window(*rng.uniform(0, SIZE, 2), 3.2 * max(wide, high))
        blob = np.exp(-0.5 * ((y / high) ** 2 + (x / wide) ** 2))
        light[where] += height(0.4, 1.1) * blob
    for _ in range(rng.poisson(3)):                  # fibres, drawn as a walk
        steps = rng.integers(60, 260)
        turn = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.06, steps))
        start = rng.uniform(0, SIZE, 2)
        y = (start[0] + np.cumsum(np.sin(turn))).astype(int)
        x = (start[1] + np.cumsum(np.cos(turn))).astype(int)
        seen = (y >= 0) & (y < SIZE) & (x >= 0) & (x < SIZE)
        line = np.zeros((SIZE, SIZE), np.float32)
        line[y[seen], x[seen]] = 1.0
        wide = rng.uniform(0.9, 1.6)
        light += height(0.8, 1.6) * 2.5 * wide * ndimage.gaussian_filter(line, wide)
    return light


# ---------------------------------------------------------------- whole picture

def make_image(seed, split, index):
    """One picture: (image (512, 512) uint8 grey, truth (512, 512) bool)."""
    rng = np.random.default_rng([seed, SPLITS[split], index])
    style = draw_style(rng)
    strength = abs(style["contrast"])
    light, labels = place_cells(rng, style)
    gap = gaps(labels)
    light[gap] *= rng.uniform(-0.2, 0.3)
    truth = (labels > 0) & ~gap

    uneven = smooth_field(rng, 2) + 0.5 * smooth_field(rng, 4)
    uneven = uneven / np.abs(uneven).max()           # -1..1
    clouds = smooth_field(rng, 20)
    picture = (light + place_debris(rng, strength)) * (1 + 0.3 * uneven)
    picture += strength * rng.uniform(0.9, 2.0) * uneven
    picture += strength * rng.uniform(0.05, 0.15) * clouds
    picture = ndimage.gaussian_filter(picture, rng.uniform(0.6, 1.8))

    middle = rng.uniform(0.3, 0.65)
    room = 0.9 * min(middle, 1 - middle) / np.abs(picture).max()
    picture = middle + picture * min(1.0, 1.6 * room)
    shot, read = rng.uniform(0.008, 0.032), rng.uniform(0.003, 0.01)
    noise = rng.standard_normal(picture.shape).astype(np.float32)
    picture += noise * np.sqrt(read ** 2 + shot ** 2 * np.clip(picture, 0, 1))
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8), truth


# -------------------------------------------------------------------- PNG files

def write_png(path, grey):
    """Writes (height, width) uint8 as an 8-bit grey PNG, the smaller of rows
    unfiltered (filter 0) and rows as differences to the row above (filter 2)."""
    up = np.diff(grey, axis=0, prepend=np.zeros((1, grey.shape[1]), np.uint8))
    packed = min((zlib.compress(np.insert(rows, 0, kind, axis=1).tobytes(), 9)
                  for kind, rows in ((0, grey), (2, up))), key=len)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    out = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")):
        out += struct.pack(">I", len(body)) + name + body
        out += struct.pack(">I", zlib.crc32(name + body))
    pathlib.Path(path).write_bytes(out)


def write_samples(folder, count, seed):
    """Writes the first `count` held-out pictures and truths (0/255) as PNGs."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        image, truth = make_image(seed, "heldout", index)
        write_png(folder / f"cell_{index:02d}.png", image)
        write_png(folder / f"cell_{index:02d}_truth.png",
                  truth.astype(np.uint8) * 255)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", default="samples", help="folder to write to")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    write_samples(args.out, args.count, args.seed)


if __name__ == "__main__":
    main()
