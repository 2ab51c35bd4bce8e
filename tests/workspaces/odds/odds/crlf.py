"""Lines end as on another system, and the words are not ASCII."""

GRUSS = {"de": "Grüß Gott", "ja": "こんにちは", "fr": "Ça va ?"}


def greet(name, language="de"):
    """Greet someone: "Grüß Gott, Zoë!"."""
    word = GRUSS.get(language, "…")
    return f"{word}, {name}!" if name else word


def initials(name):
    """Return the first letters, upper case: "É. Z."."""
    letters = [part[0].upper() for part in name.split()]
    return " ".join(f"{letter}." for letter in letters)
