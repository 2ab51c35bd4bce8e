"""Readers of benchmarks that the user has: none of their text is shipped, or kept."""
