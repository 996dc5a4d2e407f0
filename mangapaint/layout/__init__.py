"""Regions of a page: panels, gutters, bubbles, ink and the gray test."""
