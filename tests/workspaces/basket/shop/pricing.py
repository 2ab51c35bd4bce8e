"""What a basket costs: lines of (price in cents, quantity), a discount, and delivery."""

FREE_DELIVERY_FROM = 5000
DELIVERY = 490


def subtotal(lines):
    """Add up price times quantity over the lines of a basket."""
    total = 0
    for price, quantity in lines:
        total += price * quantity
    return total


def discounted(cents, percent):
    """Take a percentage off, rounded down to a whole cent in the shop's favour."""
    if not 0 <= percent <= 100:
        raise ValueError("a discount is between 0 and 100 percent")
    return cents - cents * percent // 100


def delivery(cents):
    """Return what delivery costs: nothing from FREE_DELIVERY_FROM on, and nothing for nothing."""
    if cents == 0 or cents > FREE_DELIVERY_FROM:
        return 0
    return DELIVERY


def total(lines, percent=0):
    """Return what the customer pays."""
    cents = discounted(subtotal(lines), percent)
    return cents + delivery(cents)
