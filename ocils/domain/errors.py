"""What the user can mend. Everything else is a bug and travels to the one boundary.

The tree::

    OcilsError
    ├── UsageError            the request itself is off (exit code 2)
    │   ├── TargetNotFound    no function there, or the name matches none or several
    │   ├── SyntaxBroken      the file cannot be parsed where it matters
    │   ├── StaleTarget       the text moved since it was read
    │   ├── OverlappingEdits  a candidate's edits contradict each other
    │   ├── Unsupported       a kind of document or task that ocils does not handle
    │   └── InvalidSettings   a setting's name, type or place is wrong
    └── EnvironmentProblem    the machine lacks something (exit code 3)
        ├── ModelMissing      no model folder, or its manifest is absent
        ├── ModelDamaged      a checksum, the vocabulary or the manifest does not fit
        ├── ModelUnavailable  a model cannot be had: no network, no permission, no room, a rubbish answer
        ├── SandboxUnavailable  no engine, no permission, or a container that will not start
        └── PackageUnavailable  a package cannot be installed: no network, no wheel, a wrong digest

Messages are lowercase, say what happened, and carry ``mend``: one sentence on what to do.
"""

from __future__ import annotations


class OcilsError(Exception):
    """A problem that the user can mend; ``mend`` says how, or is empty."""

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}; {self.mend}" if self.mend else self.message


class UsageError(OcilsError):
    """The request is off."""


class TargetNotFound(UsageError):
    """No edit target is at that position or of that name."""


class SyntaxBroken(UsageError):
    """The document cannot be parsed where it matters."""


class StaleTarget(UsageError):
    """The text is no longer the one that was read."""


class OverlappingEdits(UsageError):
    """Two edits of one candidate touch the same bytes."""


class Unsupported(UsageError):
    """A document or task of a kind that is not handled."""


class InvalidSettings(UsageError):
    """A setting has a wrong name, type or place."""


class EnvironmentProblem(OcilsError):
    """The machine lacks something."""


class ModelMissing(EnvironmentProblem):
    """There is no such model."""


class ModelDamaged(EnvironmentProblem):
    """A model's files do not fit its manifest."""


class ModelUnavailable(EnvironmentProblem):
    """A model's files cannot be fetched, converted or put in place; nothing was installed."""


class SandboxUnavailable(EnvironmentProblem):
    """No container can be started."""


class PackageUnavailable(EnvironmentProblem):
    """A package that the tests lack cannot be installed."""
