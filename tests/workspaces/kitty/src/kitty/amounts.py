"""Amounts of money, as whole cents: nothing is ever lost to rounding."""

SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP"}


def parse_amount(text):
    """Read "1,234.50", "-3", "€ 12.5" or "(4.00)" as cents; parentheses mean a negative amount."""
    text = text.strip()
    negative = text.startswith("-") or (text.startswith("(") and text.endswith(")"))
    text = text.strip("-() ")
    if text and text[0] in SYMBOLS:
        text = text[1:].strip()
    whole, _, fraction = text.replace(",", "").partition(".")
    if not whole.isdigit() or len(fraction) > 2 or (fraction and not fraction.isdigit()):
        raise ValueError(f"not an amount: {text!r}")
    cents = int(whole) * 100 + int(fraction.ljust(2, "0"))
    return -cents if negative else cents


def currency_of(text, default="EUR"):
    """Return the currency code that an amount's text names by symbol or by code."""
    text = text.strip()
    for symbol, code in SYMBOLS.items():
        if symbol in text:
            return code
        if text.endswith(code) or text.startswith(code):
            return code
    return default


def format_amount(cents, symbol="", grouped=True):
    """Print cents as "1,234.50"; a symbol stands before the digits and behind the sign."""
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 100)
    digits = f"{whole:,}" if grouped else str(whole)
    return f"{sign}{symbol}{digits}.{fraction:02d}"


def share_out(cents, weights):
    """Split an amount by weights so that the shares add up to it exactly.

    What is left over after rounding down goes, cent by cent, to the largest remainders; among equal
    remainders, to whoever comes first.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights must be positive")
    shares = [cents * weight // total for weight in weights]
    remainders = [cents * weight % total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in order[: cents - sum(shares)]:
        shares[i] += 1
    return shares


def round_to(cents, step):
    """Round to the nearest multiple of step, halves away from zero."""
    if step <= 0:
        raise ValueError("step must be positive")
    sign = -1 if cents < 0 else 1
    return sign * ((abs(cents) + step // 2) // step * step)


def add_percentage(cents, percent):
    """Add a percentage to an amount, rounded half away from zero to a whole cent."""
    extra = abs(cents) * percent
    extra = int(extra // 100) + (1 if extra % 100 >= 50 else 0)
    return cents + extra if cents >= 0 else cents - extra
