import { useRef, useState } from "preact/hooks";
import { newIdempotencyKey } from "./api.js";
import { useChange, useHeadingFocus, useLoaded, usePresence, useSurroundings } from "./context.js";
import { isSameText, number, quotaText, rateText } from "./format.js";
import { html } from "./html.js";
import { KeyState } from "./key-state.js";
import { Usage } from "./usage.js";
import { Button, ConfirmDialog, CopyButton, ErrorNotice, Heading, Link, Loading, Notice, Section, Select, TextField, Time } from "./ui.js";

const REASONS = [
  ["", "No reason"],
  ["compromised", "Compromised: others may know the key"],
  ["superseded", "Superseded by another key"],
  ["no_longer_used", "No longer used"],
  ["other", "Another reason"],
];
const GRACE_PERIODS = [
  ["0", "It stops working at once"],
  ["3600", "It works for another hour"],
  ["86400", "It works for another day"],
  ["604800", "It works for another 7 days"],
];

/** One key: its state, its fields, its usage, and everything that can be done with it. */
export function KeyView({ id }) {
  const { api, canManage, isConsole } = useSurroundings();
  const { value: key, error, reload, set } = useLoaded((signal) => api.getKey(id, signal), [id]);
  const [dialog, setDialog] = useState(null);
  const rotation = useRef(null);
  const close = () => setDialog(null);
  const opens = (name) => ({ onClick: () => setDialog(name), disabled: !canManage });
  if (!key) {
    return html`<p><${Link} to="/keys">All keys<//></p>
      <${Heading} title="API key" />
      ${error ? html`<${ErrorNotice} error=${error} onRetry=${reload} />` : html`<${Loading} rows=${8} label="Loading the key" />`}`;
  }
  const done = (changed) => {
    close();
    set(changed);
  };
  const Opened = DIALOGS[dialog];
  return html`<p><${Link} to="/keys">All keys<//></p>
    <${Heading} title=${key.name}>
      ${canManage && html`<${Link} class="button secondary" to=${`/keys/${id}/edit`}>Edit<//>`}
      <${Button} ...${opens("rotate")}>Rotate<//>
      ${key.enabled ? html`<${Button} ...${opens("disable")}>Disable<//>` : html`<${Button} ...${opens("enable")}>Enable<//>`}
      <${Button} kind="risky" ...${opens("remove")}>Delete<//>
    <//>
    <p><${KeyState} item=${key} /> <code class="muted">${key.hint}</code></p>
    <${Leak} item=${key} opens=${opens} />
    <${Previous} item=${key} />
    <${Facts} item=${key} />
    <${Usage} item=${key} />
    ${isConsole && html`<p><${Link} to=${`/audit-log?target=${id}`}>Audit log of this key<//></p>`}
    ${Opened && html`<${Opened} item=${key} rotation=${rotation} onDone=${done} onClose=${close} />`}`;
}

function Leak({ item, opens }) {
  if (!item.leak) return null;
  return html`<${Notice} kind="danger" title="The text of this key was found in public.">
    <p>
      Reported <${Time} at=${item.leak.reportedAt} /> by ${item.leak.source}.
      ${item.leak.url && html` Found at <a href=${safe(item.leak.url)} target="_blank" rel="noreferrer">${item.leak.url}</a>.`}
    </p>
    <p>Rotate the key without a grace period, and give your program the new text. If the report is wrong, dismiss it.</p>
    <div class="actions">
      <${Button} kind="danger" ...${opens("rotate")}>Rotate<//>
      <${Button} ...${opens("dismiss")}>Dismiss the report<//>
    </div>
  <//>`;
}

/** Return a URL if it can only lead to a web page: reporters choose it. */
function safe(url) {
  return /^https?:\/\//i.test(url) ? url : null;
}

function Previous({ item }) {
  if (!item.previousKeyExpiresAt) return null;
  // The address is that of the key's last use, with either secret.
  const address = item.previousKeyLastUsedAt === item.lastUsedAt ? item.lastUsedIp : null;
  return html`<${Notice} title="The previous secret still works.">
    <p>It stops working <${Time} at=${item.previousKeyExpiresAt} />.</p>
    <p>
      ${item.previousKeyLastUsedAt
        ? html`A program still uses it: it was last used <${Time} at=${item.previousKeyLastUsedAt} />${
            address && html` from <code>${address}</code>`
          }.`
        : "It has not been used since the rotation. Programs that run rarely may still have it."}
    </p>
  <//>`;
}

function Facts({ item }) {
  const { rateLimit, quota, metadata } = item;
  const fields = Object.entries(metadata);
  const rows = [
    ["Id", html`<code>${item.id}</code> <${CopyButton} text=${item.id} label="Copy id" />`],
    ["Permissions", item.permissions.join(", ")],
    ["Expires", item.expiresAt ? html`<${Time} at=${item.expiresAt} />` : "never"],
    [
      "Last used",
      item.lastUsedAt
        ? html`<${Time} at=${item.lastUsedAt} />${item.lastUsedIp ? html` from <code>${item.lastUsedIp}</code>` : ""}`
        : "never",
    ],
    ["Uses", number(item.requestCount)],
    ["Rate limit", rateLimit ? rateText(rateLimit) : "none"],
    ["Quota", quota ? quotaText(quota) : "none"],
    ["Allowed addresses", item.allowedIps ? item.allowedIps.join(", ") : "all"],
    [
      "Metadata",
      fields.length > 0
        ? html`<ul>
            ${fields.map(([name, value]) => html`<li key=${name}>${name}: <code>${JSON.stringify(value)}</code></li>`)}
          </ul>`
        : "none",
    ],
    ["Created", html`<${Time} at=${item.createdAt} /> by <code>${item.createdBy}</code>`],
    ["Changed", html`<${Time} at=${item.updatedAt} />`],
  ];
  return html`<${Section} title="Details">
    <dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
  <//>`;
}

/**
 * The dialog for a rotation. A second one would end the secret that programs have, so an attempt whose outcome is not
 * known is repeated as it was, also if the dialog was closed in between.
 *
 * @param {{current: {grace, reason, idempotencyKey, isUncertain} | null}} rotation that attempt.
 */
function RotateDialog({ item, rotation, onDone, onClose }) {
  const { api, announce, showSecret } = useSurroundings();
  const [grace, setGrace] = useState(rotation.current?.grace ?? "0");
  const [reason, setReason] = useState(rotation.current?.reason ?? (item.leak ? "compromised" : ""));
  const change = useChange(async () => {
    rotation.current ??= { grace, reason, idempotencyKey: newIdempotencyKey(), isUncertain: false };
    const body = { gracePeriodSeconds: Number(grace), ...(reason && { reason }) };
    try {
      const { apiKey, key, previousKeyExpiresAt } = await api.rotateKey(item.id, body, rotation.current.idempotencyKey);
      rotation.current = null;
      announce("key-rotated", { id: item.id, name: item.name });
      showSecret({ id: item.id, name: item.name, text: key, previousKeyExpiresAt });
      onDone(apiKey);
    } catch (error) {
      rotation.current.isUncertain ||= error.isUncertain;
      if (!rotation.current.isUncertain) rotation.current = null;
      throw error;
    }
  });
  const isRepeated = Boolean(rotation.current?.isUncertain);
  const isFixed = isRepeated || change.isRunning;
  return html`<${ConfirmDialog} title=${`Rotate “${item.name}”`} action="Rotate" change=${change} onSubmit=${change.run} onClose=${onClose}>
    <p>The key gets a new secret, which is shown once. Everything else stays as it is.</p>
    ${isRepeated && html`<${Notice} kind="warning"><p>
      The last attempt may have succeeded. Rotating repeats that attempt and shows its secret. The key is rotated only once.
    </p><//>`}
    <${Select} label="The previous secret" value=${grace} onChange=${setGrace} options=${GRACE_PERIODS} disabled=${isFixed}
      hint=${item.leak && grace !== "0" ? "The text is public: within the grace period others can use the key, and the report stays." : null} />
    ${item.previousKeyExpiresAt && html`<${Notice} kind="warning"><p>The secret before the last rotation stops working at once.</p><//>`}
    <${Select} label="Reason, for the audit log" value=${reason} onChange=${setReason} options=${REASONS} disabled=${isFixed} />
  <//>`;
}

function DisableDialog({ item, onDone, onClose }) {
  const [reason, setReason] = useState("");
  const change = useUpdate(item, onDone);
  const submit = () => change.run({ enabled: false, ...(reason && { reason }) });
  return html`<${ConfirmDialog} title=${`Disable “${item.name}”`} action="Disable" kind="danger" change=${change} onSubmit=${submit} onClose=${onClose}>
    <p>The key is refused from the next request on. You can enable it again.</p>
    <${Select} label="Reason, for the audit log" value=${reason} onChange=${setReason} options=${REASONS} />
  <//>`;
}

function EnableDialog({ item, onDone, onClose }) {
  const change = useUpdate(item, onDone);
  const submit = () => change.run({ enabled: true, ...(item.leak && { leak: null }) });
  return html`<${ConfirmDialog} title=${`Enable “${item.name}”`} action="Enable" change=${change} onSubmit=${submit} onClose=${onClose}>
    <p>The key works from the next request on.</p>
    ${item.leak && html`<${Notice} kind="danger" title="The text of this key was found in public.">
      <p>Enable it only if the report is wrong. Otherwise close this dialog and rotate the key first. The report is dismissed.</p>
    <//>`}
  <//>`;
}

function DismissDialog({ item, onDone, onClose }) {
  const focusHeading = useHeadingFocus();
  const change = useUpdate(item, (changed) => {
    onDone(changed);
    setTimeout(focusHeading); // the button that opened the dialog is gone
  });
  return html`<${ConfirmDialog} title="Dismiss the report" action="Dismiss" kind="danger" change=${change}
    onSubmit=${() => change.run({ leak: null })} onClose=${onClose}>
    <p>Dismiss it only if the text of “${item.name}” is not public, or if the key may be public.</p>
  <//>`;
}

function DeleteDialog({ item, onClose }) {
  const { api, router, announce } = useSurroundings();
  const [name, setName] = useState("");
  const [reason, setReason] = useState("");
  const isPresent = usePresence();
  const change = useChange(async () => {
    try {
      await api.deleteKey(item.id, reason);
    } catch (error) {
      // An earlier request has deleted it, whose answer was lost: browsers repeat such a request themselves.
      if (error.code !== "API_KEY_NOT_FOUND") throw error;
    }
    announce("key-deleted", { id: item.id, name: item.name });
    if (isPresent()) router.replace("/keys");
  });
  return html`<${ConfirmDialog} title=${`Delete “${item.name}”`} action="Delete" kind="danger" isReady=${isSameText(name, item.name)}
    change=${change} onSubmit=${change.run} onClose=${onClose}>
    <p>The key is refused from the next request on, and cannot be brought back. Its audit records stay.</p>
    <${TextField} label=${`Type the name of the key: ${item.name}`} value=${name} onInput=${setName} spellcheck="false" />
    <${Select} label="Reason, for the audit log" value=${reason} onChange=${setReason} options=${REASONS} />
  <//>`;
}

function useUpdate(item, onDone) {
  const { api, announce } = useSurroundings();
  return useChange(async (body) => {
    const { apiKey } = await api.updateKey(item.id, body);
    announce("key-updated", { id: item.id, name: apiKey.name });
    onDone(apiKey);
  });
}

const DIALOGS = {
  rotate: RotateDialog,
  disable: DisableDialog,
  enable: EnableDialog,
  dismiss: DismissDialog,
  remove: DeleteDialog,
};
