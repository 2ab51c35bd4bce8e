"""What the loop needs from the outside, in domain types. Adapters implement these; only ``wiring``
knows which adapter is behind one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from ocils.domain.cancel import CancelToken
from ocils.domain.events import Need, Preparing
from ocils.domain.judging import CaseResult, Plan, Verdict
from ocils.domain.model import Infill, Manifest, Prompt, Reply, Sampling
from ocils.domain.packages import PackageOffer
from ocils.domain.session import Session
from ocils.domain.text import Document, Edit, Snapshot


class Engine(Protocol):
    """Inference. Loads lazily, in its own thread; the event loop is never blocked."""

    @property
    def manifest(self) -> Manifest:
        """The model's description; reading it loads nothing."""
        ...

    @property
    def identity(self) -> str:
        """The model's name and a hash of its files, for records and figures."""
        ...

    @property
    def sends(self) -> str:
        """Where the code goes that the model is shown, for people; empty when it stays in this process."""
        ...

    async def load(self) -> None:
        """Load the model now rather than at first use. Raises ``EnvironmentProblem``."""
        ...

    def count_tokens(self, text: str) -> int:
        """Count the tokens of ``text``; needs the tokenizer only, not the weights."""
        ...

    def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        """Yield up to ``sampling.n`` replies as they finish, in any order.

        All rows share one prefill. Closing the iterator or flipping ``cancel`` ends the work within
        a token's time; cancelled rows are not yielded. A prompt that is longer than the model's
        context raises ``ModelDamaged`` never, ``UsageError`` always: the renderer must cut.
        """
        ...

    async def score(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return, for each prompt and middle, the summed log-probability of the middle and its end.

        One float a pair, in order; an empty tuple when cancelled. Natural logarithm.
        """
        ...

    async def screen(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Guess, for each prompt and middle, how much likelier it is than the prompt's ``was``.

        A log-probability gain that costs one pass a *prompt*, so that hundreds of edits can be
        looked at; 0 where ``was`` is empty. An empty tuple when cancelled, and from an engine that
        cannot: then ``score`` is asked for everything.
        """
        ...

    async def close(self) -> None:
        """Release the model; generation under way is cancelled and waited for."""
        ...


UNISOLATED = "NO ISOLATION"
"""How ``Sandbox.isolation`` begins where candidates run with all the user's rights."""


class Sandbox(Protocol):
    """The judge of one workspace. Every call may be made concurrently; ``width`` run at a time."""

    @property
    def width(self) -> int:
        """How many candidates are judged at once."""
        ...

    @property
    def isolation(self) -> str:
        """What runs the candidates, for people: "container (host runtime, docker 20.10)"."""
        ...

    async def warm(self, snapshot: Snapshot, cancel: CancelToken) -> None:
        """Fill slots with ``snapshot`` and start their zygotes; a warm, equal one is kept.

        Returns when the first of them can judge.
        Raises ``SandboxUnavailable``.
        """
        ...

    async def judge(
        self,
        snapshot: Snapshot,
        edits: tuple[Edit, ...],
        plan: Plan,
        cancel: CancelToken,
        seen: Callable[[CaseResult], None] | None = None,
    ) -> Verdict:
        """Judge ``snapshot`` with ``edits`` applied; no edits judges the original.

        ``seen`` is called on the event loop as each test ends. A flipped ``cancel`` gives
        ``Killed("cancelled")`` within a second. Problems of the sandbox itself are ``Unjudged``;
        raises ``SandboxUnavailable`` only when no container can be had at all.
        """
        ...

    async def close(self) -> None:
        """End every container of this workspace."""
        ...


class Packages(Protocol):
    """What the tests of one workspace lack, and installing it where the user agrees.

    Judged runs never have a network; installing is a step of its own, whose outcome they then see
    read-only, behind everything that the environment holds.
    """

    async def look_up(self, need: Need) -> PackageOffer:
        """Say what would meet ``need``, and what settings and earlier answers say to that.

        Reads files and starts nothing. Raises ``SandboxUnavailable`` without an interpreter.
        """
        ...

    def install(self, offer: PackageOffer, cancel: CancelToken) -> AsyncGenerator[Preparing, None]:
        """Install what the user agreed to, telling how it goes, and remember the yes.

        Nothing is downloaded where it was installed before. Raises ``PackageUnavailable`` and
        ``SandboxUnavailable``; then, and when ``cancel`` is flipped, nothing is left behind. The
        sandbox has to be made anew to see what was installed.
        """
        ...

    async def refuse(self, offer: PackageOffer) -> None:
        """Remember that the user never wants this in this workspace."""
        ...


class Workspace(Protocol):
    """The user's files, read-only."""

    @property
    def root(self) -> str:
        """The workspace's absolute, resolved root."""
        ...

    async def snapshot(self, buffers: Sequence[Document] = ()) -> Snapshot:
        """Freeze what is on disk, overlaid with ``buffers`` (unsaved text, absolute paths)."""
        ...


class Recorder(Protocol):
    """Keeps sessions for the user."""

    def record(self, session: Session) -> None:
        """Store ``session``, replacing an earlier state of the same id. Never raises."""
        ...


class Ports:
    """The ports of one workspace, together."""

    __slots__ = ("engine", "recorder", "sandbox")

    def __init__(self, engine: Engine, sandbox: Sandbox, recorder: Recorder) -> None:
        self.engine = engine
        self.sandbox = sandbox
        self.recorder = recorder
