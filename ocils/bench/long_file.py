"""A Python file of many lines, made up, for measures that depend on a file's length.

Not covered: variety. Its functions differ in names and numbers only.
"""

from __future__ import annotations

_BLOCK = '''class Shelf{n}:
    """Holds up to {n} books, and knows which of them are out."""

    def __init__(self, size={n}):
        self.size = size
        self.books = []
        self.out = set()

    def add(self, title, *, copies=1):
        """Put copies of a book on the shelf; tell whether all of them fitted."""
        for _ in range(copies):
            if len(self.books) >= self.size:
                return False
            self.books.append(title)
        return True

    def lend(self, title):
        if title in self.books and title not in self.out:
            self.out.add(title)
            return True
        return False  # somebody else reads it


'''


def long_file(lines: int) -> bytes:
    """Return a file of at least ``lines`` lines that parses."""
    height = _BLOCK.count("\n")
    return "".join(_BLOCK.format(n=n) for n in range(1, lines // height + 2)).encode()
