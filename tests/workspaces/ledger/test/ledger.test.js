import assert from "node:assert/strict";
import { describe, it, test } from "node:test";

import { Ledger, largest } from "../src/ledger.js";

const full = () => new Ledger().add("rent", "-800").add("pay", "1000").add("rent", "750.50");

describe("balance", () => {
  it("is the sum of an account", () => {
    assert.equal(full().balance("rent"), -4950);
  });
  it("is nothing for what is unknown", () => {
    assert.equal(full().balance("food"), 0);
  });
});

describe("overdrawn", () => {
  it("names who is below zero", () => {
    assert.deepEqual(full().overdrawn(), ["rent"]);
  });
  it("leaves out who has nothing", () => {
    assert.deepEqual(full().add("food", "0").overdrawn(), ["rent"]);
    assert.deepEqual(full().overdrawn(4950), []);
  });
  it("takes a limit", () => {
    assert.deepEqual(full().overdrawn(5000), []);
  });
});

test("largest", () => {
  const entries = [{ cents: 1 }, { cents: 30 }, { cents: 4 }];
  assert.deepEqual(largest(entries, 2), [{ cents: 30 }, { cents: 4 }]);
});
