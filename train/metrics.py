"""Figures for coloured and enlarged pictures; formulas stand with the functions and, in short, in FORMULAS.

All take (H, W, 3) uint8 sRGB. CIE Lab is for D65, 2 degrees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mangapaint.models.lab import rgb_to_lab

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]
Row = dict[str, float]

FORMULAS = {
    "mse": "mean (a - b)^2 over pixels and channels, RGB in 0..1",
    "mae": "mean |a - b|, RGB in 0..1",
    "psnr": "-10 log10 mse in dB, of each picture, then the mean (so not -10 log10 of the mean mse)",
    "ssim": "Wang et al. 2004, Gaussian window of sigma 1.5 px, mean of the channels",
    "dab": "mean distance of (a*, b*) from the truth's, CIE Lab",
    "chroma": "mean C*ab over that of the truth; 1 is right, under .85 sepia, over 1.15 garish",
    "hue_ok": "share of the pixels with C* > 15 in the truth whose hue is within 30 degrees of it and whose C* > 5",
    "m3": "colourfulness of Hasler and Suesstrunk 2003, RGB in 0..255",
    "ink": "mean rise of L* where the page has L* < 20",
    "white_keep": "share of border paper (bright in page and truth) that stayed paper: C* < 4 and L* > 95",
    "edges": "correlation of the gradient of L* with the page's",
    "kernel": "MMD^2 with (x.y/d + 1)^3, unbiased (Binkowski et al. 2018), on features of our own net, so no "
    "KID of the literature; kernel_low, kernel_high: 95 % interval by bootstrap over pictures",
    "psnr_y": "-10 log10 of the mse of BT.601 luma / 255, border of the scale cut",
    "ssim_y": "SSIM of that luma",
    "low_psnr": "PSNR of the result's luma, reduced by area, against the low-resolution face; 100 dB is equal",
    "low_exact": "share of the low-resolution pixels that are equal",
    "drawn_psnr": "that PSNR for the portrait as the generator drew it, before it was made exact",
    "w": "mean square error of the encoder in W+ on faces that the generator drew",
    "w_share": "that error as a share of the mean square distance of w from its mean; 1 is knowing nothing",
    "z": "mean square error of z, whose variance is 1; many z give one w",
    "fid": "Frechet distance on Inception features (torchmetrics), of few faces",
}
"""Column -> what it is."""

BETTER = {"mse": "lower", "mae": "lower", "dab": "lower", "kernel": "lower", "ink": "near 0", "chroma": "near 1"}
"""Columns that are not better when higher; m3 is neither."""


def lab(picture: Picture) -> Plane:
    """(H, W, 3) L* in 0..100, a*, b*."""
    with torch.inference_mode():
        batch = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
        return np.asarray(rgb_to_lab(batch)[0].permute(1, 2, 0).contiguous().numpy(), np.float32)


def mse(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """mean((a - b)^2) / 255^2."""
    return float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)) / 255**2


def mae(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """mean(|a - b|) / 255."""
    return float(np.mean(np.abs(a.astype(np.float64) - b.astype(np.float64)))) / 255


def psnr(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """-10 log10(mean((a - b)^2) / 255^2), dB; 100 for equal pictures."""
    error = mse(a, b)
    return 100.0 if error < 1e-10 else float(-10 * np.log10(error))


def ssim(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """SSIM (Wang et al. 2004), Gaussian window of 11 px and sigma 1.5, values in 0..255, mean over places and channels.

    Windows that reach over the border are left out; sides are at least 11 px.
    """

    def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float64)[5:-5, 5:-5]

    x, y = a.astype(np.float64), b.astype(np.float64)
    low, high = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float(((2 * mx * my + low) * (2 * vxy + high) / ((mx**2 + my**2 + low) * (vx + vy + high))).mean())


def luma(picture: Picture) -> NDArray[np.float64]:
    """BT.601 luma in 16..235."""
    weights = np.array([65.481, 128.553, 24.966])
    return np.asarray(picture.astype(np.float64) @ weights / 255 + 16)


def colourfulness(picture: Picture) -> float:
    """M3 of Hasler and Suesstrunk 2003: hypot(std rg, std yb) + 0.3 hypot(mean rg, mean yb), RGB in 0..255."""
    r, g, b = (picture[..., i].astype(np.float64) for i in range(3))
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def colour_row(output: Picture, truth: Picture, page: Picture | None = None) -> Row:
    """One row of the colour table; the columns are those of FORMULAS.

    Args:
        output: what a system made.
        truth: of the same size.
        page: what the system was given, of the same size; without it there is no ink, white_keep and edges.

    Returns:
        hue_ok, ink and white_keep are absent where the picture has too few pixels of that kind.
    """
    ours, true = lab(output), lab(truth)
    chroma, chroma_true = np.hypot(ours[..., 1], ours[..., 2]), np.hypot(true[..., 1], true[..., 2])
    row = {
        "mse": mse(output, truth),
        "mae": mae(output, truth),
        "psnr": psnr(output, truth),
        "ssim": ssim(output, truth),
        "dab": float(np.hypot(ours[..., 1] - true[..., 1], ours[..., 2] - true[..., 2]).mean()),
        "chroma": float(chroma.mean() / max(chroma_true.mean(), 1e-6)),
        "m3": colourfulness(output),
    }
    coloured = chroma_true > 15
    if coloured.sum() > 50:
        turn = np.arctan2(ours[..., 2], ours[..., 1]) - np.arctan2(true[..., 2], true[..., 1])
        near = np.abs(np.angle(np.exp(1j * turn))) < np.pi / 6
        row["hue_ok"] = float((near & (chroma > 5))[coloured].mean())
    return row if page is None else row | page_row(ours, chroma, lab(page), true)


def page_row(ours: Plane, chroma: Plane, page: Plane, true: Plane) -> Row:
    """What became of the page's own ink, paper and lines; all but `chroma` are Lab."""
    row = {}
    ink = page[..., 0] < 20
    if ink.sum() > 50:
        row["ink"] = float((ours[..., 0] - page[..., 0])[ink].mean())
    paper = border_paper(page[..., 0]) & (true[..., 0] > 97)
    if paper.sum() > 500:
        row["white_keep"] = float(((chroma < 4) & (ours[..., 0] > 95))[paper].mean())
    row["edges"] = float(np.corrcoef(gradient(ours[..., 0]).ravel(), gradient(page[..., 0]).ravel())[0, 1])
    return row


def border_paper(lightness: Plane) -> NDArray[np.bool_]:
    """(H, W) mask of bright components (L* > 97) that touch the border: gutters and margins."""
    _, labels = cv2.connectedComponents((lightness > 97).astype(np.uint8))
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, edge[edge != 0])


def gradient(lightness: Plane) -> Plane:
    """Magnitude by Sobel."""
    sobel = cv2.Sobel(lightness, cv2.CV_32F, 1, 0), cv2.Sobel(lightness, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(*sobel), np.float32)


def sharpness_row(output: Picture, truth: Picture, border: int) -> Row:
    """PSNR and SSIM on luma, `border` px cut off on each side."""
    ours, true = (luma(x)[border:-border, border:-border] for x in (output, truth))
    return {"psnr_y": psnr(ours, true), "ssim_y": ssim(ours, true)}


def mean_row(rows: Sequence[Row]) -> Row:
    """Means over the rows that have the key, and n."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: float(np.mean([row[key] for row in rows if key in row])) for key in keys} | {"n": float(len(rows))}


def table(rows: Mapping[str, Mapping[str, float]], first: str = "system") -> str:
    """A Markdown table, one line per system; ` | ` in a name parts the first columns, as it does in `first`."""
    columns = max((list(row) for row in rows.values()), key=len, default=[])
    columns += [key for key in dict.fromkeys(key for row in rows.values() for key in row) if key not in columns]
    lines = [f"| {first} | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + first.count("|") + 1)]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(cell(row, key) for key in columns) + " |")
    return "\n".join(lines)


def cell(row: Mapping[str, float], key: str) -> str:
    """A value as text; nothing where there is none; n is a number of pictures."""
    if key not in row:
        return ""
    return f"{row[key]:.0f}" if key == "n" else shown(row[key])


def shown(value: float) -> str:
    """Three or four digits, no exponents, no minus before nothing."""
    digits = max(0, min(4, 3 - int(np.floor(np.log10(abs(value))) + 1))) if abs(value) >= 1e-4 else 4
    text = f"{value:.{digits}f}"
    return "0" if not float(text) else text


def legend(columns: Iterable[str]) -> str:
    """The formulas of a table's columns, one line each."""
    return "\n".join(f"- {key}: {FORMULAS[key]}" for key in columns if key in FORMULAS)
