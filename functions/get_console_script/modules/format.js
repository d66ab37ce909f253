/** The reader's own kind of English, because the sentences around the times are in English. */
const LOCALE = navigator.languages.find((name) => name.startsWith("en")) ?? "en";
const DATE_TIME = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const DATE = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium" });
const DAY = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" });
const NUMBER = new Intl.NumberFormat(LOCALE);
const RELATIVE = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });

const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** Return a time of the API (RFC 3339) in the reader's time zone. */
export function dateTime(text) {
  return DATE_TIME.format(new Date(text));
}

/** Return the date of a time of the API in the reader's time zone. */
export function date(text) {
  return DATE.format(new Date(text));
}

/** Return a day of the API, such as 2030-01-31, which is a day in UTC. */
export function day(text) {
  return DAY.format(new Date(`${text}T00:00:00Z`));
}

/** Return whether a typed text looks like a name: spaces and accents have several forms. */
export function isSameText(typed, name) {
  const visible = (text) => text.normalize("NFC").replace(/\s+/g, " ").trim();
  return visible(typed) === visible(name);
}

/** Return a number with separators. */
export function number(value) {
  return NUMBER.format(value);
}

/** Return how far away a time is, such as "in 3 days". */
export function fromNow(text) {
  const seconds = (new Date(text) - Date.now()) / 1000;
  // 59.9 minutes are an hour.
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= 0.99 * length) ?? UNITS.at(-1);
  return RELATIVE.format(Math.round(seconds / size), unit);
}

/** Return a duration in its largest whole unit, such as "1 hour". */
export function duration(seconds) {
  const [unit, size] = UNITS.slice(2).find(([, length]) => seconds >= length && seconds % length === 0) ?? UNITS.at(-1);
  const count = seconds / size;
  return `${number(count)} ${unit}${count === 1 ? "" : "s"}`;
}

/** Return a time of the API as the value of an input of type datetime-local; "" if it is not a time. */
export function localInput(text) {
  const at = new Date(text);
  if (!isTime(at)) return "";
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/** Return the value of an input of type datetime-local as a time of the API; "" if it is not a time. */
export function fromLocalInput(value) {
  const at = new Date(value);
  return isTime(at) ? at.toISOString() : "";
}

function isTime(at) {
  return at.getUTCFullYear() >= 1 && at.getUTCFullYear() <= 9998; // false for an invalid date
}

function uses(count) {
  return `${number(count)} ${count === 1 ? "use" : "uses"}`;
}

/** Return a rate limit of the API in words. */
export function rateText({ limit, windowSeconds, burst }) {
  const most = burst === undefined || burst === limit ? "" : `, at most ${number(burst)} at once`;
  return `${uses(limit)} in ${duration(windowSeconds)}${most}`;
}

/** Return a quota of the API in words. */
export function quotaText({ limit, period }) {
  return `${uses(limit)} ${period === "total" ? "in total" : `a ${period}`}`;
}

/** Return the reader's time zone, such as Europe/Berlin. */
export function timeZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
