"""Figures for coloured and enlarged pictures; formulas stand with the functions.

All take (H, W, 3) uint8 sRGB. CIE Lab is for D65, 2 degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Lab = NDArray[np.float64]


def lab(picture: Picture) -> Lab:
    """(H, W, 3) L* in 0..100, a*, b*."""
    from skimage.color import rgb2lab

    return np.asarray(rgb2lab(picture), np.float64)


def psnr(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """-10 log10(mean((a - b)^2) / 255^2), dB; 100 for equal pictures."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)) / 255**2
    return 100.0 if error < 1e-10 else float(-10 * np.log10(error))


def ssim(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """SSIM (Wang et al. 2004), Gaussian window of sigma 1.5, mean over channels."""
    from skimage.metrics import structural_similarity

    axis = 2 if a.ndim == 3 else None
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=axis
        )
    )


def luma(picture: Picture) -> NDArray[np.float64]:
    """BT.601 luma in 16..235."""
    weights = np.array([65.481, 128.553, 24.966])
    return np.asarray(picture.astype(np.float64) @ weights / 255 + 16)


def colourfulness(picture: Picture) -> float:
    """M3 of Hasler and Suesstrunk 2003: hypot(std rg, std yb) + 0.3 hypot(mean rg, mean yb), RGB in 0..255."""
    r, g, b = (picture[..., i].astype(np.float64) for i in range(3))
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def colour_row(output: Picture, truth: Picture) -> dict[str, float]:
    """One row of the colour table.

    Returns:
        psnr, ssim: on RGB. dab: mean Euclidean error of (a*, b*). chroma: mean C*ab over that of the truth.
        hue_ok: share of the pixels with C* > 15 in the truth whose hue is within 30 degrees and whose C* > 5. m3.
    """
    ours, true = lab(output), lab(truth)
    chroma, chroma_true = np.hypot(ours[..., 1], ours[..., 2]), np.hypot(true[..., 1], true[..., 2])
    row = {
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
    return row


def sharpness_row(output: Picture, truth: Picture, border: int) -> dict[str, float]:
    """PSNR and SSIM on luma, `border` px cut off on each side."""
    ours, true = (luma(x)[border:-border, border:-border] for x in (output, truth))
    return {"psnr_y": psnr(ours, true), "ssim_y": ssim(ours, true)}


def mean_row(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over the rows that have the key, and n."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: float(np.mean([row[key] for row in rows if key in row])) for key in keys} | {"n": float(len(rows))}


def table(rows: dict[str, dict[str, float]]) -> str:
    """A Markdown table, one line per system."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    lines = ["| system | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[key]:.4g}" if key in row else "" for key in columns) + " |")
    return "\n".join(lines)
