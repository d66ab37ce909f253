import { useState } from "preact/hooks";
import { useLoaded, useSurroundings } from "./context.js";
import { dateTime, day, number, rateText } from "./format.js";
import { html } from "./html.js";
import { ErrorNotice, Loading, Section, Select } from "./ui.js";

const HEIGHT = 100;
const WIDTH = 10;
const GAP = 2;
const SPANS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
];

/** How often a key was used on each day, and what is left of its limits. */
export function Usage({ item }) {
  const { api } = useSurroundings();
  const [span, setSpan] = useState("30");
  const from = new Date(Date.now() - (Number(span) - 1) * 86400000).toISOString().slice(0, 10);
  const { value, error, reload } = useLoaded((signal) => api.keyUsage(item.id, { from }, signal), [item.id, item.updatedAt, from]);
  const select = html`<${Select} label="Show" value=${span} onChange=${setSpan} options=${SPANS} />`;
  return html`<${Section} title="Usage" beside=${select}>
    <${ErrorNotice} error=${error} onRetry=${reload} />
    ${value
      ? html`<${Plot} usage=${value} /><${Limits} item=${item} usage=${value} />`
      : !error && html`<${Loading} rows=${3} label="Loading the usage" />`}
  <//>`;
}

function Plot({ usage }) {
  const days = filled(usage);
  const most = Math.max(1, ...days.map((entry) => entry.requestCount));
  const height = (count) => (count === 0 ? 0 : Math.max(2, (count / most) * HEIGHT));
  const summary = `${number(usage.requestCount)} uses from ${day(usage.from)} to ${day(usage.to)}, at most ${number(
    Math.max(0, ...days.map((entry) => entry.requestCount)),
  )} a day`;
  return html`<figure class="plot">
    <figcaption>${summary}</figcaption>
    <svg viewBox=${`0 0 ${days.length * WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      ${days.map(
        (entry, index) => html`<rect
          key=${entry.date}
          x=${index * WIDTH + GAP / 2}
          y=${HEIGHT - height(entry.requestCount)}
          width=${WIDTH - GAP}
          height=${height(entry.requestCount)}
        />`,
      )}
      <line x1="0" y1=${HEIGHT} x2=${days.length * WIDTH} y2=${HEIGHT} />
    </svg>
    <p class="scale" aria-hidden="true"><span>${day(usage.from)}</span><span>${day(usage.to)}</span></p>
    <details>
      <summary>Uses of each day</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Day (UTC)</th>
            <th scope="col" class="number">Uses</th>
          </tr>
        </thead>
        <tbody>
          ${[...days].reverse().map(
            (entry) => html`<tr key=${entry.date}>
              <td>${day(entry.date)}</td>
              <td class="number">${number(entry.requestCount)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </details>
  </figure>`;
}

/** Return every day of the answer's range: the API may leave out days without uses. */
function filled({ from, to, days }) {
  const counts = new Map(days.map((entry) => [entry.date, entry.requestCount]));
  const all = [];
  for (let at = Date.parse(`${from}T00:00:00Z`); at <= Date.parse(`${to}T00:00:00Z`); at += 86400000) {
    const name = new Date(at).toISOString().slice(0, 10);
    all.push({ date: name, requestCount: counts.get(name) ?? 0 });
  }
  return all;
}

function Limits({ item, usage }) {
  const { rateLimit: rate, quota } = usage;
  return html`${rate && item.rateLimit && html`<${RateMeter} limit=${item.rateLimit} left=${rate.remaining} />`}
  ${quota && html`<${QuotaMeter} quota=${quota} />`}`;
}

function RateMeter({ limit, left }) {
  const text = left === null ? "Remaining uses are unknown." : `${number(left)} left now.`;
  return html`<${Meter}
    label="Rate limit"
    used=${left === null ? null : limit.burst - left}
    limit=${limit.burst}
    text=${`${rateText(limit)}. ${text}`}
  />`;
}

function QuotaMeter({ quota: { used, limit, resetsAt } }) {
  const end = resetsAt === null ? "Never resets." : `Resets at ${dateTime(resetsAt)}.`;
  return html`<${Meter} label="Quota" used=${used} limit=${limit} text=${`${number(used)} of ${number(limit)} used. ${end}`} />`;
}

/** A bar of how much of a limit is used. `used` is null if it is not known. */
function Meter({ label, used, limit, text }) {
  const share = used === null ? 0 : Math.min(1, Math.max(0, used / limit));
  return html`<div class="meter">
    <p><strong>${label}</strong></p>
    <div
      role="meter"
      aria-label=${label}
      aria-valuemin="0"
      aria-valuemax=${limit}
      aria-valuenow=${Math.min(limit, Math.max(0, used ?? 0))}
      aria-valuetext=${text}
    >
      <div class=${share >= 1 ? "full" : null} style=${{ width: `${share * 100}%` }}></div>
    </div>
    <p class="small">${text}</p>
  </div>`;
}
