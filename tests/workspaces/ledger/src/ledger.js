import { parse } from "./money.js";

export class Ledger {
  #entries = [];

  add(account, amount) {
    this.#entries.push({ account, cents: parse(amount) });
    return this;
  }

  balance(account) {
    let sum = 0;
    for (const entry of this.#entries) {
      if (entry.account === account) {
        sum += entry.cents;
      }
    }
    return sum;
  }

  overdrawn(limit = 0) {
    const accounts = [...new Set(this.#entries.map((entry) => entry.account))];
    return accounts.filter((account) => this.balance(account) <= -limit).sort();
  }
}

export function largest(entries, count) {
  const ordered = [...entries].sort((a, b) => b.cents - a.cents);
  return ordered.slice(0, count);
}
