"""Expenses, balances, and the payments that settle them."""

from kitty.amounts import parse_amount, share_out


class Expense:
    """Somebody paid for something, for some of the household, by weights."""

    def __init__(self, payer, cents, what, shares):
        self.payer = payer
        self.cents = cents
        self.what = what
        self.shares = dict(shares)

    @classmethod
    def parse(cls, line, household):
        """Read "anna 12.50 pizza for ben, cleo*2"; without "for" it is for the whole household."""
        head, separator, people = line.partition(" for ")
        words = head.split()
        if len(words) < 3:
            raise ValueError(f"expected who, how much and what: {line!r}")
        shares = {}
        for person in people.split(",") if separator else household:
            name, star, weight = person.strip().partition("*")
            if name not in household:
                raise ValueError(f"nobody is called {name!r}")
            shares[name] = int(weight) if star else 1
        return cls(words[0], parse_amount(words[1]), " ".join(words[2:]), shares)

    def owed(self):
        """Return what each person's share comes to."""
        names = list(self.shares)
        parts = share_out(self.cents, [self.shares[name] for name in names])
        return dict(zip(names, parts))


class Ledger:
    """All expenses of one household."""

    def __init__(self, household):
        self.household = list(household)
        self.expenses = []

    def add(self, expense):
        """Take down an expense; its payer must live here."""
        if expense.payer not in self.household:
            raise ValueError(f"nobody is called {expense.payer!r}")
        self.expenses.append(expense)

    def load(self, text):
        """Take down one expense a line; blank lines and comments are left out. Returns how many."""
        count = 0
        for number, line in enumerate(text.splitlines(), start=1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            try:
                self.add(Expense.parse(line, self.household))
            except ValueError as problem:
                raise ValueError(f"line {number}: {problem}") from problem
            count += 1
        return count

    def total(self, payer=None):
        """Return what was spent, by everybody or by one person."""
        return sum(e.cents for e in self.expenses if payer is None or e.payer == payer)

    def balances(self):
        """Return, for each person, what they paid less what they owe."""
        balances = dict.fromkeys(self.household, 0)
        for expense in self.expenses:
            balances[expense.payer] += expense.cents
            for name, cents in expense.owed().items():
                balances[name] -= cents
        return balances

    def settle(self):
        """Return payments (from, to, cents) that bring every balance to zero.

        Whoever owes most pays whoever is owed most; people of the same balance go by name.
        """
        balances = self.balances()
        payments = []
        while any(balances.values()):
            debtor = min(sorted(balances), key=lambda name: balances[name])
            creditor = max(sorted(balances), key=lambda name: balances[name])
            cents = min(-balances[debtor], balances[creditor])
            payments.append((debtor, creditor, cents))
            balances[debtor] += cents
            balances[creditor] -= cents
        return payments

    def largest(self, count=3):
        """Return the largest expenses, the largest first, and of equal ones the earlier first."""
        return sorted(self.expenses, key=lambda e: -e.cents)[:count]

    def by_word(self):
        """Add up what was spent by the first word of what it was for, in lower case."""
        totals = {}
        for expense in self.expenses:
            word = expense.what.split()[0].lower()
            totals[word] = totals.get(word, 0) + expense.cents
        return totals
