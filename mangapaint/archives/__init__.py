"""Chapters in and out: folders, CBZ, PDF and read-only foreign archives."""
