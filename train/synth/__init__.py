"""Batched synthesis of manga-like inputs from coloured pictures."""
