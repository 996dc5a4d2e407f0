"""The colour layer: palettes, composition with the ink, whites."""
