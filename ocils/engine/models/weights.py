"""The head of each variable in a CTranslate2 ``model.bin``: what is there, without reading the numbers.

It tells a file that was cut short, one that is no model at all, and one whose vocabulary is not the
one that lies beside it, before CTranslate2 gets to see it: that reads what a damaged file says of
its own sizes and asks the system for as much memory.

Not covered: the numbers themselves (checksums are for that); versions before 3 of the format.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from ocils.domain.base import Value
from ocils.domain.errors import ModelDamaged

_OLDEST, _NEWEST = 3, 32
_POINTER = int.from_bytes(b"vers", "little")  # how a pointer's first line begins
_LEAST = 8  # bytes of the shortest variable's head
_BYTES = {0: 4, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2}  # of one number, by the format's types
_SCALARS = {0: "f", 1: "b", 2: "h", 3: "i"}  # the format's numbers for types, and ``struct``'s
_OF_VOCABULARY = ("decoder/embeddings/weight", "decoder/projection/weight")
AGAIN = "get the model's files again (`ocils model pull` or `ocils model import`)"


class Variable(Value, frozen=True):
    """One variable's head: its name, its dimensions, and the bytes of its numbers; a scalar's value."""

    name: str
    shape: tuple[int, ...]
    size: int
    value: float | None = None


class Weights(Value, frozen=True):
    """What a ``model.bin`` says of itself; ``spec`` is CTranslate2's name of the architecture's kind."""

    spec: str
    variables: tuple[Variable, ...]

    @property
    def vocabulary(self) -> int:
        """How many tokens the weights know, 0 where they do not say."""
        for variable in self.variables:
            if variable.name in _OF_VOCABULARY and variable.shape:
                return variable.shape[0]
        return 0

    def scalars(self, ending: str) -> frozenset[float]:
        """Return the values of all scalars whose name ends so: one where every layer agrees."""
        return frozenset(
            variable.value
            for variable in self.variables
            if variable.value is not None and variable.name.endswith(ending)
        )


def read_weights(path: Path) -> Weights:
    """Read the heads of ``path``. Raises ``ModelDamaged`` where they and the file do not add up."""
    try:
        with path.open("rb") as file:
            return _Reader(file, path).weights()
    except OSError as error:
        raise ModelDamaged(
            f"cannot read {path}: {(error.strerror or str(error)).lower()}",
            mend="check its permissions",
        ) from error


class _Reader:
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._size = os.fstat(file.fileno()).st_size

    def weights(self) -> Weights:
        version = self._number("I")
        if version == _POINTER:
            raise self._damaged(
                "is a pointer of Git LFS and not the file: run `git lfs pull` there"
            )
        if not _OLDEST <= version <= _NEWEST:
            raise self._damaged("is not a CTranslate2 model")
        spec = self._text()
        self._number("I")
        count = self._number("I")
        if count * _LEAST > self._size:
            raise self._damaged("is not a CTranslate2 model")
        variables = tuple(self._variable(version) for _ in range(count))
        for _ in range(self._number("I")):
            self._text()
            self._text()
        if self._file.tell() != self._size:
            raise self._damaged("has bytes behind its end")
        return Weights(spec, variables)

    def _variable(self, version: int) -> Variable:
        name = self._text()
        shape = tuple(self._number("I") for _ in range(self._number("B")))
        form, item = "", 0
        if version >= 4:
            kind = self._number("B")
            form, item = _SCALARS.get(kind, ""), _BYTES.get(kind, 0)
            size = self._number("I")
        else:
            size = self._number("B") * self._number("I")
        if self._file.tell() + size > self._size:
            raise self._damaged(f"was cut short in {name!r}")
        if item and math.prod(shape) * item != size:
            raise self._damaged(f"has numbers of another size in {name!r}")
        value = None
        if not shape and form and size == struct.calcsize(form):
            value = float(self._number(form))
        else:
            self._file.seek(size, os.SEEK_CUR)
        return Variable(name, shape, size, value)

    def _number(self, form: str) -> Any:
        """Read one number: an int, or a float for the form "f"."""
        data = self._file.read(struct.calcsize(form))
        if len(data) < struct.calcsize(form):
            raise self._damaged("was cut short")
        return struct.unpack(f"<{form}", data)[0]

    def _text(self) -> str:
        length = self._number("H")
        data = self._file.read(length)
        if len(data) < length:
            raise self._damaged("was cut short")
        return data.rstrip(b"\0").decode("utf-8", "replace")

    def _damaged(self, what: str) -> ModelDamaged:
        return ModelDamaged(f"the model is damaged: {self._path} {what}", mend=AGAIN)
