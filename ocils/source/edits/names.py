"""Names exchanged: a variable for another, an attribute or a callee for a sibling.

Not covered: names that are nowhere in the file and no well-known sibling.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tree_sitter import Node

from ocils.source.edits.scope import (
    Change,
    Scope,
    change,
    is_callee,
    is_variable,
    text_of,
    within_type,
)

# Each line is a family; every member may stand for every other one.
_FAMILIES = """
append extend insert add
append appendleft
pop popleft popitem
add discard remove
pop get setdefault
min max
min max sum
any all
startswith endswith
lower upper title capitalize casefold swapcase
strip lstrip rstrip
removeprefix removesuffix
ljust rjust center
keys values items
index find rfind rindex
split rsplit partition rpartition splitlines
partition rpartition
union intersection difference symmetric_difference
issubset issuperset isdisjoint
update setdefault
sorted reversed list set
sort reverse
floor ceil round trunc
sin cos tan
log log2 log10 exp
isdigit isalpha isalnum isnumeric isspace isupper islower isdecimal
bisect bisect_left bisect_right
insort insort_left insort_right
heappush heappop heapify heappushpop heapreplace
nlargest nsmallest
match search fullmatch findall finditer
encode decode
read readline readlines
write writelines
dumps loads
dump load
int float str bool
list tuple set frozenset dict
ord chr
abs int round
range enumerate len
map filter
isinstance issubclass
getattr hasattr setattr
first last
left right
start end stop
head tail
prev next previous
low high
lo hi
x y z
row col column
rows cols columns
width height
i j k
key value
KeyError IndexError ValueError TypeError AttributeError LookupError
StopIteration StopAsyncIteration
ZeroDivisionError ArithmeticError OverflowError ValueError
OSError FileNotFoundError PermissionError
NotImplementedError RuntimeError
Exception ValueError
hours minutes seconds days weeks
year month day
hour minute second
acquire release
get set
push pop
open close
enter exit
copy deepcopy
time monotonic perf_counter
"""


def siblings(name: bytes) -> tuple[bytes, ...]:
    """Return the well-known names that are easily taken for ``name``, the nearest first."""
    wanted = name.decode("utf-8", "replace")
    found: dict[bytes, None] = {}
    for family in _FAMILIES.split("\n"):
        members = family.split()
        if wanted in members:
            found.update((m.encode(), None) for m in members if m != wanted)
    return tuple(found)


def variables(node: Node, scope: Scope) -> Iterator[Change]:
    """Another variable of the function, or an attribute of ``self``, in a variable's place."""
    if node.type != "identifier" or not is_variable(node) or within_type(node):
        return
    name = text_of(node)
    if name == scope.me or (is_callee(node) and name not in scope.variables):
        return
    base = 4.0 if _is_bound(node) else 1.5
    close = [n for n in siblings(name) if n in scope.variables or n in scope.calls]
    others = [n for n in _nearest(node, scope.variables, scope.source) if n != name]
    for rank, other in enumerate(dict.fromkeys([*close, *others][:14])):
        note = f"{name.decode()} to {other.decode()}"
        yield change(node, other, note, base + rank * 0.35)
    for rank, field in enumerate(scope.fields[:6]):
        same = field.strip(b"_") == name.strip(b"_")
        new = scope.me + b"." + field
        yield change(node, new, f"{name.decode()} to {new.decode()}", 1 if same else 5 + rank * 0.5)
    exceptions = [n for n in siblings(name) if n.endswith((b"Error", b"Exception"))]
    for rank, other in enumerate(exceptions if name.endswith((b"Error", b"Exception")) else []):
        yield change(node, other, f"{name.decode()} to {other.decode()}", 3 + rank * 0.5)


def _is_bound(node: Node) -> bool:
    """Tell whether the name is assigned here."""
    above = node.parent
    while above is not None and above.type in (
        "pattern_list",
        "tuple_pattern",
        "as_pattern_target",
    ):
        node, above = above, above.parent
    return (
        above is not None
        and above.child_by_field_name("left") == node
        and above.type
        in (
            "assignment",
            "augmented_assignment",
            "for_statement",
            "for_in_clause",
        )
    )


def _nearest(node: Node, names: Iterable[bytes], source: bytes) -> list[bytes]:
    """Return ``names``, those first that stand near the node in the text."""
    at = node.start_byte

    def distance(name: bytes) -> int:
        before, behind = source.rfind(name, 0, at), source.find(name, node.end_byte)
        return min(at - before if before >= 0 else 10**6, behind - at if behind >= 0 else 10**6)

    return sorted(names, key=distance)


def attributes(node: Node, scope: Scope) -> Iterator[Change]:
    """Another attribute or method behind the dot; the object alone; ``self.x`` without ``self``."""
    if node.type != "attribute":
        return
    owner, name = node.child_by_field_name("object"), node.child_by_field_name("attribute")
    if owner is None or name is None:
        return
    old = text_of(name)
    known = siblings(old)
    for rank, other in enumerate(known):
        yield change(name, other, f".{old.decode()} to .{other.decode()}", 0.8 + rank * 0.4)
    mine = text_of(owner) == scope.me and bool(scope.me)
    in_file = scope.methods if is_callee(node) else scope.attributes
    pool = scope.fields if mine and not is_callee(node) else in_file
    for rank, other in enumerate([p for p in pool if p != old and p not in known][:20]):
        cost = (1.5 if mine else 3) + min(rank * 0.5, 5 + rank * 0.1)
        yield change(name, other, f".{old.decode()} to .{other.decode()}", cost)
    if is_callee(node):
        return
    stored = node.parent.child_by_field_name("right") if node.parent is not None else None
    if mine and _is_bound(node) and stored is not None and stored.type == "identifier":
        new = text_of(stored)
        yield change(name, new, f".{old.decode()} to .{new.decode()}", 0.8)
    yield change(node, text_of(owner), f".{old.decode()} dropped", 5)
    if mine and old in scope.variables:
        yield change(node, old, f"{old.decode()} without {scope.me.decode()}", 1.5)
    for rank, variable in enumerate(scope.variables[:6] if mine else ()):
        if variable != old:
            note = f"{text_of(node).decode()} to {variable.decode()}"
            yield change(node, variable, note, 5 + rank * 0.5)


def callees(node: Node, scope: Scope) -> Iterator[Change]:
    """Another function in a called name's place: a sibling, one called nearby, one of the file."""
    if node.type != "identifier" or not is_callee(node):
        return
    name = text_of(node)
    known = siblings(name)
    for rank, other in enumerate(known):
        yield change(node, other, f"{name.decode()} to {other.decode()}", 0.8 + rank * 0.4)
    rest = dict.fromkeys([*scope.calls, *scope.functions])
    for rank, other in enumerate([n for n in rest if n != name and n not in known][:8]):
        yield change(node, other, f"{name.decode()} to {other.decode()}", 4 + rank * 0.5)
