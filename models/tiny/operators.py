"""The edit operators, one case a kind of syntax node.

Each case puts edits into a `Finder`. Kinds are names of bugs people make, and their shares in
training are set in `examples.py`. It does not cover edits that need types: any name of the
function may stand in for any other.
"""

from __future__ import annotations

import ast
from itertools import pairwise
from typing import TYPE_CHECKING

from edit import Edit
from families import COMPARES, OPERATORS

if TYPE_CHECKING:
    from mutate import Finder

SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<",
    ast.RShift: ">>", ast.MatMult: "@", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip
SIMPLE = (ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.Subscript)


def off_by_one(at: Finder, node: ast.AST | None) -> None:
    """One more, one less."""
    if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.BinOp):
        for sign in ("+", "-"):
            at.put(node, f"{at.source(node)} {sign} 1" if at.source(node) else "", "off by one")


def other_expressions(at: Finder, node: ast.AST) -> None:
    """What stands elsewhere in the function, in the places that hold any expression."""
    match node:
        case ast.Return(value=ast.expr() as value) | ast.Assign(value=value):
            places = [value]
        case ast.Call(args=args):
            places = list(args)
        case ast.Compare(left=left, comparators=[right]):
            places = [left, right]
        case ast.BinOp(left=left, right=right):
            places = [left, right]
        case ast.Subscript(slice=ast.Name() | ast.BinOp() | ast.Call() as index):
            places = [index]
        case ast.If(test=test) | ast.While(test=test):
            places = [test]
        case _:
            return
    for place in places:
        own = at.source(place)
        # A fixed but scattered choice keeps the list short and the same in every run.
        step = 1 + len(at.parts) // 8
        for new in at.parts[len(own) % step :: step]:
            at.put(place, new, "other expression")


def visit(at: Finder, node: ast.AST) -> None:
    """The edits that one node suggests."""
    other_expressions(at, node)
    match node:
        case ast.Compare(left=left, ops=ops, comparators=rights):
            previous = left
            for op, right in zip(ops, rights, strict=True):
                at.between(previous, right, COMPARES[SIGNS[type(op)]], "comparison")
                previous = right
            if len(ops) == 1:
                at.swap(left, rights[0], "swapped operands")
                if isinstance(ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE | ast.Eq):
                    off_by_one(at, rights[0])
                    off_by_one(at, left)
                if isinstance(ops[0], ast.Is | ast.IsNot | ast.Gt | ast.NotEq | ast.Eq):
                    at.put(node, at.source(left), "condition")
            elif at.source(rights[0]) and at.source(rights[-1]) and at.source(left):
                head = at.source(node).removesuffix(at.source(rights[-1]))
                at.put(node, head.rstrip(" <>=!"), "condition")
        case ast.BinOp(left=left, op=op, right=right):
            at.between(left, right, OPERATORS[SIGNS[type(op)]], "arithmetic")
            one = isinstance(right, ast.Constant) and right.value == 1
            at.put(node, at.source(left), "off by one" if one else "dropped operand")
            at.put(node, at.source(right), "dropped operand")
            at.swap(left, right, "swapped operands")
        case ast.BoolOp(op=op, values=values):
            for i, (left, right) in enumerate(pairwise(values)):
                at.between(left, right, ["or" if isinstance(op, ast.And) else "and"], "boolean")
                if i == 0 and len(values) == 2:
                    at.put(node, at.source(left), "condition")
                    at.put(node, at.source(right), "condition")
            if len(values) > 2 and at.span(node):
                first, second = at.span(values[0]), at.span(values[1])
                last, whole = at.span(values[-2]), at.span(node)
                if first and second and last and whole:
                    at.put(node, at.text[second[0] : whole[1]], "condition")
                    at.put(node, at.text[whole[0] : last[1]], "condition")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            at.put(node, at.source(operand), "negation")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            at.put(node, at.source(operand), "sign")
        case (
            ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test)
        ):
            source = at.source(test)
            if source and not isinstance(test, ast.UnaryOp):
                simple = isinstance(test, SIMPLE)
                at.put(test, f"not {source}" if simple else f"not ({source})", "negation")
            if source:
                for name in at.names[:6]:
                    at.put(test, f"{source} and {name}", "extra condition")
                    at.put(test, f"{source} or not {name}", "extra condition")
            if isinstance(node, ast.IfExp):
                at.swap(node.body, node.orelse, "swapped operands")
                at.put(node, at.source(node.body), "condition")
                at.put(node, at.source(node.orelse), "condition")
            if isinstance(node, ast.While):
                at.put(test, "True", "condition")
        case ast.Constant(value=bool(value)):
            at.put(node, "None", "constant")
            at.put(node, str(not value), "constant")
        case ast.Constant(value=None):
            for new in ("False", "True", "0", "''", "[]", *at.names[:3]):
                at.put(node, new, "constant")
        case ast.Constant(value=int(value)):
            for new in {value + 1, value - 1, 0, 1, 2, 10 * value, -value}:
                at.put(node, str(new), "number")
        case ast.Constant(value=float(value)):
            for new in ("0.0", "1.0", repr(value * 2), repr(value / 10), repr(1 - value)):
                at.put(node, new, "number")
        case ast.Constant(value=str(value)):
            if at.source(node)[:1] in ("'", '"'):
                quote = at.source(node)[0]
                for new in (*at.strings, repr(""), repr(" "), repr(value[:-1]), repr(value[1:])):
                    inner = new[1:-1]
                    if quote not in inner and new[0] not in inner:
                        at.put(node, quote + inner + quote, "string")
        case ast.Name(id=name, ctx=ctx):
            stored = isinstance(ctx, ast.Store)
            kind = "target" if stored else "function" if name in at.calls else "variable"
            pool = at.calls if kind == "function" else at.names
            if kind == "function" or name in at.names:
                for new in at.others(name, pool):
                    if new in pool or kind == "function":
                        at.put(node, new, kind)
        case ast.Attribute(value=value, attr=name):
            base, method = at.source(value), name in at.methods
            if base:
                for new in at.others(name, at.methods if method else at.fields):
                    at.put(node, f"{base}.{new}", "method" if method else "attribute")
                if not method:
                    at.put(node, base, "dropped attribute")
                for other in at.names:
                    if isinstance(value, ast.Name) and value.id in at.names and other != value.id:
                        at.put(value, other, "variable")
        case ast.Call(func=func, args=args, keywords=keywords):
            called = isinstance(func, ast.Name) and func.id
            if isinstance(func, ast.Attribute) and at.source(func.value):
                at.put(node, at.source(func.value), "dropped call")
                at.put(node, at.source(func), "dropped parentheses")
            if len(args) == 1 and at.source(args[0]):
                at.put(node, at.source(args[0]), "dropped call")
            if isinstance(func, ast.Name) and not args and not keywords:
                at.put(node, at.source(func), "dropped parentheses")
            values: list[ast.expr] = [*args]
            for i in range(len(values)):
                at.drop_item(values, i, "dropped argument")
                if i + 1 < len(values):
                    at.swap(values[i], values[i + 1], "swapped arguments")
                if called in ("range", "islice") or i + 1 == len(values):
                    off_by_one(at, values[i])
            for keyword in keywords:
                span, whole = at.span(keyword), at.span(node)
                if span and whole and at.text[: span[0]].endswith(", "):
                    at.found.append(Edit(span[0] - 2, span[1], "", "dropped argument"))
            if called == "range" and len(args) == 1:
                at.put(
                    args[0], f"1, {at.source(args[0])}" if at.source(args[0]) else "", "argument"
                )
            if args and not keywords and at.source(args[-1]):
                for name in at.names[:8]:
                    at.put(args[-1], f"{at.source(args[-1])}, {name}", "extra argument")
        case ast.Subscript(value=value, slice=index):
            at.put(node, at.source(value), "dropped index")
            if not isinstance(index, ast.Slice | ast.Tuple):
                off_by_one(at, index)
                for new in ("0", "-1", "1"):
                    at.put(index, new, "index")
                if at.source(index):
                    at.put(index, f"{at.source(index)}:", "index")
                    at.put(index, f":{at.source(index)}", "index")
        case ast.Slice(lower=lower, upper=upper, step=step):
            low, high = at.source(lower) if lower else "", at.source(upper) if upper else ""
            off_by_one(at, lower)
            off_by_one(at, upper)
            if step is None and (low or high):
                for new in (f"{high}:{low}", f"{low}:", f":{high}", f"{low or high}", ":"):
                    at.put(node, new, "slice")
            elif step is not None:
                at.put(node, f"{low}:{high}", "slice")
        case ast.Return(value=value):
            if value is not None and at.source(value):
                at.put(node, at.source(value), "dropped return")
                for new in ("None", "True", "False", *at.names):
                    at.put(value, new, "returned value")
                off_by_one(at, value)
        case ast.Expr(value=ast.YieldFrom(value=value)):
            at.put(node, f"yield {at.source(value)}", "yield")
        case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
            at.put(node, f"yield from {at.source(value)}", "yield")
            at.put(node, f"return {at.source(value)}", "yield")
        case ast.Expr(value=ast.Call() as call):
            at.put(node, f"return {at.source(call)}" if at.source(call) else "", "extra return")
            at.put(node, "pass", "dropped statement")
        case ast.AugAssign(target=target, op=op, value=value):
            sign = SIGNS[type(op)]
            news = [f"{new}=" for new in OPERATORS[sign] if new != "and"]
            at.between(target, value, [*news, "="], "assignment")
            at.put(node, "pass", "dropped statement")
        case ast.Assign(targets=[target], value=value):
            if isinstance(target, ast.Name | ast.Attribute | ast.Subscript):
                at.between(target, value, ["+="], "assignment")
            off_by_one(at, value)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for one, two in pairwise(items):
                at.swap(one, two, "swapped items")
            if 1 < len(items) < 6:
                for i in range(len(items)):
                    at.drop_item(items, i, "dropped item")
        case ast.Starred(value=value):
            at.put(node, at.source(value), "dropped star")
        case ast.comprehension(ifs=[test]) if at.span(test):
            start, end = at.span(test) or (0, 0)
            if at.text[:start].endswith(" if "):
                at.found.append(Edit(start - 4, end, "", "condition"))
            at.put(test, f"not {at.source(test)}", "negation")
        case ast.ExceptHandler(type=ast.Tuple() as types):
            if types.elts:
                at.put(types, at.source(types.elts[0]), "exception")
        case ast.Raise(exc=ast.Call(func=ast.Name())):
            at.put(node, "pass", "dropped statement")
        case _:
            pass
