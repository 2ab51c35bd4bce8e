"""The conversion itself, as a process: ``python -m ocils.engine.models.conversion SOURCE TARGET TYPE``.

A process of its own, so that torch and transformers never enter the server, so that a cancelled
conversion can be ended at any time, and so that a crash is its own. It prints JSON lines: what it is
doing, and at the end what went wrong.

Not covered: whether a model may be converted (``refused.py``), and putting it in its place
(``install.py``).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ocils.engine.models.child import end_with_parent, speak

COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
)
"""What a model needs beside its weights, which CTranslate2 does not copy by itself."""


def main(arguments: Sequence[str]) -> int:
    """Convert; return 0, or 1 after a line that says why not."""
    source, target, compute_type = Path(arguments[0]), Path(arguments[1]), arguments[2]
    end_with_parent()
    # Whatever the source is, it lies on this disk; nothing is to be looked up elsewhere.
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    logging.disable(logging.WARNING)
    try:
        _convert(source, target, compute_type)
    except MemoryError:
        return _failed("there is not enough memory to convert it")
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error}")
    return 0


def _convert(source: Path, target: Path, compute_type: str) -> None:
    speak(stage="reading torch and transformers")
    from ctranslate2.converters import (  # type: ignore[import-untyped]  # it ships no types
        TransformersConverter,
    )

    class Told(TransformersConverter):  # type: ignore[misc]  # its base has no types either
        def load_model(self, *arguments: object, **options: object) -> object:
            speak(stage="reading the weights")
            return super().load_model(*arguments, **options)

        def load_tokenizer(self, *arguments: object, **options: object) -> object:
            speak(stage="converting the weights")
            return super().load_tokenizer(*arguments, **options)

    copied = [name for name in COPIED if (source / name).is_file()]
    converter = Told(str(source), copy_files=copied, low_cpu_mem_usage=True)
    converter.convert(str(target), quantization=compute_type, force=True)
    speak(stage="writing the weights")


def _failed(why: str) -> int:
    speak(failed=why)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
