/** Amounts are whole cents. */

export function parse(text) {
  const found = /^(-?)(\d+)(?:\.(\d{2}))?$/.exec(text.trim());
  if (found === null) {
    throw new RangeError(`no amount: ${text}`);
  }
  const cents = Number(found[2]) * 100 + Number(found[3] ?? 0);
  return found[1] === "-" ? -cents : cents;
}

export const format = (cents) => {
  const sign = cents < 0 ? "-" : "";
  const whole = Math.floor(Math.abs(cents) / 100);
  return `${sign}${whole}.${String(Math.abs(cents) % 100).padStart(2, "0")}`;
};
