"""Tables and wrapped text for a terminal."""

from kitty.amounts import format_amount


def shorten(text, width):
    """Cut text to a width, with an ellipsis where something is missing."""
    if len(text) <= width:
        return text
    if width < 1:
        return ""
    return text[: width - 1].rstrip() + "…"


def align(text, width, side="left"):
    """Pad text to a width; a longer text stays as it is."""
    gap = max(width - len(text), 0)
    if side == "right":
        return " " * gap + text
    if side == "centre":
        return " " * (gap // 2) + text + " " * (gap - gap // 2)
    return text + " " * gap


def wrap(text, width):
    """Break text into lines of at most width characters; a longer word gets a line of its own."""
    lines = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        lines.append(line)
    return lines


def table(rows, header=None, right=()):
    """Lay rows out in columns as wide as their widest cell; columns in right are aligned right."""
    rows = [[str(cell) for cell in row] for row in rows]
    if header is not None:
        rows.insert(0, list(header))
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = []
        for i, cell in enumerate(row):
            cells.append(align(cell, widths[i], "right" if i in right else "left"))
        lines.append("  ".join(cells).rstrip())
        if number == 0 and header is not None:
            lines.append("  ".join("-" * width for width in widths))
    return lines


def bar(share, width=20):
    """Draw a share between 0 and 1 as a bar of that many characters."""
    share = min(max(share, 0), 1)
    filled = round(share * width)
    return "#" * filled + "." * (width - filled)


def join_names(names):
    """Print names as people do: "Anna", "Anna and Ben", "Anna, Ben and Cleo"."""
    names = list(names)
    if not names:
        return "nobody"
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + " and " + names[-1]


def summary(ledger):
    """Print who is owed and who owes, whoever is owed most first."""
    balances = ledger.balances()
    total = ledger.total()
    lines = []
    for name in sorted(balances, key=lambda name: (-balances[name], name)):
        cents = balances[name]
        if cents == 0:
            lines.append(f"{name} is even")
        else:
            verb = "is owed" if cents > 0 else "owes"
            lines.append(f"{name} {verb} {format_amount(abs(cents))}")
    lines.append(f"{len(ledger.expenses)} expenses, {format_amount(total)} in all")
    return lines
