import { useHeadingFocus, useLoaded, usePlace, useSurroundings } from "./context.js";
import { dateTime, fromLocalInput, localInput, timeZone } from "./format.js";
import { html } from "./html.js";
import { written } from "./router.js";
import { Badge, Button, CommittedField, ErrorNotice, Heading, Link, Loading, Pages, Select, Table } from "./ui.js";

const PAGE = 20;

const EVENTS = {
  "api_key.created": "API key created",
  "api_key.updated": "API key changed",
  "api_key.rotated": "API key rotated",
  "api_key.deleted": "API key deleted",
  "api_key.leak_reported": "API key reported as leaked",
  "api_key.retired_secret_used": "Retired secret used",
  "api_key.imported": "API key imported",
  "api_key.expiring": "API key expires soon",
  "api_key.expired": "API key expired",
  "organization.created": "Organization created",
  "organization.updated": "Organization changed",
  "organization.deletion_requested": "Deletion scheduled",
  "organization.deletion_canceled": "Deletion canceled",
  "member.added": "Member added",
  "member.role_changed": "Role of a member changed",
  "member.suspended": "Member suspended",
  "member.reinstated": "Member reinstated",
  "member.removed": "Member removed",
};

const ACTORS = {
  user: "User",
  api_key: "API key",
  operator: "Operator",
  identity_provider: "Identity provider",
  system: "Keywright",
};

/** The audit log, with filters that are part of the address. */
export function AuditLogView() {
  const { api, router } = useSurroundings();
  const { query } = usePlace(router);
  const { event, actor, target, from, to, after } = query;
  const { value, error, reload, isLoading } = useLoaded(
    (signal) =>
      api.auditLogs(
        {
          limit: PAGE,
          event,
          actor_type: actor,
          target_id: target,
          created_from: from,
          created_to: to,
          starting_after: after,
        },
        signal,
      ),
    [event, actor, target, from, to, after],
  );
  const isFiltered = Boolean(event || actor || target || from || to);
  const focusHeading = useHeadingFocus();
  const clear = () => {
    router.go("/audit-log");
    focusHeading();
  };
  return html`<${Heading} title="Audit log">
      ${isFiltered && html`<${Button} onClick=${clear}>Clear filters<//>`}
    <//>
    <${Filters} query=${query} />
    <${ErrorNotice} error=${error} onRetry=${reload} />
    ${value
      ? html`<${Records} records=${value.data} isBusy=${isLoading} />
          <${Pages}
            next=${value.pagination.next_cursor}
            isFirst=${!after}
            toFirst=${written("/audit-log", { ...query, after: "" })}
            toNext=${written("/audit-log", { ...query, after: value.pagination.next_cursor })}
          />`
      : !error && html`<${Loading} rows=${8} label="Loading the audit log" />`}`;
}

function Filters({ query }) {
  const { router } = useSurroundings();
  const filter = (name) => (value) => router.go(written("/audit-log", { ...query, after: "", [name]: value }));
  const time = (name) => ({
    type: "datetime-local",
    value: localInput(query[name] ?? ""),
    onCommit: (value) => filter(name)(fromLocalInput(value)),
  });
  return html`<div class="filters" role="search">
    <${Select} label="Event" value=${query.event ?? ""} onChange=${filter("event")} options=${[["", "All"], ...Object.entries(EVENTS)]} />
    <${Select} label="By" value=${query.actor ?? ""} onChange=${filter("actor")} options=${[["", "All"], ...Object.entries(ACTORS)]} />
    <${CommittedField}
      label="Key, member or organization (id)"
      value=${query.target ?? ""}
      onCommit=${(value) => filter("target")(value.trim())}
      spellcheck="false"
    />
    <${CommittedField} label=${`From (${timeZone()})`} ...${time("from")} />
    <${CommittedField} label=${`To (${timeZone()})`} ...${time("to")} />
  </div>`;
}

const COLUMNS = [{ title: "When" }, { title: "What" }, { title: "By" }, { title: "Changes" }];

function Records({ records, isBusy }) {
  if (records.length === 0) return html`<p class="notice" role="status">No record matches.</p>`;
  return html`<${Table} caption="Newest first" columns=${COLUMNS} isBusy=${isBusy}>
    ${records.map(
      (record) => html`<tr role="row" key=${record.id}>
        <td role="cell"><time datetime=${record.createdAt} title=${record.createdAt}>${dateTime(record.createdAt)}</time></td>
        <th role="rowheader" scope="row">
          ${EVENTS[record.event] ?? record.event}${record.reason && html` <${Badge}>${record.reason.replaceAll("_", " ")}<//>`}
          <br /><${Target} record=${record} />
        </th>
        <td role="cell" class="about" data-label="By">${ACTORS[record.actor.type] ?? record.actor.type} <${Actor} record=${record} /></td>
        <td role="cell" class=${record.changes.before || record.changes.after ? null : "empty"}><${Changes} ...${record.changes} /></td>
      </tr>`,
    )}
  <//>`;
}

function Target({ record }) {
  const name = record.changes.after?.name ?? record.changes.before?.name;
  const id = html`<code class="muted">${record.targetId}</code>`;
  if (record.targetType !== "api_key" || record.event === "api_key.deleted") return html`${name} ${id}`;
  return html`<${Link} to=${`/keys/${record.targetId}`}>${name ?? "Show the key"}<//> ${id}`;
}

function Actor({ record }) {
  return html`${record.actor.name ?? ""} <code class="muted">${record.actor.id}</code>
    ${record.sourceIp && html`<br /><span class="small">from <code>${record.sourceIp}</code></span>`}
    ${record.requestId && html`<br /><span class="small">request <code>${record.requestId}</code></span>`}`;
}

/** The fields that changed: what they were, struck out, and what they are. */
function Changes({ before, after }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter(
    (name) => JSON.stringify(before?.[name] ?? null) !== JSON.stringify(after?.[name] ?? null),
  );
  return html`<ul class="changes">
    ${names.map(
      (name) => html`<li key=${name}>
        ${name}:${" "}
        ${isPresent(before, name) && before[name] !== null && html`<del><span class="hidden">before: </span>${shown(before[name])}</del>${" "}`}
        ${isPresent(after, name) && html`<ins><span class="hidden">after: </span>${shown(after[name])}</ins>`}
      </li>`,
    )}
  </ul>`;
}

function isPresent(fields, name) {
  return fields !== null && fields !== undefined && name in fields;
}

function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}
