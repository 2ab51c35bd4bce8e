"""What the scripted model says: a wrong try, then the right one."""

from __future__ import annotations

from ocils.domain.model import Manifest

CHAT = Manifest(
    name="scripted",
    family="test",
    folder=".",
    licence="none",
    context=4096,
    chat=True,
    strategies=("rewrite",),
)

WRONG = "```python\ndef delivery(cents):\n    return 0 if cents > 1 else DELIVERY\n```"
RIGHT = '''```python
def delivery(cents):
    """Return what delivery costs: nothing from FREE_DELIVERY_FROM on, and nothing for nothing."""
    if cents == 0 or cents >= FREE_DELIVERY_FROM:
        return 0
    return DELIVERY
```'''

# Another right one, for who rejects the first.
OTHER = RIGHT.replace("if cents == 0 or cents >=", "if not cents or cents >=")

# A right one that changes two places: an import at the top, and the function.
PLACES = """```python
from operator import ge

def delivery(cents):
    \"\"\"Return what delivery costs: nothing from FREE_DELIVERY_FROM on, and nothing for nothing.\"\"\"
    if cents == 0 or ge(cents, FREE_DELIVERY_FROM):
        return 0
    return DELIVERY
```"""
