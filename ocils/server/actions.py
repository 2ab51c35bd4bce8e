"""Code actions and code lenses of one document: pure, instant, no model, no IO.

Not covered: what is done when one is chosen (``handlers.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from ocils.domain.errors import OcilsError
from ocils.domain.target import EditTarget
from ocils.server.diagnostics import Finding
from ocils.server.documents import OpenDocument
from ocils.server.protocol import CommandName
from ocils.source import stub
from ocils.source.target import SourceTree, locate, targets

_REWRITE = types.CodeActionKind.RefactorRewrite
_QUICK = types.CodeActionKind.QuickFix


def code_actions(
    opened: OpenDocument,
    params: types.CodeActionParams,
    findings: Sequence[Finding],
    *,
    kept: frozenset[str] = frozenset(),
    tags: bool = False,
) -> list[types.CodeAction]:
    """Return what can be done where the range starts; empty where there is no function.

    ``findings`` are the document's present ones; those on the range's lines are offered a quick
    fix. ``kept`` names the targets of which a verified edit waits. ``tags``: the
    client knows action tags.
    """
    only = params.context.only
    offered = [
        *_fixes(params, findings),
        *(_rewrites(opened, params, kept) if opened.tree is not None else ()),
    ]
    if not tags:
        for action in offered:
            action.tags = None
    return [a for a in offered if only is None or any(_under(a.kind or "", kind) for kind in only)]


def _under(kind: str, wanted: str) -> bool:
    """Tell whether ``kind`` is ``wanted`` or below it; kinds are paths with dots."""
    kind, wanted = _plain(kind), _plain(wanted)
    return wanted == "" or kind == wanted or kind.startswith(wanted + ".")


def _plain(kind: str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _fixes(params: types.CodeActionParams, findings: Sequence[Finding]) -> list[types.CodeAction]:
    first, last = params.range.start.line, params.range.end.line
    by_target: dict[tuple[str, str], list[types.Diagnostic]] = {}
    for finding in findings:
        line = finding.diagnostic.range.start.line
        if finding.fixable and first <= line <= max(first, last):
            by_target.setdefault((finding.uri, finding.name), []).append(finding.diagnostic)
    return [
        _action(
            f"Refine {name} until green",
            _QUICK,
            CommandName.REFINE,
            _argument(uri, name),
            diagnostics=found,
        )
        for (uri, name), found in by_target.items()
    ]


def _rewrites(
    opened: OpenDocument, params: types.CodeActionParams, kept: frozenset[str]
) -> list[types.CodeAction]:
    assert opened.tree is not None
    try:
        target = locate(opened.tree, opened.lines.offset(params.range.start))
    except OcilsError:
        # No function there, or one that cannot be parsed: the editor's menu is no place to say so.
        return []
    name = target.name
    # The name alone is not enough: a property's getter and setter share one.
    argument = _argument(opened.uri, name, opened.lines.position(target.span.start))

    def offer(title: str, command: CommandName) -> types.CodeAction:
        return _action(title, _REWRITE, command, argument)

    if target.is_test:
        return [
            offer(f"Run {name}", CommandName.RUN_TESTS),
            offer(f"Refine what {name} tests until green", CommandName.REFINE),
        ]
    offered = [
        offer(f"Refine {name} until green", CommandName.REFINE),
        offer(f"Run tests of {name}", CommandName.RUN_TESTS),
    ]
    if name in kept:
        waiting = [
            offer(f"Apply the verified edit of {name}", CommandName.APPLY_KEPT),
            offer(f"Reject the verified edit of {name}", CommandName.REJECT_KEPT),
        ]
        offered[:0] = waiting
    if is_stub(opened.tree, target):
        offered.insert(0, offer(f"Generate implementation of {name}", CommandName.GENERATE))
    return offered


def code_lenses(opened: OpenDocument, findings: Sequence[Finding]) -> list[types.CodeLens]:
    """Return ``Run | Refine`` above each test and above each target that a finding is about."""
    if opened.tree is None:
        return []
    failing = {f.name for f in findings if f.fixable and f.uri == opened.uri}
    lenses: list[types.CodeLens] = []
    for target in targets(opened.tree):
        if not target.is_test and target.name not in failing:
            continue
        at = opened.lines.position(target.span.start)
        where = types.Range(at, at)
        argument: list[object] = [_argument(opened.uri, target.name, at)]
        lenses += [
            types.CodeLens(
                where, types.Command("Run", CommandName.RUN_TESTS.value, None, argument)
            ),
            types.CodeLens(
                where, types.Command("Refine", CommandName.REFINE.value, None, argument)
            ),
        ]
    return lenses


def is_stub(tree: SourceTree, target: EditTarget) -> bool:
    """Tell whether a function has nothing in its body yet."""
    return stub.is_stub(target.indent + tree.decode(target.span))


def _argument(uri: str, name: str, at: types.Position | None = None) -> dict[str, object]:
    argument: dict[str, object] = {"uri": uri, "name": name}
    if at is not None:
        argument["position"] = {"line": at.line, "character": at.character}
    return argument


def _action(
    title: str,
    kind: types.CodeActionKind,
    command: CommandName,
    argument: dict[str, object],
    *,
    diagnostics: list[types.Diagnostic] | None = None,
) -> types.CodeAction:
    writes = command in (CommandName.REFINE, CommandName.GENERATE)
    return types.CodeAction(
        title,
        kind,
        diagnostics=diagnostics,
        command=types.Command(title, command.value, None, [argument]),
        tags=[types.CodeActionTag.LlmGenerated] if writes else None,
    )
