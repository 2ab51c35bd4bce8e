"""``ocils serve-model``: one machine's model for a team, or for tests.

Not covered: serving editors (``ocils serve``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.wiring import House

_PORT = 8017


def add_serve_model(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the command; ``add`` makes a sub-command from its name and help."""
    sub = add(
        "serve-model",
        "serve a model to other machines' ocils, and to whatever speaks OpenAI's protocol",
    )
    sub.set_defaults(job=_serve_model)
    sub.add_argument("model", nargs="?", help="a manifest's name; your settings' when not given")
    sub.add_argument("--host", default="127.0.0.1", help="the address to listen on (this machine)")
    sub.add_argument("--port", type=int, default=_PORT, help=f"0 draws one (default {_PORT})")
    sub.add_argument(
        "--others", action="store_true", help="allow an address that other machines reach"
    )
    sub.add_argument(
        "--key-variable", default="", metavar="NAME", help="ask for the key in this variable"
    )


async def _serve_model(house: House, cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.wiring.model_server import serve_model

    if not 0 <= arguments.port < 65536:
        raise UsageError(f"{arguments.port} is no port")
    if arguments.model:
        house.choose(arguments.model)
    await serve_model(
        house.settings,
        arguments.host,
        arguments.port,
        cancel,
        lambda text: print(text, flush=True),
        key_variable=arguments.key_variable,
        others=arguments.others,
    )
    return 0
