const DATE_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const NUMBER = new Intl.NumberFormat();
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

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

/** Return a number with separators. */
export function number(value) {
  return NUMBER.format(value);
}

/** Return how far away a time is, such as "in 3 days". */
export function fromNow(text) {
  const seconds = (new Date(text) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
  return RELATIVE.format(Math.round(seconds / size), unit);
}

/** Return a duration in its largest whole unit, such as "1 hour". */
export function duration(seconds) {
  const [unit, size] = UNITS.slice(2).find(([, length]) => seconds >= length && seconds % length === 0) ?? UNITS.at(-1);
  const count = seconds / size;
  return `${number(count)} ${unit}${count === 1 ? "" : "s"}`;
}

/** Return a time of the API as the value of an input of type datetime-local. */
export function localInput(text) {
  const at = new Date(text);
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/** Return the value of an input of type datetime-local as a time of the API. */
export function fromLocalInput(value) {
  return new Date(value).toISOString();
}

/** Return the reader's time zone, such as Europe/Berlin. */
export function timeZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
