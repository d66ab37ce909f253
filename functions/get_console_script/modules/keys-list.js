import { useEffect, useState } from "preact/hooks";
import { isAborted } from "./api.js";
import { useHeadingFocus, useLoaded, usePlace, useSurroundings } from "./context.js";
import { date, fromNow, number } from "./format.js";
import { html } from "./html.js";
import { KeyState } from "./key-state.js";
import { written } from "./router.js";
import { Button, ErrorNotice, Heading, Link, Loading, Pages, Select, Table, TextField } from "./ui.js";

const PAGE = 20;
const LARGEST_PAGE = 100;
const MATCHES = 50;
const SEARCH_DELAY_MS = 250;
const DAYS = { 7: "within 7 days, or expired", 30: "within 30 days, or expired", 90: "within 90 days, or expired" };

/** The organization's keys: search, filters and pages. Filters and page are in the address; the search is not. */
export function KeysView() {
  const { router, canManage } = useSurroundings();
  const { query } = usePlace(router);
  const [search, setSearch] = useState("");
  const focusHeading = useHeadingFocus();
  const clear = () => {
    router.go("/keys");
    focusHeading();
  };
  return html`<${Heading} title="API keys">
      ${canManage && html`<${Link} class="button primary" to="/keys/new">Create key<//>`}
    <//>
    <${Filters} query=${query} search=${search} onSearch=${setSearch} />
    ${search.trim()
      ? html`<${Matches} query=${query} search=${search.trim()} />`
      : html`<${Page} query=${query} onClear=${clear} />`}`;
}

function Filters({ query, search, onSearch }) {
  const { router, organization } = useSurroundings();
  const filter = (name) => (value) => router.go(written("/keys", { ...query, after: "", [name]: value }));
  return html`<div class="filters" role="search">
    <${TextField} label="Search" type="search" value=${search} onInput=${onSearch} placeholder="Name, id, ending" />
    <${Select}
      label="State"
      value=${query.enabled ?? ""}
      onChange=${filter("enabled")}
      options=${[
        ["", "All"],
        ["true", "Enabled"],
        ["false", "Disabled"],
      ]}
    />
    <${Select}
      label="Permission"
      value=${query.permission ?? ""}
      onChange=${filter("permission")}
      options=${[["", "All"], ...organization.permissions.map((name) => [name, name])]}
    />
    <${Select}
      label="Expires"
      value=${query.expires ?? ""}
      onChange=${filter("expires")}
      options=${[["", "Any time"], ...Object.entries(DAYS)]}
    />
  </div>`;
}

function filters({ enabled, permission, expires }) {
  const before = Object.hasOwn(DAYS, expires ?? "") ? new Date(Date.now() + Number(expires) * 86400000).toISOString() : null;
  return { enabled, permission, expires_before: before };
}

function Page({ query, onClear }) {
  const { api } = useSurroundings();
  const { value, error, isLoading, reload } = useLoaded(
    (signal) => api.listKeys({ ...filters(query), limit: PAGE, starting_after: query.after }, signal),
    [query.enabled, query.permission, query.expires, query.after],
  );
  if (error) return html`<${ErrorNotice} error=${error} onRetry=${reload} />`;
  if (!value) return html`<${Loading} rows=${8} label="Loading keys" />`;
  if (value.data.length === 0) return html`<${Nothing} query=${query} onClear=${onClear} />`;
  return html`<${Keys} keys=${value.data} caption="Newest first" isBusy=${isLoading} />
    <${Pages}
      next=${value.pagination.next_cursor}
      isFirst=${!query.after}
      toFirst=${written("/keys", { ...query, after: "" })}
      toNext=${written("/keys", { ...query, after: value.pagination.next_cursor })}
    />`;
}

function Nothing({ query, onClear }) {
  const { canManage } = useSurroundings();
  if (Object.keys(query).length > 0) {
    return html`<div class="notice" role="status">
      <p>No key matches these filters.</p>
      <${Button} onClick=${onClear}>Show all keys<//>
    </div>`;
  }
  return html`<div class="notice" role="status">
    <p><strong>There are no API keys yet.</strong></p>
    <p>A key lets a program use the API in the name of your organization.</p>
    ${canManage && html`<${Link} class="button primary" to="/keys/new">Create the first key<//>`}
  </div>`;
}

const NOT_SEARCHED = { keys: [], seen: 0, isDone: false, error: null };

/** Keys whose name, id or text matches. The service has no search: all pages are read, until enough keys match. */
function Matches({ query, search }) {
  const { api } = useSurroundings();
  const [state, setState] = useState(NOT_SEARCHED);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setState(NOT_SEARCHED);
    const run = async () => {
      const keys = [];
      const request = { ...filters(query), limit: LARGEST_PAGE };
      let seen = 0;
      do {
        const { data, pagination } = await api.listKeys(request, abort.signal);
        if (abort.signal.aborted) return;
        keys.push(...data.filter((key) => matches(key, search)));
        seen += data.length;
        request.starting_after = pagination.next_cursor;
        const isDone = keys.length > MATCHES || !request.starting_after;
        setState({ keys, seen, isDone, error: null });
        if (isDone) return;
      } while (request.starting_after);
    };
    const fail = (error) =>
      isAborted(error) || abort.signal.aborted || setState((before) => ({ ...before, isDone: true, error }));
    const timer = setTimeout(() => run().catch(fail), SEARCH_DELAY_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [search, query.enabled, query.permission, query.expires, attempt]);
  const { keys, seen, isDone, error } = state;
  const result =
    keys.length > MATCHES ? `The newest ${MATCHES} keys that match` : `${number(keys.length)} of ${number(seen)} keys match`;
  const progress = isDone ? result : `Searching: ${number(seen)} keys so far`;
  return html`<p class="muted" role="status">${error ? "The search has failed" : progress}</p>
    <${ErrorNotice} error=${error} onRetry=${() => setAttempt((count) => count + 1)} />
    ${keys.length > 0 && html`<${Keys} keys=${keys.slice(0, MATCHES)} caption="Keys that match" />`}`;
}

/** Return whether a key matches what was typed: part of its name or id, or the whole text of a key. */
function matches(key, search) {
  const text = search.toLowerCase();
  const [prefix, ending] = key.hint.split("...");
  const isText = search === ending || (search.startsWith(prefix) && search.endsWith(ending));
  return key.name.toLowerCase().includes(text) || key.id.includes(text) || isText;
}

const COLUMNS = [
  { title: "Name" },
  { title: "State" },
  { title: "Permissions" },
  { title: "Last used" },
  { title: "Expires" },
  { title: "Uses", isNumber: true },
];

function Keys({ keys, caption, isBusy = false }) {
  return html`<${Table} caption=${caption} columns=${COLUMNS} isBusy=${isBusy}>
    ${keys.map(
      (key) => html`<tr role="row" key=${key.id}>
        <th role="rowheader" scope="row">
          <${Link} to=${`/keys/${key.id}`}>${key.name}<//> <br /><code class="muted">${key.hint}</code>
        </th>
        <td role="cell"><${KeyState} item=${key} /></td>
        <td role="cell" data-label="Permissions">${key.permissions.join(", ")}</td>
        <td role="cell" data-label="Last used">${key.lastUsedAt === null ? "never" : fromNow(key.lastUsedAt)}</td>
        <td role="cell" data-label="Expires">${key.expiresAt === null ? "never" : date(key.expiresAt)}</td>
        <td role="cell" data-label="Uses" class="number">${number(key.requestCount)}</td>
      </tr>`,
    )}
  <//>`;
}
