"""What was measured of the shipped weights; written by `python -m mangapaint.models.pin`, not by hand."""

from __future__ import annotations

from typing import Any

PINS: dict[str, dict[str, Any]] = {
    "dcgan.safetensors": {
        "sha256": "4361f6c52808e92f65f8e09c865acd7f5021100496c71f6e015b17156440f350",
        "size": 1189068,
        "config": {"latent": 16, "style": 48, "widths": [24, 40, 64, 80, 80]},
        "scale": 1,
        "multiple_of": 32,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "research: anime faces without a stated licence",
    },
    "faces.safetensors": {
        "sha256": "98b4d414d3f44e48e0474c4c08e7d8788cfeed4a0e3a08effefead6d430b2cda",
        "size": 1021202,
        "config": {"blocks": [1, 2, 2, 1], "channels": [32, 48, 72, 64]},
        "scale": 1,
        "multiple_of": 32,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy), Book Dash (CC BY 4.0), "
        "Art4Apps (CC BY-SA); Ubunchu! chapter 11 (CC BY-NC-SA, Seo Hiroshi); "
        "research: anime faces and illustrations without a stated licence",
    },
    "labgan.safetensors": {
        "sha256": "6a608ecd5345107ecbecb7ac5d6430e526d7d5de7fb0672f8d5168ef73467848",
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
        "sha256": "3ca111003b75fbca01e201c3cc419989a705a74ab2b3618b0b0cdd585f8ab450",
        "size": 20693122,
        "config": {
            "bank": 24,
            "blocks": [1, 2, 2, 3],
            "channels": [48, 96, 160, 256],
            "colours": 40,
            "descriptor": 48,
            "embedding": 256,
            "heads": 4,
            "key_width": 64,
            "kinds": 4,
            "latent": 16,
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
    "paper.safetensors": {
        "sha256": "902b3d09cac37299a2ff0d85924290b37424c938cc3e03e23af02168c9d0e3eb",
        "size": 978826,
        "config": {"blocks": [1, 1, 1, 2, 2], "channels": [16, 24, 40, 56, 64]},
        "scale": 1,
        "multiple_of": 64,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy), African Storybook (CC BY), "
        "Book Dash (CC BY 4.0), Art4Apps (CC BY-SA), Wesnoth, naev, Nylnook, gophers "
        "(free); research: anime faces and illustrations without a stated licence",
    },
    "pix2pix-cue.safetensors": {
        "sha256": "f4317f84742315b5e118fb889eacb9ff3a9061bbd1c505871631a1922f5804ce",
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
        "sha256": "968947589232bee47fd4091c76242dd68d352ce5ae0fdbc2bff5787ef0ac14f4",
        "size": 4097798,
        "config": {"base": 16, "cap": 6, "cue": False},
        "scale": 1,
        "multiple_of": 256,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "open: Pepper&Carrot (CC BY 4.0, David Revoy); research: anime faces and "
        "illustrations without a stated licence",
    },
    "portrait-encoder.safetensors": {
        "sha256": "c1bf0500e790f17bc789df841fdfa4ecc49c59ae1403c33e05c0b13213f71d22",
        "size": 3523848,
        "config": {"latent": 128, "layers": 10, "pyramid": 28, "side": 64, "width": 16},
        "scale": 1,
        "multiple_of": 1,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "research: anime faces without a stated licence",
    },
    "portrait.safetensors": {
        "sha256": "e4ca876e564e91e92596fca6513deb81bceb6846ffb019b982ca3111d99a810d",
        "size": 2745536,
        "config": {"latent": 128, "mapping": 4, "widths": [160, 160, 112, 64, 32]},
        "scale": 1,
        "multiple_of": 1,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "research: anime faces without a stated licence",
    },
    "upscaler-clean.safetensors": {
        "sha256": "fa38de2b20875c54ef32a4d4bf867a9bd9d39eb19c641a0d418456e87daccfa6",
        "size": 924178,
        "config": {"channels": 64, "pairs": 6, "scales": [2, 3, 4], "stride": 1},
        "scale": 4,
        "multiple_of": 1,
        "receptive_field": 15,
        "licence": "AGPL-3.0-or-later",
        "data": "Pepper&Carrot (CC BY 4.0, David Revoy), Nylnook (CC BY-SA 4.0), "
        "gophers (CC0, Egon Elbre), Ubunchu! (CC BY-NC-SA, Seo Hiroshi), "
        "Tori no me (CC BY-SA 3.0, MURAI)",
    },
    "upscaler-quality.safetensors": {
        "sha256": "c05d456e6d98417336f19dcf218daa2846158abff5d04d71130b2e8e983bbd56",
        "size": 924178,
        "config": {"channels": 64, "pairs": 6, "scales": [2, 3, 4], "stride": 1},
        "scale": 4,
        "multiple_of": 1,
        "receptive_field": 15,
        "licence": "AGPL-3.0-or-later",
        "data": "Pepper&Carrot (CC BY 4.0, David Revoy), Nylnook (CC BY-SA 4.0), "
        "gophers (CC0, Egon Elbre), Ubunchu! (CC BY-NC-SA, Seo Hiroshi), "
        "Tori no me (CC BY-SA 3.0, MURAI)",
    },
    "upscaler.safetensors": {
        "sha256": "e64b675a227b1d8fd3613016e7d8fa7357f81eda228c8a6afba684074e0b11f2",
        "size": 361074,
        "config": {"channels": 48, "pairs": 4, "scales": [2, 3, 4], "stride": 1},
        "scale": 4,
        "multiple_of": 1,
        "receptive_field": 11,
        "licence": "AGPL-3.0-or-later",
        "data": "Pepper&Carrot (CC BY 4.0, David Revoy), Nylnook (CC BY-SA 4.0), gophers "
        "(CC0, Egon Elbre), Ubunchu! (CC BY-NC-SA, Seo Hiroshi), Tori no me (CC "
        "BY-SA 3.0, MURAI)",
    },
    "wgan-gp.safetensors": {
        "sha256": "8f712a9badba5b26200ef8a4e8d8475518d9e1025380bdba3ae9ea668bf283e0",
        "size": 1189068,
        "config": {"latent": 16, "style": 48, "widths": [24, 40, 64, 80, 80]},
        "scale": 1,
        "multiple_of": 32,
        "receptive_field": None,
        "licence": "AGPL-3.0-or-later",
        "data": "research: anime faces without a stated licence",
    },
    "zhang.safetensors": {
        "sha256": "b500e3210c41d52018a4fd68d4f140854c39741f7753825a3ea5f646a1839439",
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
