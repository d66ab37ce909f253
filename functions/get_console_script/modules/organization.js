import { useState } from "preact/hooks";
import { useChange, useSurroundings } from "./context.js";
import { isSameText, quotaText, rateText } from "./format.js";
import { html } from "./html.js";
import { Button, ConfirmDialog, CopyButton, Heading, Notice, Section, TextField, Time } from "./ui.js";

/** The organization, and its deletion. */
export function OrganizationView() {
  const { organization } = useSurroundings();
  const { rateLimit, quota } = organization;
  const rows = [
    ["Name", organization.name ?? "not known yet"],
    ["Id", html`<code>${organization.id}</code> <${CopyButton} text=${organization.id} label="Copy id" />`],
    ["Your role", organization.role],
    ["Created", organization.createdAt ? html`<${Time} at=${organization.createdAt} />` : "not known yet"],
    ["Rate limit of all keys", rateLimit ? rateText(rateLimit) : "none"],
    ["Quota of all keys", quota ? quotaText(quota) : "none"],
  ];
  return html`<${Heading} title="Organization" />
    <${Section} title="About">
      <dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    <//>
    <${Deletion} />`;
}

function Deletion() {
  const { organization } = useSurroundings();
  const [dialog, setDialog] = useState(null);
  const close = () => setDialog(null);
  const isOwner = organization.role === "owner";
  return html`<${Section} title="Deletion">
    ${organization.pendingDeletionAt
      ? html`<p>The organization will be deleted <${Time} at=${organization.pendingDeletionAt} />, with everything in it.</p>`
      : html`<p>
          When you schedule the deletion, the keys of the organization stop working and nothing can be changed. Until the
          time of the deletion, an owner can cancel it.
        </p>`}
    ${!isOwner && html`<${Notice} title="Only owners can schedule or cancel the deletion."><p>Your role is ${organization.role}.</p><//>`}
    ${isOwner &&
    html`<div class="actions">
      ${organization.pendingDeletionAt
        ? html`<${Button} kind="primary" onClick=${() => setDialog("cancel")}>Cancel the deletion<//>`
        : html`<${Button} kind="risky" onClick=${() => setDialog("schedule")}>Schedule the deletion<//>`}
    </div>`}
    ${dialog === "schedule" && html`<${ScheduleDialog} onClose=${close} />`}
    ${dialog === "cancel" && html`<${CancelDialog} onClose=${close} />`}
  <//>`;
}

/** Wait for a change. If it failed, but is done, an earlier request whose answer was lost has done it. */
async function settled(change, reload, isDone) {
  const error = await change.then(
    () => null,
    (failure) => failure,
  );
  const organization = await reload();
  if (error && !(organization && isDone(organization))) throw error;
}

function ScheduleDialog({ onClose }) {
  const { api, organization, reloadOrganization } = useSurroundings();
  const [name, setName] = useState("");
  const label = organization.name ?? organization.id;
  const change = useChange(async () => {
    await settled(api.requestDeletion(), reloadOrganization, ({ pendingDeletionAt }) => pendingDeletionAt !== null);
    onClose();
  });
  return html`<${ConfirmDialog}
    title="Schedule the deletion of the organization"
    action="Schedule the deletion"
    kind="danger"
    isReady=${isSameText(name, label)}
    change=${change}
    onSubmit=${change.run}
    onClose=${onClose}
  >
    <p>All keys of “${label}” stop working on the next request.</p>
    <${TextField} label=${`Type ${organization.name ? "the name" : "the id"} of the organization: ${label}`} value=${name} onInput=${setName} spellcheck="false" />
  <//>`;
}

function CancelDialog({ onClose }) {
  const { api, reloadOrganization } = useSurroundings();
  const change = useChange(async () => {
    await settled(api.cancelDeletion(), reloadOrganization, ({ pendingDeletionAt }) => pendingDeletionAt === null);
    onClose();
  });
  return html`<${ConfirmDialog}
    title="Cancel the deletion"
    action="Keep the organization"
    change=${change}
    onSubmit=${change.run}
    onClose=${onClose}
  >
    <p>The keys of the organization work again from the next request on.</p>
  <//>`;
}
