"""Builds engines, sandboxes, recorders and workspaces: the only place that knows the adapters.

A ``House`` is handed to the server, the command line and the benches; tests hand it the shipped
fakes. Adapters are imported when they are first needed, so that a server is up before CTranslate2
and Docker are.

Not covered: what is done with them.
"""

from ocils.wiring.checkup import Check, checkup
from ocils.wiring.house import House, KnownModel, build, build_for_editor
from ocils.wiring.tried import tried

__all__ = ["Check", "House", "KnownModel", "build", "build_for_editor", "checkup", "tried"]
