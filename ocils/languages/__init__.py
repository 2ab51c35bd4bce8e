"""Languages beside Python, as data: one TOML file each, read by ``shelf.py``.

A manifest names a language's grammar and queries, its small edits, what its syntax gate knows, and
its test runners: how a workspace shows that it uses one, the command, and where JUnit XML comes
out. A language comes in by a file here and a grammar in ``pyproject.toml``, not by a code path.

Not covered: Python, which is known deeply and therefore by code.
"""
