"""What was measured of the shipped weights; written by `python -m mangapaint.models.pin`, not by hand."""

from __future__ import annotations

from typing import Any

PINS: dict[str, dict[str, Any]] = {
    "painter.safetensors": {
        "sha256": "6af9f82ec036bf217cd14616bf613ed89c5ad4c6a6f6bc70d20ee3007886e6ea",
        "size": 20503778,
        "config": {
            "bank": 24,
            "blocks": [1, 2, 2, 3],
            "channels": [48, 96, 160, 256],
            "colours": 40,
            "embedding": 256,
            "heads": 4,
            "key_width": 64,
        },
        "scale": 1,
        "multiple_of": 32,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy), African Storybook (CC BY), "
        "Book Dash (CC BY 4.0), Art4Apps (CC BY-SA), Wesnoth, naev, Nylnook, "
        "gophers, DCSS (free); research: anime faces and illustrations without a "
        "stated licence",
    },
    "upscaler.safetensors": {
        "sha256": "6810434bd60d0fc3f4d6e4a493c413802577e19baa0e46713c392ec2c3dc45da",
        "size": 361066,
        "config": {"channels": 48, "pairs": 4, "scales": [2, 3, 4]},
        "scale": 4,
        "multiple_of": 1,
        "receptive_field": 11,
        "licence": "AGPL-3.0-or-later",
        "data": "Pepper&Carrot (CC BY 4.0, David Revoy), Nylnook (CC BY-SA 4.0), gophers "
        "(CC0, Egon Elbre), Ubunchu! (CC BY-NC-SA, Seo Hiroshi), Tori no me (CC "
        "BY-SA 3.0, MURAI)",
    },
}
