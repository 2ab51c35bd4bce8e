"""Measures: mutants of a workspace, and the figures of ``make bench``."""
