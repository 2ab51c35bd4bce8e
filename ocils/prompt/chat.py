"""A context and what was judged to a conversation, for models that chat.

The first user message states the task and shows the target, what it calls and the tests; each later
round is the model's last reply and the verdict as feedback (OpenCodeInterpreter's loop). Wording
lives in ``templates.py``.

Not covered: a model's own chat template, which the engine renders (``engine/``).
"""

from __future__ import annotations

from collections.abc import Sequence

from ocils.domain.model import Chat, Message
from ocils.domain.session import Feedback
from ocils.domain.target import Context, Excerpt, Task
from ocils.languages import shelf
from ocils.prompt import templates


def render(
    context: Context, task: Task, failures: str, rounds: Sequence[tuple[str, Feedback]] = ()
) -> Chat:
    """Return the conversation: task, then for each round the reply and its feedback.

    ``failures`` describes the baseline's red tests. The reply is expected to hold one fenced block
    with the whole target.
    """
    ask = templates.TASKS[task].format(name=context.target.name)
    fence = context.language
    parts = [ask, _block("The function", context.source, fence)]
    if context.header:
        parts.append(_block("Around it in its file", context.header, fence))
    parts += [_excerpt("It uses", each, fence) for each in context.excerpts]
    parts += [_excerpt("A test", each, fence) for each in context.tests]
    if failures:
        parts.append(templates.FAILURES.format(failures=failures))
    parts.append(templates.ANSWER.format(fence=fence))
    known = shelf.language(fence)
    system = templates.SYSTEM.format(title=known.title if known is not None else "Python")
    messages = [Message("system", system), Message("user", "\n\n".join(parts))]
    for reply, feedback in rounds:
        messages.append(Message("assistant", reply))
        human = feedback.text.startswith(templates.HUMAN)
        again = templates.TOLD if human else templates.AGAIN
        messages.append(Message("user", again.format(feedback=feedback.text)))
    return Chat(tuple(messages))


def _excerpt(label: str, excerpt: Excerpt, fence: str) -> str:
    return _block(f"{label}, {excerpt.title}", excerpt.text, fence)


def _block(title: str, code: str, fence: str) -> str:
    return f"{title}:\n```{fence}\n{code}\n```"
