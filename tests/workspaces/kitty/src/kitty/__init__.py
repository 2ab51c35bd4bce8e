"""Keeps the books of a shared household."""
