"""The wording of chat prompts, as data."""

from __future__ import annotations

from typing import Final

SYSTEM: Final = (
    "You repair and write {title} functions. You answer with one fenced {title} block that holds "
    "the complete new text of the function, and nothing else."
)

TASKS: Final = {
    "implement": "Implement the function `{name}` so that its tests pass.",
    "repair": "The function `{name}` has a bug: some of its tests fail. Repair it with the smallest change.",
    "refactor": "Improve the function `{name}` without changing what it does.",
    "write_tests": "Write pytest tests for the function `{name}`.",
}

FAILURES: Final = "What fails now:\n{failures}"

ANSWER: Final = (
    "Answer with the complete new text of the function in one ```{fence} block. Keep its name and "
    "its parameters. Put an import that it newly needs above it in the same block."
)

AGAIN: Final = "Execution result:\n{feedback}\nAnswer again with the complete function."
"""As OpenCodeInterpreter's models were trained to read it; others take it as it stands."""

HUMAN: Final = "A person read it"
"""How what a person said begins."""

TOLD: Final = "{feedback}\nAnswer again with the complete function."
