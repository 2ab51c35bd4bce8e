"""A context and a hole to a fill-in-the-middle prompt, and the reply back to lines.

The text is the target's own source, dedented. In form "lines" every line is written as newline +
line, the first one too, so that a newline with its indentation can be one token. What does not fit
is cut from the start of the prefix (its first line, usually the ``def``, stays) and from the end of
the suffix: the model's attention is best spent close to the hole.

Not covered: chat prompts (``chat.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ocils.domain.errors import Unsupported
from ocils.domain.model import Infill, Manifest
from ocils.domain.target import Context, Hole

_SPECIALS = 5  # at most five border tokens surround the pieces


def render(
    context: Context,
    hole: Hole,
    manifest: Manifest,
    count_tokens: Callable[[str], int],
    *,
    room: int,
    show_was: bool = True,
    limit: int = 0,
) -> Infill:
    """Return the prompt for ``hole`` (file lines) of ``context``'s target.

    ``room`` tokens are kept free for the reply. ``limit`` is the most tokens to use in all, the
    model's context when 0. ``show_was`` shows the hole's old text to a model that knows how to
    read it. Raises ``Unsupported`` for a model without fill-in-the-middle tokens.
    """
    form = manifest.infill
    if form is None:
        raise Unsupported(f"the model {manifest.name} cannot fill holes")
    lines = context.source.split("\n")
    first = hole.first - context.target.first_line
    last = hole.last - context.target.first_line + 1
    head, old, tail = lines[:first], lines[first:last], lines[last:]
    # A model without a token for it is not shown the old text, but an edit's gain is over it.
    was = _join(old, form.form) if show_was else ""
    left = (min(limit, manifest.context) if limit else manifest.context) - room - _SPECIALS
    left -= count_tokens(was) if form.was else 0
    head, tail = _fit(head, tail, left, lambda line: count_tokens("\n" + line))
    prefix, suffix = _join(head, form.form), _join(tail, form.form)
    if form.form == "text":
        prefix, suffix = (prefix + "\n" if head else ""), ("\n" + suffix if tail else "")
    return Infill(prefix, suffix, was, stop=manifest.stop, max_lines=max(3, 2 * len(old) + 2))


def middle(lines: Sequence[str], manifest: Manifest) -> str:
    """Write ``lines`` (dedented as the context is) as the text of a hole, for scoring."""
    form = manifest.infill.form if manifest.infill else "text"
    return _join(list(lines), form)


def lines_of(text: str) -> tuple[str, ...]:
    """Turn a reply back into lines; trailing white space and blank lines at the end are dropped."""
    lines = [line.rstrip() for line in text.removeprefix("\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _join(lines: list[str], form: str) -> str:
    return "".join("\n" + line for line in lines) if form == "lines" else "\n".join(lines)


def _fit(
    head: list[str], tail: list[str], left: int, cost: Callable[[str], int]
) -> tuple[list[str], list[str]]:
    """Keep the lines nearest to the hole, two of the head for one of the tail, within ``left``."""
    heads, tails = [cost(line) for line in head], [cost(line) for line in tail]
    if sum(heads) + sum(tails) <= left:
        return head, tail
    keep_head, keep_tail = 0, 0
    left -= heads[0] if heads else 0
    turn = 0
    while left > 0 and (keep_head < len(head) - 1 or keep_tail < len(tail)):
        from_head = keep_head < len(head) - 1 and (turn % 3 != 2 or keep_tail >= len(tail))
        left -= heads[len(head) - 1 - keep_head] if from_head else tails[keep_tail]
        if left < 0:
            break
        keep_head, keep_tail = keep_head + from_head, keep_tail + (not from_head)
        turn += 1
    near = head[len(head) - keep_head :] if keep_head else []
    return head[:1] + near, tail[:keep_tail]
