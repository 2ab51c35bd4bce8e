"""A chat reply to a change of the target: its new text, helpers before it, imports above. Pure.

Not covered: taking a reply apart (``prompt/reply.py``), whether the change is new.
"""

from __future__ import annotations

from ocils.domain.target import Context
from ocils.domain.text import Document, Edit
from ocils.languages.manifest import PYTHON
from ocils.prompt import reply
from ocils.source.rewritten import function_in
from ocils.source.splice import add_import, replace_target


def found_in(text: str, context: Context) -> reply.Extracted | None:
    """Return what a reply says about the target, None when it says nothing."""
    target, language = context.target, context.language
    if language == PYTHON:
        return reply.extract(text, target.name, context.source)
    source = function_in(reply.blocks(text), target, language)
    return reply.Extracted(source) if source else None


def written_out(found: reply.Extracted) -> str:
    """Return a reply's code and nothing else, as a file would hold it."""
    blocks = ["\n".join(found.imports), *found.helpers, found.source, *found.siblings]
    return "\n\n".join(block for block in blocks if block)


def rewritten(
    document: Document, context: Context, found: reply.Extracted | None
) -> tuple[Edit, ...]:
    """Return the edits of a rewrite. Raises what splicing raises."""
    if found is None:
        return ()
    target = context.target
    # A whole file repeats what is there already; only what is new goes in.
    present = reply.defined(document.data.decode("utf-8", "replace"))
    helpers = [each for each in found.helpers if not reply.names(each) & present]
    siblings = [each for each in found.siblings if not reply.names(each) & present]
    if target.indent:
        # A method's helpers outside its class would need a place of their own.
        text = "\n\n".join((found.source, *siblings))
    elif context.source.lstrip().startswith("@"):
        # What stands first gets the target's decorators, so here the helpers follow it.
        text = "\n\n\n".join((found.source, *helpers))
    else:
        text = "\n\n\n".join((*helpers, found.source))
    edits = replace_target(document, target, text)
    for statement in found.imports:
        edits += add_import(document, statement)
    return edits
