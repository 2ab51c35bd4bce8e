"""Frozen values and errors; msgspec and the standard library only."""
