"""Figures of an evaluation as a table for people and as JSON for model cards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from train import features, metrics

PUBLISHED = """\
Published, on other data, so not to be compared in the third digit: zhang's reproduction MSE .0012, MAE .0034, PSNR
37 dB (an MSE of .0012 is 29.2 dB by the formula above: those figures are not of one formula); manga-colorization-v2
PSNR 17.2 dB on gray and 13.5 on screentoned input; ColorFlow, given references, 26.0 and 25.9. The originals of
pix2pix, pix2pix-cue, labgan, dcgan and wgan-gp published loss curves and pictures only. The portrait's original: mean
square error in the latent space .245 at epoch 21."""


ORDER = ("n", *metrics.FORMULAS, "kernel_low", "kernel_high")
"""Of the columns."""


@dataclass(frozen=True, slots=True)
class Line:
    """One system on one kind of input of one set of pictures: the means of its figures."""

    data: str
    input: str
    system: str
    figures: metrics.Row
    kernel: features.Distance | None = None


def summed(lines: Sequence[Line]) -> dict[str, metrics.Row]:
    """Rows "INPUT | SYSTEM": means over the sets, each of which counts the same; n is all pictures together."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.input, line.system), []).append(line)
    rows = {}
    for (kind, system), group in groups.items():
        row = metrics.mean_row([line.figures for line in group]) | {"n": sum(line.figures["n"] for line in group)}
        kernels = [line.kernel for line in group if line.kernel is not None]
        if kernels:
            whole = features.joined(kernels)
            row |= {"kernel": whole.value, "kernel_low": whole.low, "kernel_high": whole.high}
        rows[f"{kind} | {system}"] = {key: row[key] for key in ORDER if key in row}
    return rows


def text(lines: Sequence[Line], source: str, seed: int) -> str:
    """The table over all sets, what its columns are, on what and how it was taken, and published figures."""
    rows = summed(lines)
    columns = dict.fromkeys(key for row in rows.values() for key in row)
    return "\n\n".join(
        [how(lines, source, seed), metrics.table(rows, "input | system"), metrics.legend(columns), PUBLISHED]
    )


def how(lines: Sequence[Line], source: str, seed: int) -> str:
    """On what and how the figures were taken."""
    sets = ", ".join(dict.fromkeys(f"{line.data} ({line.figures['n']:.0f})" for line in lines))
    return f"""\
Data: {source}: {sets}; means of the sets' means. Seed {seed}. Pages are drawn from the truths by train/synth/manga.py
(gray: luminance; toned: ink and screentone; ink: lines) and by a Gaussian adaptive threshold of block 7 (sketch).
"own palette" and "cue" (blurred, sigma 20 px at 256) tell a system of the truth; the others see the page alone."""


def written(lines: Sequence[Line], source: str, seed: int) -> str:
    """Everything as JSON: data, seed, formulas, one row for each set, input and system, and the means over the sets."""
    rows = []
    for line in lines:
        row: dict[str, object] = {"data": line.data, "input": line.input, "system": line.system, **line.figures}
        if line.kernel is not None:
            row["kernel"] = [line.kernel.value, line.kernel.low, line.kernel.high]
        rows.append(row)
    whole = {
        "source": source,
        "seed": seed,
        "how": how(lines, source, seed),
        "formulas": metrics.FORMULAS,
        "rows": rows,
        "means": summed(lines),
    }
    return json.dumps(whole, indent=1) + "\n"
