"""What was measured of the shipped weights; written by `python -m mangapaint.models.pin`, not by hand."""

from __future__ import annotations

from typing import Any

PINS: dict[str, dict[str, Any]] = {
    "labgan.safetensors": {
        "sha256": "779c6e9b58a52371f4aced5faf41076af1638542aee1fb32f55a15bfc9cc098e",
        "size": 4215004,
        "config": {"backbone": "unet", "base": 16, "cap": 6, "dropout": 0.5},
        "scale": 1,
        "multiple_of": 256,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy), African Storybook (CC BY), "
        "Book Dash (CC BY 4.0), Art4Apps (CC BY-SA), Wesnoth, naev, Nylnook, gophers "
        "(free); research: anime faces and illustrations without a stated licence",
    },
    "painter.safetensors": {
        "sha256": "e4d66efccaee2507fcf6f588375896bef0fdb8f0848117fa45c4f3bf3fd346fc",
        "size": 20680928,
        "config": {
            "bank": 24,
            "blocks": [1, 2, 2, 3],
            "channels": [48, 96, 160, 256],
            "colours": 40,
            "descriptor": 48,
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
    "pix2pix-cue.safetensors": {
        "sha256": "4922825b931055d2f97563eb9af8bbef446243352d93293597809160b0590a1c",
        "size": 4099342,
        "config": {"base": 16, "cap": 6, "cue": True},
        "scale": 1,
        "multiple_of": 256,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy); research: anime faces "
        "and illustrations without a stated licence",
    },
    "pix2pix.safetensors": {
        "sha256": "1171c23a383cf227608ec4205a990dd18a8820d19041314af364310a38dad51c",
        "size": 4097798,
        "config": {"base": 16, "cap": 6, "cue": False},
        "scale": 1,
        "multiple_of": 256,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy); research: anime faces and "
        "illustrations without a stated licence",
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
    "zhang.safetensors": {
        "sha256": "ddae1ecd4add53fce462d0e6d26f19a3086f6e48c7a79cea57f7d17aec22333a",
        "size": 4069264,
        "config": {"bins": 261, "temperature": 0.38, "width": 16},
        "scale": 1,
        "multiple_of": 8,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy), African Storybook (CC BY), "
        "Book Dash (CC BY 4.0), Art4Apps (CC BY-SA), Wesnoth, naev, Nylnook, gophers "
        "(free); research: anime faces and illustrations without a stated licence",
    },
}
