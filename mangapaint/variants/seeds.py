"""Seeds of variants: each stands for one colouring, whichever others are made beside it."""

from __future__ import annotations

import hashlib

DIGITS = 6
"""Of a seed that was not given by the user: short enough for a file name."""


def candidates(seed: int, count: int) -> list[int]:
    """`count` different seeds; the first is `seed`, so that one variant asked for by its seed is that variant."""
    found = [seed]
    number = 0
    while len(found) < count:
        number += 1
        digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
        following = int.from_bytes(digest[:8], "big") % 10**DIGITS
        if following not in found:
            found.append(following)
    return found
