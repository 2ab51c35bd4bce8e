"""Conversions compared with transformers, on small random models; run by ``make test-models``."""
