"""``ocils model list | pull | import | convert | use | verify | remove``.

Progress is told on standard error, so that ``--json`` and names on standard output stay a program's.

Not covered: doing it (``wiring/models.py``).
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.model_state import Progress as Done
from ocils.wiring import models
from ocils.wiring.model_list import ListedModel, listed, size_of

_DONE, _NOT_DONE, _DAMAGED = 0, 1, 3
_TYPES = ("int8", "int8_float16", "int8_bfloat16", "float16", "bfloat16", "float32")


def add_models(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add ``model``; ``add`` makes a sub-command from its name and help."""
    sub = add("model", "list, fetch, convert, choose, check and remove models")
    commands = sub.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        each = commands.add_parser(name, help=text, description=text)
        each.set_defaults(command=run)
        return each

    one = command("list", _list, "list the models that are known, and which of them are here")
    one.add_argument("--json", action="store_true", help="print a JSON array")

    one = command("pull", _pull, "fetch a model, resuming what was begun")
    one.add_argument("model", help="a name of the list, or OWNER/NAME: a CTranslate2 repository")
    _source_options(one)

    one = command("convert", _convert, "fetch or take original weights, and convert them")
    one.add_argument("model", help="a name of the list, OWNER/NAME on the hub, or a folder")
    _source_options(one)

    one = command("import", _import, "take a model from a folder on this machine")
    one.add_argument("folder", help="a CTranslate2 folder, or one with safetensors to convert")
    _making_options(one)

    one = command("use", _use, "choose a model in your settings")
    one.add_argument("model", help="a name of the list, or a folder")

    one = command("verify", _verify, "hash a model's files anew and look at all of it")
    one.add_argument("model", nargs="?", help="the chosen one when not given")

    one = command("remove", _remove, "delete a model that was installed")
    one.add_argument("model")
    one.add_argument("--yes", action="store_true", help="do not ask")


def _source_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--revision", default="", help="a commit, instead of the one that is pinned")
    _making_options(sub)


def _making_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--name", default="", help="what to call it here")
    sub.add_argument(
        "--quantization", default="", choices=["", *_TYPES], help="how weights are stored (int8)"
    )
    sub.add_argument(
        "--context", type=_count_of, default=0, help="tokens, for a model whose files do not say"
    )


def _count_of(text: str) -> int:
    """Read a positive number. Raises ``ValueError``, which the parser tells in its own words."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"a number of tokens is positive, not {text}")
    return number


def _list(arguments: argparse.Namespace) -> int:
    rows = listed()
    if arguments.json:
        print(msgspec.json.encode(rows).decode())
        return _DONE
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True, min_width=1)
    table.add_column("name", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True, min_width=10)
    table.add_column("licence", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("state", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True, min_width=6)
    for row in rows:
        size = _size(row.size) if row.size else ""
        mark = "*" if row.current else ""
        table.add_row(mark, row.name, _count(row.parameters), row.licence, row.state, size)
    console = Console()
    console.print(table)
    for row in rows:
        if row.problem:
            said = f"{row.name} is damaged: {row.problem}"
            console.print(said, style="red", markup=False, highlight=False, soft_wrap=True)
    return _DONE


def _pull(arguments: argparse.Namespace) -> int:
    return _fetched(arguments, convert=False)


def _convert(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.model).expanduser()
    if arguments.model.startswith(("/", ".", "~")) or folder.is_dir():
        arguments.folder = arguments.model
        return _import(arguments)
    return _fetched(arguments, convert=True)


def _fetched(arguments: argparse.Namespace, *, convert: bool) -> int:
    with Shown() as shown:
        row = models.pull(
            arguments.model,
            shown.tell,
            shown.cancel,
            revision=arguments.revision,
            quantisation=arguments.quantization,
            name=arguments.name,
            context=arguments.context,
            convert=convert,
        )
    return _installed(row)


def _import(arguments: argparse.Namespace) -> int:
    with Shown() as shown:
        row = models.import_folder(
            arguments.folder,
            shown.tell,
            shown.cancel,
            name=arguments.name,
            quantisation=arguments.quantization,
            context=arguments.context,
        )
    return _installed(row)


def _installed(row: ListedModel | None) -> int:
    if row is None:
        return _NOT_DONE
    print(f"{row.name} is installed ({_size(row.size)}); use it with: ocils model use {row.name}")
    return _DONE


def _use(arguments: argparse.Namespace) -> int:
    path, row = models.use(arguments.model)
    name = row.name if row is not None else arguments.model
    print(f"{name} is chosen in {path}; an editor's own setting still goes before it")
    if url := models.server():
        print(f"and so does the server {url}: take [remote] out of {path} to use a model here")
    return _DONE


def _verify(arguments: argparse.Namespace) -> int:
    name = arguments.model or models.chosen()
    with Shown() as shown:
        shown.tell(Done(f"looking at {name}"))
        row = models.check(name, shown.cancel)
    if row is None:
        return _NOT_DONE
    print(f"{row.name} is whole: {_size(row.size)}")
    return _DONE


def _remove(arguments: argparse.Namespace) -> int:
    folder = models.removable(arguments.model)
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "nobody can be asked without a terminal, so nothing was removed", mend="say --yes"
            )
        said = input(f"remove {folder} ({_size(size_of(folder))})? [y/N] ")
        if said.strip().lower() not in ("y", "yes"):
            print("nothing was removed")
            return _NOT_DONE
    models.remove(arguments.model)
    print(f"removed {folder}")
    if models.chosen() in (arguments.model, str(folder)):
        print("your settings still name it; choose another with: ocils model use NAME")
    return _DONE


class Shown:
    """Shows how far something is: a bar on a terminal, a line a stage elsewhere.

    Meanwhile Ctrl+C flips ``cancel`` besides raising: an interrupt that lands in a library's callback
    or finaliser is ignored there, and the work would go on to its end.
    """

    def __init__(self) -> None:
        self.cancel = CancelToken()
        self._console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> Shown:
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        if self._console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task("", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        if self._task is not None:
            self._bar.stop()  # one that never started would still say an empty line
        if self.cancel.cancelled:
            self._say("what was downloaded is kept; say it again to go on")

    def _interrupted(self, *_: object) -> None:
        self.cancel.cancel()
        raise KeyboardInterrupt

    def tell(self, done: Done) -> None:
        """Take in how far it is."""
        if self._task is None:
            if done.stage != self._stage:
                self._say(done.stage)
        else:
            total = done.total or None
            self._bar.update(self._task, description=done.stage, completed=done.done, total=total)
        self._stage = done.stage

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _count(parameters: int) -> str:
    if not parameters:
        return ""
    if parameters < 1e9:
        return f"{parameters / 1e6:.0f} M"
    return f"{parameters / 1e9:.1f} B"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
