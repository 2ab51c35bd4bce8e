"""The plain run that the judge is compared with: the user's own pytest, in a process of its own, on
the host, with nothing of the sandbox in it.

Not covered: isolation; only code that the measurer trusts is run so.
"""
