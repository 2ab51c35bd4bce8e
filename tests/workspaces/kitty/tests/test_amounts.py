import pytest

from kitty.amounts import (
    add_percentage,
    currency_of,
    format_amount,
    parse_amount,
    round_to,
    share_out,
)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("12", 1200),
        ("12.5", 1250),
        ("12.05", 1205),
        (" 1,234.50 ", 123450),
        ("-3", -300),
        ("(4.00)", -400),
        ("€ 12.5", 1250),
        ("-$7", -700),
        ("0.09", 9),
    ],
)
def test_parse_amount(text, cents):
    assert parse_amount(text) == cents


@pytest.mark.parametrize("text", ["", "abc", "1.234", "1.2x", "1.2.3", "€"])
def test_parse_amount_refuses(text):
    with pytest.raises(ValueError, match="not an amount"):
        parse_amount(text)


def test_currency_of():
    assert currency_of("£3") == "GBP"
    assert currency_of("3 USD") == "USD"
    assert currency_of("GBP 3") == "GBP"
    assert currency_of("3") == "EUR"
    assert currency_of("3", default="CHF") == "CHF"


def test_format_amount():
    assert format_amount(123450) == "1,234.50"
    assert format_amount(-5) == "-0.05"
    assert format_amount(-123450, symbol="€") == "-€1,234.50"
    assert format_amount(123450, grouped=False) == "1234.50"
    assert format_amount(0) == "0.00"


@pytest.mark.parametrize(
    ("cents", "weights", "shares"),
    [
        (900, [1, 1, 1], [300, 300, 300]),
        (1000, [1, 1, 1], [334, 333, 333]),
        (1001, [1, 1, 1], [334, 334, 333]),
        (1000, [1, 2], [333, 667]),
        (100, [0, 1], [0, 100]),
        (5, [3, 3, 2], [2, 2, 1]),
    ],
)
def test_share_out(cents, weights, shares):
    assert share_out(cents, weights) == shares


def test_share_out_refuses_weights():
    with pytest.raises(ValueError, match="positive"):
        share_out(100, [0, 0])
    with pytest.raises(ValueError, match="positive"):
        share_out(100, [2, -1])


def test_round_to():
    assert round_to(1234, 5) == 1235
    assert round_to(1232, 5) == 1230
    assert round_to(1250, 100) == 1300
    assert round_to(-1250, 100) == -1300
    assert round_to(7, 1) == 7
    with pytest.raises(ValueError, match="step"):
        round_to(100, 0)


def test_add_percentage():
    assert add_percentage(1000, 19) == 1190
    assert add_percentage(50, 1) == 51
    assert add_percentage(49, 1) == 49
    assert add_percentage(-1000, 10) == -1100
    assert add_percentage(0, 19) == 0
