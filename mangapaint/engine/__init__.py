"""Runs nets on a device: precision, memory, batches and tiles."""
