from datetime import date

import pytest

from kitty.dates import (
    Recurring,
    add_months,
    days_between,
    days_in_month,
    format_span,
    is_leap,
    next_weekday,
    parse_span,
)


@pytest.mark.parametrize(
    ("year", "leap"), [(2024, True), (2023, False), (1900, False), (2000, True)]
)
def test_is_leap(year, leap):
    assert is_leap(year) is leap


def test_days_in_month():
    lengths = [days_in_month(2023, month) for month in range(1, 13)]
    assert lengths == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert days_in_month(2024, 2) == 29
    for month in (0, 13):
        with pytest.raises(ValueError, match="no such month"):
            days_in_month(2023, month)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2023, 1, 15), 1, date(2023, 2, 15)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2023, 11, 30), 3, date(2024, 2, 29)),
        (date(2023, 3, 10), -3, date(2022, 12, 10)),
        (date(2023, 12, 1), 0, date(2023, 12, 1)),
    ],
)
def test_add_months(day, months, later):
    assert add_months(day, months) == later


def test_next_weekday():
    wednesday = date(2023, 6, 14)
    assert next_weekday(wednesday, 4) == date(2023, 6, 16)
    assert next_weekday(wednesday, 0) == date(2023, 6, 19)
    assert next_weekday(wednesday, 2) == date(2023, 6, 21)
    assert next_weekday(wednesday, 2, inclusive=True) == wednesday


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1h 30m", 5400), ("2d", 172800), ("1d12h", 129600), ("1 h", 3600)],
)
def test_parse_span(text, seconds):
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1h x", "3", "30m 1h", "1h 2h"])
def test_parse_span_refuses(text):
    with pytest.raises(ValueError, match=r"not a span|out of order"):
        parse_span(text)


def test_format_span():
    assert format_span(0) == "0s"
    assert format_span(61) == "1m 1s"
    assert format_span(93784) == "1d 2h"
    assert format_span(93784, parts=4) == "1d 2h 3m 4s"
    assert format_span(3601) == "1h 1s"
    assert format_span(-90) == "-1m 30s"


def test_days_between():
    days = list(days_between(date(2023, 2, 27), date(2023, 3, 2)))
    assert days == [date(2023, 2, 27), date(2023, 2, 28), date(2023, 3, 1)]
    assert list(days_between(date(2023, 3, 2), date(2023, 3, 2))) == []


def test_recurring_due():
    rent = Recurring("rent", 90000, date(2023, 1, 31))
    assert rent.due(date(2023, 1, 31), date(2023, 4, 30)) == [
        date(2023, 1, 31),
        date(2023, 2, 28),
        date(2023, 3, 31),
        date(2023, 4, 30),
    ]
    assert rent.due(date(2023, 2, 1), date(2023, 2, 27)) == []


def test_recurring_ends():
    phone = Recurring("phone", 2000, date(2023, 1, 5), every=3, last=date(2023, 7, 5))
    assert phone.due(date(2023, 1, 1), date(2024, 1, 1)) == [
        date(2023, 1, 5),
        date(2023, 4, 5),
        date(2023, 7, 5),
    ]
    assert phone.next_due(date(2023, 4, 5)) == date(2023, 4, 5)
    assert phone.next_due(date(2023, 4, 6)) == date(2023, 7, 5)
    assert phone.next_due(date(2023, 7, 6)) is None


def test_recurring_before_it_began():
    gym = Recurring("gym", 3000, date(2023, 9, 1), every=2)
    assert gym.next_due(date(2023, 1, 1)) == date(2023, 9, 1)


def test_recurring_yearly():
    assert Recurring("rent", 90000, date(2023, 1, 1)).yearly() == 1080000
    assert Recurring("phone", 2000, date(2023, 1, 1), every=3).yearly() == 8000
    with pytest.raises(ValueError, match="every month"):
        Recurring("tax", 100, date(2023, 1, 1), every=0)
