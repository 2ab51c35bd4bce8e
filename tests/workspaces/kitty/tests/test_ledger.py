import pytest

from kitty.ledger import Expense, Ledger

HOUSEHOLD = ["anna", "ben", "cleo"]

BOOK = """
anna 30.00 Pizza and wine    # friday
ben 10.00 bread for anna, ben

cleo 9.00 pizza for ben, cleo*2
# nothing else
"""


@pytest.fixture
def ledger():
    book = Ledger(HOUSEHOLD)
    book.load(BOOK)
    return book


def test_parse_for_everybody():
    expense = Expense.parse("anna 12.50 pizza", HOUSEHOLD)
    assert expense.payer == "anna"
    assert expense.cents == 1250
    assert expense.what == "pizza"
    assert expense.shares == {"anna": 1, "ben": 1, "cleo": 1}


def test_parse_for_some():
    expense = Expense.parse("ben 8 bus tickets for anna, cleo*3", HOUSEHOLD)
    assert expense.what == "bus tickets"
    assert expense.shares == {"anna": 1, "cleo": 3}


@pytest.mark.parametrize("line", ["anna 12.50", "anna x pizza", "anna 3 tea for dora"])
def test_parse_refuses(line):
    with pytest.raises(ValueError, match=r"expected|not an amount|nobody"):
        Expense.parse(line, HOUSEHOLD)


def test_owed():
    expense = Expense("anna", 1000, "wine", {"ben": 1, "cleo": 2})
    assert expense.owed() == {"ben": 333, "cleo": 667}


def test_add_refuses_a_stranger():
    book = Ledger(HOUSEHOLD)
    with pytest.raises(ValueError, match="dora"):
        book.add(Expense("dora", 100, "tea", {"anna": 1}))
    assert book.expenses == []


def test_load_counts():
    book = Ledger(HOUSEHOLD)
    assert book.load(BOOK) == 3
    assert [e.what for e in book.expenses] == ["Pizza and wine", "bread", "pizza"]


def test_load_names_the_line():
    with pytest.raises(ValueError, match="line 2: expected"):
        Ledger(HOUSEHOLD).load("anna 1 tea\nben")


def test_total(ledger):
    assert ledger.total() == 4900
    assert ledger.total("ben") == 1000
    assert ledger.total("dora") == 0


def test_balances(ledger):
    assert ledger.balances() == {"anna": 1500, "ben": -800, "cleo": -700}


def test_balances_of_nothing():
    assert Ledger(HOUSEHOLD).balances() == {"anna": 0, "ben": 0, "cleo": 0}


def test_settle(ledger):
    assert ledger.settle() == [("ben", "anna", 800), ("cleo", "anna", 700)]


def test_settle_two_creditors():
    book = Ledger(HOUSEHOLD)
    book.add(Expense("anna", 500, "tea", {"cleo": 1}))
    book.add(Expense("ben", 500, "cake", {"cleo": 1}))
    assert book.settle() == [("cleo", "anna", 500), ("cleo", "ben", 500)]


def test_settle_nothing():
    assert Ledger(HOUSEHOLD).settle() == []


def test_largest(ledger):
    assert [e.cents for e in ledger.largest(2)] == [3000, 1000]
    ledger.add(Expense("ben", 3000, "lamp", {"ben": 1}))
    assert [e.what for e in ledger.largest()] == ["Pizza and wine", "lamp", "bread"]


def test_by_word(ledger):
    assert ledger.by_word() == {"pizza": 3900, "bread": 1000}
