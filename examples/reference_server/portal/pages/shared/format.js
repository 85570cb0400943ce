// SPDX-License-Identifier: Apache-2.0
// What people read: money by its asset's scale, times in their zone. Amounts are BigInt from end to end.

// "USD/2" -> {code: "USD", scale: 2}
export function parseAsset(asset) {
  const match = /^(.+)\/(\d{1,2})$/.exec(asset ?? '');
  return match ? {code: match[1], scale: Number(match[2])} : {code: String(asset ?? ''), scale: 0};
}

const group = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ',');

// The number alone: decimal('-123456', 2) -> "−1,234.56", with a true minus sign.
export function decimal(units, scale) {
  let value = BigInt(units);
  const negative = value < 0n;
  if (negative) value = -value;
  const digits = value.toString().padStart(scale + 1, '0');
  const whole = group(digits.slice(0, digits.length - scale));
  return `${negative ? '−' : ''}${whole}${scale ? '.' + digits.slice(digits.length - scale) : ''}`;
}

// {asset: "USD/2", units: "123456"} -> "1,234.56 USD"
export function money(amount) {
  if (!amount) return '–';
  const {code, scale} = parseAsset(amount.asset);
  try {
    return `${decimal(amount.units, scale)} ${code}`;
  } catch {
    return `${amount.units} ${amount.asset}`; // not a number: as it is, rather than as something else
  }
}

// What was typed, in minor units: unitsOf("1,234.5", "USD/2") -> "123450"; null if it is no amount of the asset.
export function unitsOf(text, asset) {
  const {scale} = parseAsset(asset);
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text.trim().replaceAll(',', ''));
  if (!match || (match[3] ?? '').length > scale) return null;
  return BigInt(match[1] + match[2] + (match[3] ?? '').padEnd(scale, '0')).toString();
}

export const sum = (list) => list.reduce((total, units) => total + BigInt(units), 0n).toString();

export function integer(value) {
  try {
    return decimal(String(value), 0);
  } catch {
    return String(value ?? '–');
  }
}

export function figure(value, digits = 1) {
  return value === null || value === undefined
    ? '–'
    : Number(value).toLocaleString('en-GB', {maximumFractionDigits: digits});
}

export function percent(share) {
  if (share === null || share === undefined) return '–';
  // Down, not to the nearest: what is not all is never shown as 100 %.
  const floor = Math.floor(share * 1000 + 1e-9) / 10;
  return `${floor.toFixed(floor === 100 || floor === 0 ? 0 : 1)} %`;
}

const two = (n) => String(n).padStart(2, '0');

// In the viewer's zone: "12 Jul 2026, 14:03:07"
export function timeText(iso) {
  const at = iso ? new Date(iso) : null;
  if (!at || Number.isNaN(at.getTime())) return '–';
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][at.getMonth()];
  return `${at.getDate()} ${month} ${at.getFullYear()}, ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

// As the server has it, to the microsecond: "2026-07-12 12:03:07.123456 UTC"
export const utcText = (iso) => (iso ? iso.replace('T', ' ').replace(/Z$/, ' UTC') : '');

// 93 -> "1 min 33 s"; the two largest units
export function duration(seconds) {
  let rest = Math.max(0, Math.round(Number(seconds)));
  const parts = [];
  for (const [size, name] of [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ]) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(' ') || '0 s';
}

// "3 min ago", "in 20 s"
export function relative(iso, now = Date.now()) {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  if (Number.isNaN(seconds)) return '–';
  if (Math.abs(seconds) < 1) return 'now';
  const text = duration(Math.abs(seconds)).split(' ').slice(0, 2).join(' ');
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

// A day of <input type="date">, in the viewer's zone, as the server's UTC. The day after, for ends that are to be inclusive.
export function dayStart(day, plus = 0) {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day ?? '');
  if (!match) return null;
  return new Date(Number(match[1]), Number(match[2]) - 1, Number(match[3]) + plus).toISOString();
}

// "PAYMENT_CAPTURED", "hold_debit" -> "Payment captured", "Hold debit"
export function words(name) {
  const text = String(name ?? '')
    .replaceAll(/[_-]+/g, ' ')
    .toLowerCase()
    .trim();
  return text ? text[0].toUpperCase() + text.slice(1) : '–';
}

export const milliseconds = (ms) => (ms === null || ms === undefined ? '–' : `${figure(ms, ms < 10 ? 1 : 0)} ms`);

export function bytes(count) {
  let value = Number(count);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${figure(value)} ${unit}`;
    value /= 1024;
  }
  return `${figure(value)} TiB`;
}

// Pretty if it is JSON, else as it is. Numbers of JSON that a double cannot hold would change: then as it is, too.
export function prettyJson(text) {
  try {
    if (/\d{16}/.test(text.replaceAll(/"(\\.|[^"\\])*"/g, ''))) return text;
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
