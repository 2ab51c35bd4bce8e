"""What the machine offers for inference.

Not covered: choosing a compute type by capability and memory.
"""

from __future__ import annotations


def cuda_devices() -> int:
    """Return how many CUDA devices CTranslate2 can use; 0 without a driver or its libraries."""
    import ctranslate2  # type: ignore[import-untyped]  # it ships no types

    return int(ctranslate2.get_cuda_device_count())
