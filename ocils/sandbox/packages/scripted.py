"""Packages that play a script: the port without containers, for tests and for demonstrations.

Not covered: installing anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import PackageUnavailable
from ocils.domain.events import Need, Preparing
from ocils.domain.packages import Package, PackageOffer


class ScriptedPackages:
    """Offers what ``answer`` makes of a need; the ``Packages`` port.

    ``needs`` holds what was asked, ``installed`` and ``refused`` the offers that were answered.
    ``stages`` are told while it installs; ``problem`` is raised then when given.
    """

    def __init__(
        self,
        answer: Callable[[Need], PackageOffer] | None = None,
        *,
        stages: tuple[str, ...] = ("installing it",),
        problem: PackageUnavailable | None = None,
    ) -> None:
        self.needs: list[Need] = []
        self.installed: list[PackageOffer] = []
        self.refused: list[PackageOffer] = []
        self._answer = answer or offered
        self._stages = stages
        self._problem = problem

    async def look_up(self, need: Need) -> PackageOffer:
        """Play the answer."""
        self.needs.append(need)
        return self._answer(need)

    async def install(
        self, offer: PackageOffer, cancel: CancelToken
    ) -> AsyncGenerator[Preparing, None]:
        """Tell the stages, and note the offer unless cancelled."""
        for stage in self._stages:
            if not cancel.cancelled:
                yield Preparing(stage)
                await asyncio.sleep(0)
        if self._problem is not None:
            raise self._problem
        if not cancel.cancelled:
            self.installed.append(offer)

    async def refuse(self, offer: PackageOffer) -> None:
        """Note the offer."""
        self.refused.append(offer)


def offered(need: Need) -> PackageOffer:
    """Return a question about a distribution of each module's own name."""
    return PackageOffer("/workspace", tuple(Package(m, m, origin="known") for m in need.modules))
