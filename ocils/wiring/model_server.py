"""``ocils serve-model``: the chosen model behind OpenAI's protocol, until it is told to stop.

Not covered: the protocol (``engine/remote/served.py``).
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Callable

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem, InvalidSettings, UsageError
from ocils.settings import RemoteSettings, UserSettings
from ocils.wiring.adapters import make_engine


async def serve_model(
    settings: UserSettings,
    host: str,
    port: int,
    cancel: CancelToken,
    tell: Callable[[str], None],
    *,
    key_variable: str = "",
    others: bool = False,
) -> None:
    """Serve until ``cancel`` flips; ``tell`` is given the address once it listens.

    Addresses that other machines reach are refused without ``others``. The model is loaded first.
    Raises ``OcilsError``.
    """
    from ocils.engine.machine.together import refuse_mpi
    from ocils.engine.remote.served import ModelServer

    refuse_mpi(os.environ)
    loopback = _loopback(host)
    if not loopback and not others:
        raise UsageError(
            f"{host} is reached from other machines", mend="say --others if that is meant"
        )
    key = os.environ.get(key_variable, "") if key_variable else ""
    if key_variable and not key:
        raise InvalidSettings(f"the environment variable {key_variable} is not set")
    # A server that only asks another server would tell nobody where their code goes.
    engine = make_engine(msgspec.structs.replace(settings, remote=RemoteSettings()))
    server = ModelServer(engine, key)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        await engine.load()
        try:
            number = await server.start(host, port, loopback=loopback)
        except OSError as error:
            raise EnvironmentProblem(
                f"cannot listen on {host}, port {port}: {(error.strerror or str(error)).lower()}",
                mend="choose another with --port",
            ) from error
        at = f"[{host}]" if ":" in host else host
        tell(f"serving {engine.identity} at http://{at}:{number}/v1")
        if not loopback and not key:
            tell("anybody who reaches this address can use it: --key-variable asks for a key")

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        with cancel.watch(end):
            await stop.wait()
    finally:
        await server.close()
        await engine.close()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
