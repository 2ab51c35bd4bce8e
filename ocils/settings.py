"""What may be set, and by whom.

``UserSettings`` come from the user alone: their file, their editor. ``WorkspaceSettings`` come from
the repository (``[tool.ocils]`` in ``pyproject.toml``) and can only tune harmless things, so that
cloning a repository never chooses an interpreter, a runtime or a server (decision 11).

Not covered: consent stored per workspace.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
import platformdirs

from ocils.domain.base import Value
from ocils.domain.errors import InvalidSettings
from ocils.domain.session import Limits

_S = TypeVar("_S", bound=Value)


class ModelSettings(Value, frozen=True):
    """Which model: a manifest's name or a folder's path. ``threads`` 0 takes all cores.

    ``device`` and ``compute_type`` "auto" follow from the machine and the model. A model that was
    not used for ``idle_seconds`` is unloaded, unless ``keep_loaded``.
    """

    name: str = "ocils-tiny"
    threads: int = 0
    idle_seconds: float = 300.0
    keep_loaded: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: Literal[
        "auto", "int8", "int8_float16", "int8_bfloat16", "float16", "bfloat16", "float32"
    ] = "auto"


class RemoteSettings(Value, frozen=True):
    """A model on a server that speaks OpenAI's protocol, instead of one in this process; off without a ``url``.

    ``url`` is the protocol's root ("http://gpu:8000/v1"). ``model`` is its name there; empty: the
    only one that the server has. ``manifest`` names or is the path of the manifest that describes
    it; without one it is a model that chats, with ``context`` tokens. ``infill`` "suffix": the
    server fills holes by itself, by the field of that name. ``key_variable`` names the environment
    variable that holds the key; a key itself is never written down. ``seconds`` is the patience for
    one answer, ``retries`` how often a request is sent again before its first token.
    """

    url: str = ""
    model: str = ""
    manifest: str = ""
    key_variable: str = ""
    infill: Literal["", "suffix"] = ""
    context: int = 4096
    seconds: float = 120.0
    retries: int = 3

    def __post_init__(self) -> None:
        """Refuse an address that is none or that holds a secret, and a key in place of its name."""
        if self.url:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("remote.url is an address such as http://gpu:8000/v1")
            if parts.username or parts.password or parts.query:
                raise ValueError("remote.url holds no key: name its variable in key_variable")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*|", self.key_variable):
            raise ValueError("remote.key_variable is the name of an environment variable")
        if self.context < 256 or self.seconds <= 0 or self.retries < 0:
            raise ValueError("remote.context is 256 or more, seconds positive, retries 0 or more")

    @property
    def sends(self) -> str:
        """Say where code goes, for people; empty while nothing is set."""
        if not self.url:
            return ""
        place = urlsplit(self.url).netloc
        if self.loopback:
            return f"code is handed to the server at {place}"
        return f"code leaves this machine, to {place}"

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine, or a tunnel begins here."""
        host = urlsplit(self.url).hostname or ""
        return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


class SandboxSettings(Value, frozen=True):
    """Where candidates run. ``slots`` 0 takes one a core. ``python`` overrides what is found.

    ``runtime``: "host" (containers with this machine's own packages), "image" (containers of
    ``image``: a name, or the absolute path of a Dockerfile or a ``devcontainer.json``), or "process"
    (no isolation at all; nothing ever falls back to it). ``idle_seconds``: warm containers that judged nothing for so long are ended; 0 is never.
    """

    slots: int = 0
    memory: int = 2048
    python: str = ""
    idle_seconds: float = 600.0
    runtime: Literal["host", "image", "process"] = "host"
    image: str = ""


class PlaceSettings(Value, frozen=True):
    """What one workspace has instead of the user's ``sandbox``; what is empty is as there."""

    runtime: Literal["", "host", "image", "process"] = ""
    image: str = ""
    python: str = ""


class RefineSettings(Value, frozen=True):
    """How long to go on; 0 keeps what the next level says (workspace over user over built-in)."""

    turns: int = 0
    candidates: int = 0
    seconds: float = 0.0
    tokens: int = 0


class EditorSettings(Value, frozen=True):
    """How a proposal reaches the text: "ask" (nothing without a yes) or "apply" (at once).

    One that looks suspicious is asked about either way.
    """

    proposal: Literal["ask", "apply"] = "ask"


class PackagesSettings(Value, frozen=True):
    """Whether packages that the tests lack are installed, into a layer of their own.

    "ask" before each, "never", or "allowlist": those in ``allow`` (and what they need) without
    asking, nothing else.
    """

    install: Literal["ask", "never", "allowlist"] = "ask"
    allow: tuple[str, ...] = ()


class UserSettings(Value, frozen=True):
    """What the user may set: ``settings.toml`` in their config folder, or their editor.

    ``workspaces`` maps workspaces' absolute paths to what is different there.
    """

    model: ModelSettings = ModelSettings()
    remote: RemoteSettings = RemoteSettings()
    sandbox: SandboxSettings = SandboxSettings()
    refine: RefineSettings = RefineSettings()
    editor: EditorSettings = EditorSettings()
    packages: PackagesSettings = PackagesSettings()
    record: bool = True
    workspaces: dict[str, PlaceSettings] = msgspec.field(default_factory=dict)


class WorkspaceSettings(Value, frozen=True):
    """What a repository may set: limits, and the test files or folders that count (relative)."""

    refine: RefineSettings = RefineSettings()
    tests: tuple[str, ...] = ()


def user_file() -> Path:
    """Return where the user's settings are kept; the file need not exist."""
    return Path(platformdirs.user_config_dir("ocils")) / "settings.toml"


def load_user(path: Path | None = None) -> UserSettings:
    """Read the user's settings; none is fine. Raises ``InvalidSettings``."""
    path = path or user_file()
    return parse(_table(path), UserSettings, str(path)) if path.is_file() else UserSettings()


def sandbox_at(user: UserSettings, root: str) -> SandboxSettings:
    """Return the sandbox settings for the workspace at ``root`` (absolute, resolved)."""
    named = {str(Path(k).expanduser().resolve()): v for k, v in user.workspaces.items()}
    special = named.get(root, PlaceSettings())
    # A path in an image is no path on this machine.
    same = special.runtime in ("", user.sandbox.runtime)
    return msgspec.structs.replace(
        user.sandbox,
        runtime=special.runtime or user.sandbox.runtime,
        image=special.image or user.sandbox.image,
        python=special.python or (user.sandbox.python if same else ""),
    )


def load_workspace(root: str) -> WorkspaceSettings:
    """Read ``[tool.ocils]`` of the workspace's ``pyproject.toml``. Raises ``InvalidSettings``."""
    path = Path(root) / "pyproject.toml"
    if not path.is_file():
        return WorkspaceSettings()
    tool = _table(path).get("tool", {})
    table = tool.get("ocils", {}) if isinstance(tool, dict) else {}
    reserved = sorted(set(table) & (set(UserSettings.__struct_fields__) - {"refine"}))
    if reserved:
        raise InvalidSettings(
            f"{path} sets '{reserved[0]}' under [tool.ocils], which only you may set",
            mend=f"remove it there; if you want it, put it into {user_file()}",
        )
    return parse(table, WorkspaceSettings, f"{path} [tool.ocils]")


def parse(table: object, kind: type[_S], where: str) -> _S:
    """Turn a table of plain values into settings; ``where`` names the source in messages."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as problem:
        known = ", ".join(kind.__struct_fields__)
        raise InvalidSettings(
            f"{where}: {_lower(str(problem))}", mend=f"known settings here are: {known}"
        ) from problem


def limits(user: UserSettings, workspace: WorkspaceSettings) -> Limits:
    """Combine the built-in limits with what the user and the repository set."""
    built_in = Limits()
    first = (workspace.refine, user.refine)
    return Limits(
        turns=next((r.turns for r in first if r.turns), built_in.turns),
        candidates=next((r.candidates for r in first if r.candidates), built_in.candidates),
        tokens=next((r.tokens for r in first if r.tokens), built_in.tokens),
        seconds=next((r.seconds for r in first if r.seconds), built_in.seconds),
        memory=user.sandbox.memory,
    )


def _table(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InvalidSettings(
            f"{path} is not valid TOML: {_lower(str(problem))}", mend="mend that line"
        ) from problem
    except OSError as problem:
        raise InvalidSettings(f"{path} cannot be read: {problem}") from problem


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
