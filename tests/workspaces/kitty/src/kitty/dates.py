"""Months, recurring bills and spans of time."""

import re
from datetime import date, timedelta

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def is_leap(year):
    """Tell whether a year has a 29th of February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year, month):
    """Return how many days a month has."""
    if not 1 <= month <= 12:
        raise ValueError(f"no such month: {month}")
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def add_months(day, months):
    """Return the same day some months later, or that month's last day if it is shorter."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, days_in_month(year, month)))


def next_weekday(day, weekday, inclusive=False):
    """Return the next given weekday (Monday is 0) after a day, or that day itself if inclusive."""
    ahead = (weekday - day.weekday()) % 7
    if ahead == 0 and not inclusive:
        ahead = 7
    return day + timedelta(days=ahead)


def parse_span(text):
    """Read "1h 30m", "2d", "90s" or "1d12h" as seconds; each unit at most once, largest first."""
    parts = re.findall(r"(\d+)\s*([dhms])", text)
    if not parts or re.sub(r"\d+\s*[dhms]|\s", "", text):
        raise ValueError(f"not a span of time: {text!r}")
    seconds = 0
    last = None
    for number, unit in parts:
        if last is not None and UNITS[unit] >= last:
            raise ValueError(f"{unit!r} is out of order in {text!r}")
        seconds += int(number) * UNITS[unit]
        last = UNITS[unit]
    return seconds


def format_span(seconds, parts=2):
    """Print seconds with their largest units: "1d 2h"; at most so many of them."""
    if seconds < 0:
        return "-" + format_span(-seconds, parts)
    found = []
    for unit, size in UNITS.items():
        count, seconds = divmod(seconds, size)
        if count and len(found) < parts:
            found.append(f"{count}{unit}")
    return " ".join(found) or "0s"


def days_between(start, end):
    """Yield each day from start up to and without end."""
    while start < end:
        yield start
        start += timedelta(days=1)


class Recurring:
    """A bill that comes every so many months, from a first day until, perhaps, a last one."""

    def __init__(self, name, cents, first, every=1, last=None):
        if every < 1:
            raise ValueError("a bill comes every month at most")
        self.name = name
        self.cents = cents
        self.first = first
        self.every = every
        self.last = last

    def due(self, start, end):
        """Return the days from start to end, both included, on which the bill comes."""
        days = []
        count = 0
        while True:
            day = add_months(self.first, count * self.every)
            if day > end or (self.last is not None and day > self.last):
                return days
            if day >= start:
                days.append(day)
            count += 1

    def next_due(self, today):
        """Return the first day from today on which the bill comes, or None when it has ended."""
        horizon = add_months(max(today, self.first), self.every)
        days = self.due(today, horizon)
        return days[0] if days else None

    def yearly(self):
        """Return what the bill comes to in a year without end."""
        return self.cents * 12 // self.every
