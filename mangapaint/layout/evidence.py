"""What speaks for a straight cut between panels, and how sure it makes the cut."""

from __future__ import annotations

import numpy as np

from mangapaint.layout.lines import WHITE, WIDEST_GUTTER, Edges, Floats, Line, covered, sample
from mangapaint.layout.measure import Gray

EVIDENCE: dict[str, tuple[float, float]] = {
    "own": (7.85, 0.32),  # an edge with its lighter side towards the cut runs along it
    "other": (-0.02, -0.81),  # an edge that faces it across the gutter
    "line": (0.86, -1.96),  # the edge belongs to one thin dark line
    "channel": (-1.48, 1.70),  # edges on both sides of the gutter
    "white": (-3.64, 1.14),  # the cut runs through paper
    "gutter": (2.20, -0.52),  # the cut runs through paper that belongs to the margins and gutters of the page
    "framed": (4.64, 2.37),  # any of both kinds of paper, with an edge beside it
    "framed_drawn": (-1.23, -2.04),  # the same as a part of the stretches that have anything drawn near them
    "open": (-0.50, -0.85),  # neither paper nor an edge: something is drawn across
    "longest_open": (0.82, -1.50),  # its longest stretch
    "first_end": (-2.96, 5.12),  # evidence of any kind in the worse of the two ends
    "second_end": (0.80, -0.81),  # and in the better one
    "room": (30.11, -29.48),  # depth of the shallower of the two parts, in page widths
    "span": (3.62, -1.02),  # length of the cut, in page widths
    "upright": (-0.08, -0.08),  # 1 for upright cuts
}
"""Name: weight of the value and of its square, as `python -m train fit-panels` fits them to made and comic pages
in black and white: maximum likelihood of the right cut (or of none) among all cuts of a region. All but the last three
values are parts of the cut's length, 0..1."""
BIAS = -14.34
WEIGHTS = np.array(list(EVIDENCE.values())).T.ravel()


def rate(evidence: Floats) -> float:
    """Log odds of a cut against none; above 0 it is made."""
    return float(np.concatenate([evidence, evidence**2]) @ WEIGHTS + BIAS)


def weigh(
    gray: Gray, gutter: Gray, edges: Edges, line: Line, first: Floats, last: Floats, *, room: float, unit: float
) -> Floats:
    """The evidence for a cut along `line` from `first` to `last`: one value for each name in EVIDENCE.

    Args:
        gray: (H, W) uint8.
        gutter: (H, W) uint8, not 0 where paper of margins and gutters is.
        edges: the edges of the cut's orientation.
        line: the line to cut along.
        first: x, y where the cut enters the region.
        last: x, y where it leaves it.
        room: depth in px of the shallower of the two parts.
        unit: width of the page in px.
    """
    span = float(np.hypot(*(last - first)))
    count = max(12, int(span / 2))
    points = first + (last - first) * np.linspace(0, 1, count)[:, None]
    out, along = line.outward, (last - first) / span
    beside = points[None] + out * np.array([2.0, 3.0, 4.0])[:, None, None]
    white = (sample(gray, beside) > WHITE).any(0)
    paper = (sample(gutter, beside) > 0).any(0)
    around = points[None] + out * np.array([-9.0, -7, -5, -3, -1, 1, 3, 5, 7, 9])[:, None, None]
    drawn = (sample(gray, around) <= WHITE).any(0)
    offset_a, offset_b = (edges.start - first) @ out, (edges.end - first) @ out
    where_a, where_b = (edges.start - first) @ along / span, (edges.end - first) @ along / span
    turn = np.abs((edges.angle - np.arctan2(along[1], along[0]) + np.pi / 2) % np.pi - np.pi / 2)
    facing = edges.outward @ out
    middle = (offset_a + offset_b) / 2
    near = (np.abs(offset_a) < 3.5) & (np.abs(offset_b) < 3.5) & (turn < 0.06) & (facing > 0)
    across = (middle > 2.5) & (middle < WIDEST_GUTTER * unit) & (turn < 0.1) & (facing < 0)
    back = (middle > -7) & (middle < -0.5) & (turn < 0.06) & (facing < 0)
    own, other, behind = (covered(where_a, where_b, kind, count) for kind in (near, across, back))
    framed = (own | other) & (white | paper)
    bare = ~(own | other | white | paper)
    tail = max(3, count // 10)
    ends = sorted(float((~bare)[part].mean()) for part in (slice(None, tail), slice(-tail, None)))
    runs = np.flatnonzero(np.diff(np.concatenate([[0], bare.astype(np.int8), [0]])))
    longest = int((runs[1::2] - runs[::2]).max()) if len(runs) else 0
    shares = (own, other, own & behind, own & other, white, paper, framed)
    return np.array(
        [
            *(float(share.mean()) for share in shares),
            float((framed & drawn).sum() / max(1, drawn.sum())),
            float(bare.mean()),
            longest / count,
            *ends,
            room / unit,
            span / unit,
            float(edges.upright),
        ]
    )
