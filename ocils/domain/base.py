"""The one base of every value that travels between rooms.

Not covered: behaviour. A value has fields, small derived properties, and nothing else.
"""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An immutable value.

    ``frozen``: a value that crosses a thread, a process or a turn must not change under its reader;
    it also makes values hashable. ``forbid_unknown_fields``: a recorded session or a frame with a
    field we do not know is a mistake worth hearing about. ``omit_defaults``: sessions on disk stay
    short, and a new field with a default can still read old files.
    """
