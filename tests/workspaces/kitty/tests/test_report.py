import pytest

from kitty.ledger import Expense, Ledger
from kitty.report import align, bar, join_names, shorten, summary, table, wrap


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("tea", 5, "tea"),
        ("bread", 5, "bread"),
        ("bus tickets", 6, "bus t…"),
        ("bus tickets", 5, "bus…"),
        ("tea", 1, "…"),
        ("tea", 0, ""),
    ],
)
def test_shorten(text, width, short):
    assert shorten(text, width) == short


def test_align():
    assert align("tea", 6) == "tea   "
    assert align("tea", 6, "right") == "   tea"
    assert align("tea", 6, "centre") == " tea  "
    assert align("tea", 7, "centre") == "  tea  "
    assert align("tea", 2) == "tea"


def test_wrap():
    assert wrap("the rent is due on friday", 11) == ["the rent is", "due on", "friday"]
    assert wrap("an extraordinarily long word", 6) == ["an", "extraordinarily", "long", "word"]
    assert wrap("  ", 10) == []


def test_table():
    rows = [["anna", 1500], ["ben", -800]]
    assert table(rows, header=["who", "cents"], right=(1,)) == [
        "who   cents",
        "----  -----",
        "anna   1500",
        "ben    -800",
    ]


def test_table_without_header():
    assert table([["a", "bbb"], ["cc", "d"]]) == ["a   bbb", "cc  d"]
    assert table([]) == []


def test_bar():
    assert bar(0.5, 10) == "#####....."
    assert bar(0) == "." * 20
    assert bar(1.5, 4) == "####"
    assert bar(-1, 4) == "...."


def test_join_names():
    assert join_names([]) == "nobody"
    assert join_names(["Anna"]) == "Anna"
    assert join_names(["Anna", "Ben"]) == "Anna and Ben"
    assert join_names(iter(["Anna", "Ben", "Cleo"])) == "Anna, Ben and Cleo"


def test_summary():
    ledger = Ledger(["anna", "ben", "cleo", "dora"])
    ledger.add(Expense("cleo", 1050, "tea", {"anna": 1, "ben": 1}))
    assert summary(ledger) == [
        "cleo is owed 10.50",
        "dora is even",
        "anna owes 5.25",
        "ben owes 5.25",
        "1 expenses, 10.50 in all",
    ]
