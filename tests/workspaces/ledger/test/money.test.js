import assert from "node:assert/strict";
import test, { describe, it } from "node:test";

import { format, parse } from "../src/money.js";

describe("parse", () => {
  it("takes whole amounts", () => {
    assert.equal(parse("12"), 1200);
  });
  it("takes cents", () => {
    assert.equal(parse(" 3.05 "), 305);
  });
  it("takes debts", () => {
    assert.equal(parse("-0.50"), -50);
  });
  it("refuses the rest", () => {
    assert.throws(() => parse("1.5"), RangeError);
  });
});

test("format is parse's opposite", () => {
  for (const cents of [0, 5, 99, 100, -250]) {
    assert.equal(parse(format(cents)), cents);
  }
});
