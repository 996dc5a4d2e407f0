"""Remakes every model that mangapaint uses."""
