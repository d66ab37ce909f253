import { useRef } from "preact/hooks";
import { ApiError } from "./api.js";
import { fromLocalInput, localInput, timeZone } from "./format.js";
import { html } from "./html.js";
import { Button, Checkbox, Field, Select, TextField } from "./ui.js";

const DAY_MS = 86400000;
const LATEST = "9998-12-31T23:59";
const EXPIRIES = [
  ["never", "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
  ["at", "At a time of your choice"],
];
const PERIODS = [
  ["day", "a day (UTC)"],
  ["week", "a week (UTC, from Monday)"],
  ["month", "a month (UTC)"],
  ["total", "in total, never reset"],
];
const KIND_OF = { string: "text", boolean: "boolean" };
const KINDS = [
  ["text", "text"],
  ["number", "number"],
  ["boolean", "true/false"],
];

/**
 * Return the values of the form for a key, or for a new one. All are texts, as they are typed.
 *
 * @param {object | null} key as the API shows it.
 */
export function valuesOf(key) {
  return {
    name: key?.name ?? "",
    permissions: key?.permissions ?? [],
    expiry: key?.expiresAt ? "at" : "never",
    expiresAt: key?.expiresAt ? localInput(key.expiresAt) : "",
    metadata: Object.entries(key?.metadata ?? {}).map(([name, value]) => ({
      name,
      value: typeof value === "string" ? value : JSON.stringify(value),
      kind: KIND_OF[typeof value] ?? "number",
    })),
    hasRate: Boolean(key?.rateLimit),
    rateLimit: String(key?.rateLimit?.limit ?? 60),
    rateWindow: String(key?.rateLimit?.windowSeconds ?? 60),
    rateBurst: key?.rateLimit ? String(key.rateLimit.burst) : "",
    hasQuota: Boolean(key?.quota),
    quotaLimit: String(key?.quota?.limit ?? 10000),
    quotaPeriod: key?.quota?.period ?? "month",
    addresses: (key?.allowedIps ?? []).join("\n"),
  };
}

/**
 * Return the body of a request from the values of the form.
 *
 * @throws {ApiError} if there cannot be such a key; the service checks the rest.
 */
export function bodyOf(values) {
  const days = Number(values.expiry);
  const names = values.metadata.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`The metadata has two fields ${twice}`, "Rename or remove one of them.");
  if (values.permissions.length === 0) {
    throw invalid("The key needs a permission", "Check at least one box below Permissions.");
  }
  return {
    name: values.name,
    permissions: values.permissions,
    expiresAt:
      values.expiry === "never"
        ? null
        : values.expiry === "at"
          ? fromLocalInput(values.expiresAt)
          : new Date(Date.now() + days * DAY_MS).toISOString(),
    metadata: Object.fromEntries(values.metadata.map(({ name, value, kind }) => [name, valueOf(value, kind)])),
    rateLimit: values.hasRate
      ? {
          limit: Number(values.rateLimit),
          windowSeconds: Number(values.rateWindow),
          ...(values.rateBurst && { burst: Number(values.rateBurst) }),
        }
      : null,
    quota: values.hasQuota ? { limit: Number(values.quotaLimit), period: values.quotaPeriod } : null,
    allowedIps: addressesOf(values.addresses),
  };
}

/** Return the fields that differ: those that were not touched keep what others have changed in between. */
export function changesOf(before, after) {
  const [old, now] = [bodyOf(before), bodyOf(after)];
  const fields = Object.keys(now).filter((name) => JSON.stringify(now[name]) !== JSON.stringify(old[name]));
  return Object.fromEntries(fields.map((name) => [name, now[name]]));
}

function invalid(message, hint) {
  return new ApiError({ code: "BAD_REQUEST", message, hint });
}

function valueOf(text, kind) {
  if (kind === "boolean") return text === "true";
  if (kind === "text") return text;
  const isExact = Number.isSafeInteger(Number(text)) || !/^-?[1-9]\d*$/.test(text);
  return isExact || !JSON.rawJSON ? Number(text) : JSON.rawJSON(text);
}

function addressesOf(text) {
  const addresses = text.split(/[\s,]+/).filter(Boolean);
  return addresses.length > 0 ? addresses : null;
}

/**
 * The fields of a key.
 *
 * @param {(change: (values: object) => object) => void} onChange called with a function from the values to new ones: two
 *   fields may change before the form is drawn again.
 */
export function KeyFields({ values, onChange, permissions }) {
  const change = (name) => (next) => onChange((before) => ({ ...before, [name]: next(before[name]) }));
  const set = (name) => (value) => change(name)(() => value);
  return html`<${TextField}
      label="Name"
      hint="Describe what uses the key, and where, such as: nightly import, production."
      value=${values.name}
      onInput=${set("name")}
      required
    />
    <${PermissionFields} granted=${values.permissions} all=${permissions} onChange=${change("permissions")} />
    <div class="grid">
      <${Select} label="Expires" value=${values.expiry} onChange=${set("expiry")} options=${EXPIRIES} />
      ${values.expiry === "at" &&
      html`<${TextField}
        label="Expires at"
        type="datetime-local"
        hint=${`In your time zone, ${timeZone()}.`}
        value=${values.expiresAt}
        onInput=${set("expiresAt")}
        max=${LATEST}
        required
      />`}
    </div>
    <${RateFields} values=${values} set=${set} />
    <${QuotaFields} values=${values} set=${set} />
    <${Field}
      label="Allowed addresses"
      hint="IP addresses or ranges such as 192.0.2.0/24, one on each line. Without any, the key works from everywhere."
    >
      ${(about) => html`<textarea
        value=${values.addresses}
        spellcheck="false"
        onInput=${(event) => set("addresses")(event.currentTarget.value)}
        ...${about}
      ></textarea>`}
    <//>
    <${MetadataFields} rows=${values.metadata} onChange=${change("metadata")} />`;
}

function PermissionFields({ granted, all, onChange }) {
  const names = [...all, ...granted.filter((name) => !all.includes(name))];
  const toggle = (name) => (checked) =>
    onChange((before) => names.filter((other) => (other === name ? checked : before.includes(other))));
  const included = (name) => name.endsWith(":read") && granted.includes(name.replace(/:read$/, ":write"));
  return html`<fieldset>
    <legend>Permissions</legend>
    <p class="hint">At least one. A permission to write includes the one to read.</p>
    <div class="grid">
      ${names.map(
        (name) => html`<${Checkbox}
          key=${name}
          label=${included(name) && !granted.includes(name) ? `${name} (included)` : name}
          checked=${granted.includes(name)}
          onChange=${toggle(name)}
        />`,
      )}
    </div>
  </fieldset>`;
}

function RateFields({ values, set }) {
  return html`<fieldset>
    <legend>Rate limit</legend>
    <${Checkbox} label="Limit how fast the key can be used" checked=${values.hasRate} onChange=${set("hasRate")} />
    ${values.hasRate &&
    html`<div class="grid">
      <${TextField} label="Uses" type="number" min="1" max="10000" required value=${values.rateLimit} onInput=${set("rateLimit")} />
      <${TextField} label="Window in seconds" type="number" min="1" max="3600" required value=${values.rateWindow} onInput=${set("rateWindow")} />
      <${TextField}
        label="Burst (optional)"
        hint="Maximum uses at once. Default: all."
        type="number"
        min="1"
        max=${values.rateLimit}
        value=${values.rateBurst}
        onInput=${set("rateBurst")}
      />
    </div>`}
  </fieldset>`;
}

function QuotaFields({ values, set }) {
  return html`<fieldset>
    <legend>Quota</legend>
    <${Checkbox} label="Limit how often the key can be used" checked=${values.hasQuota} onChange=${set("hasQuota")} />
    ${values.hasQuota &&
    html`<div class="grid">
      <${TextField} label="Uses in the period" type="number" min="1" max="1000000000000" required value=${values.quotaLimit} onInput=${set("quotaLimit")} />
      <${Select} label="Period" value=${values.quotaPeriod} onChange=${set("quotaPeriod")} options=${PERIODS} />
    </div>`}
  </fieldset>`;
}

function MetadataFields({ rows, onChange }) {
  const add = useRef(null);
  const set = (index, part) =>
    onChange((before) => before.map((row, other) => (other === index ? { ...row, ...part } : row)));
  const remove = (index) => {
    onChange((before) => before.filter((_, other) => other !== index));
    add.current.querySelector("button").focus(); // the button that had the focus goes
  };
  return html`<fieldset>
    <legend>Metadata</legend>
    <p class="hint">Your own data about the key. Backends that verify the key get it. No secrets.</p>
    ${rows.map(
      (row, index) => html`<div class="metadata" key=${index} role="group" aria-label=${row.name || `Field ${index + 1}`}>
        <${TextField} label="Field" required value=${row.name} onInput=${(name) => set(index, { name })} />
        ${row.kind === "boolean"
          ? html`<${Select}
              label="Value"
              value=${row.value}
              onChange=${(value) => set(index, { value })}
              options=${[
                ["true", "true"],
                ["false", "false"],
              ]}
            />`
          : html`<${TextField}
              label="Value"
              type=${row.kind === "number" ? "number" : "text"}
              step="any"
              required=${row.kind === "number"}
              value=${row.value}
              onInput=${(value) => set(index, { value })}
            />`}
        <${Select}
          label="Type"
          value=${row.kind}
          onChange=${(kind) => set(index, { kind, value: kind === "boolean" ? "true" : row.value })}
          options=${KINDS}
        />
        <${Button}
          onClick=${() => remove(index)}
          aria-label=${`Remove ${row.name || "this field"}`}
        >
          Remove
        <//>
      </div>`,
    )}
    <div ref=${add}>
      <${Button} onClick=${() => onChange((before) => [...before, { name: "", value: "", kind: "text" }])}>Add a field<//>
    </div>
  </fieldset>`;
}
