"""When a reply has come back to the old text, so that the rest of it is known. Pure.

A model that rewrites a function changes a few lines and then copies. Once it copies, every further
token costs time and can only go wrong; what it would copy is there already.

Not covered: where the old tail begins, which whoever asks has to say (``Chat.old_tail``).
"""

from __future__ import annotations

_LINES = 2
"""So many lines in step are enough: one may be a coincidence (``return result``)."""
_SIGNS = 12
"""And so many characters in them: two closing brackets are a coincidence too."""


def rest_of(text: str, old_tail: str) -> str | None:
    """Return what of ``old_tail`` is still missing behind ``text``; None while out of step.

    In step is a text that ends, at the end of a line, with ``_LINES`` lines that stand together in
    the old tail, indentation and all, in one place only. Blank lines have to agree but do not count.
    """
    if not old_tail or not text.endswith("\n"):
        return None
    written = text.split("\n")[:-1]
    old = old_tail.removesuffix("\n").split("\n")
    run: list[str] = []
    counted = signs = 0
    for line in reversed(written):
        run.insert(0, line)
        if not line.strip():
            continue
        counted, signs = counted + 1, signs + len("".join(line.split()))
        if counted < _LINES or signs < _SIGNS:
            continue
        ends = [at for at in range(len(run), len(old) + 1) if old[at - len(run) : at] == run]
        if len(ends) == 1:
            return "\n".join(old[ends[0] :]) + ("\n" if ends[0] < len(old) else "")
        if not ends:
            return None
    return None
