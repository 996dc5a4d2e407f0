"""Faces on a page: what a heat-map net says of it, read as boxes (after Zhou et al. 2019, Objects as Points).

The net is run by `mangapaint.paint.faces.FaceFinder`; here is only the geometry.
"""

from __future__ import annotations

from mangapaint.page import Face


def largest_first(faces: list[Face]) -> list[Face]:
    """By area, the largest first; equal ones from the top right, as manga is read."""
    return sorted(faces, key=lambda face: (-face.region.area, face.region.y, -face.region.right))
