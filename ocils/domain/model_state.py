"""Where the chosen model stands, and how far something that is done to its files has come.

Not covered: who finds out (``wiring/models.py``), who shows it (``server/status.py``, the doctor).
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from ocils.domain.base import Value


class Absent(Value, frozen=True, tag=True):
    """Its manifest is known, its files are not on this machine."""


class Downloading(Value, frozen=True, tag=True):
    """Its files are being fetched or converted; ``fraction`` is 0..1."""

    fraction: float


class Loading(Value, frozen=True, tag=True):
    """Its weights are being read into memory; ``fraction`` is 0..1, 0 where it is not known."""

    fraction: float = 0.0


class Ready(Value, frozen=True, tag=True):
    """It is in memory; ``note`` says what the user should know of how it runs, mostly nothing."""

    note: str = ""


class Unloaded(Value, frozen=True, tag=True):
    """Its files are there; the next use loads them."""


class Failed(Value, frozen=True, tag=True):
    """It cannot be used; ``why`` is the error's message, ``mend`` what to do."""

    why: str
    mend: str = ""


ModelState: TypeAlias = Absent | Downloading | Loading | Ready | Unloaded | Failed


class Progress(Value, frozen=True):
    """How far a pull, an import or a conversion is: ``done`` of ``total`` bytes of this ``stage``.

    ``total`` 0: nobody knows; ``done`` says nothing then.
    """

    stage: str
    done: int = 0
    total: int = 0

    @property
    def fraction(self) -> float:
        """The share that is done, 0..1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def in_words(state: ModelState) -> str:
    """Say a state in a few words: "downloading 40 %"."""
    match state:
        case Absent():
            return "absent"
        case Downloading(fraction=fraction):
            return f"downloading {fraction * 100:.0f} %"
        case Loading(fraction=fraction):
            return f"loading {fraction * 100:.0f} %" if fraction else "loading"
        case Ready(note=note):
            return f"ready; {note}" if note else "ready"
        case Unloaded():
            return "unloaded"
        case Failed(why=why):
            return f"failed: {why}"
        case _:
            assert_never(state)
