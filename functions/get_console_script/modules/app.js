import { Component } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { createApi, isAborted } from "./api.js";
import { AuditLogView } from "./audit-log.js";
import { Surroundings, usePlace, useSurroundings } from "./context.js";
import { html } from "./html.js";
import { KeyView } from "./key-detail.js";
import { CreateKeyView, EditKeyView } from "./key-form.js";
import { SecretDialog } from "./key-secret.js";
import { KeysView } from "./keys-list.js";
import { OrganizationView } from "./organization.js";
import { ErrorNotice, Heading, Link, Loading, Notice, Time } from "./ui.js";

/**
 * The views of an organization, for the console and for pages that embed them.
 *
 * @param {string} baseUrl
 * @param {Function} tokenProvider as of `createApi`.
 * @param {object} router
 * @param {(name: string, detail: object) => void} announce dispatches an event on the element.
 * @param {(title: string, organization: object | null) => void} setTitle called with the title of each view.
 * @param {boolean} isConsole whether the audit log and the organization are there, with links to them.
 * @param {Function} frame renders the views, given `{content, organization}`.
 * @param {(error) => void} onUnauthorized as of `createApi`.
 */
export function App({ baseUrl, tokenProvider, router, announce, setTitle, isConsole, frame, onUnauthorized }) {
  const api = useMemo(
    () => reporting(createApi(baseUrl, tokenProvider, onUnauthorized), announce),
    [baseUrl, tokenProvider, onUnauthorized],
  );
  const [organization, setOrganization] = useState(null);
  const [error, setError] = useState(null);
  const [secrets, setSecrets] = useState([]);
  const isFirstView = useRef(true);
  const current = useRef({ heading: null });

  const reloadOrganization = useCallback(
    async (signal) => {
      try {
        const loaded = await api.organization(signal);
        setOrganization(loaded);
        setError(null);
        return loaded;
      } catch (failure) {
        if (!isAborted(failure)) setError(failure);
        return null;
      }
    },
    [api],
  );
  useEffect(() => {
    const abort = new AbortController();
    reloadOrganization(abort.signal);
    return () => abort.abort();
  }, [reloadOrganization]);

  const dismiss = () => {
    setSecrets(([, ...others]) => others);
    setTimeout(() => current.current.heading?.focus()); // the form that opened the dialog is gone
  };
  const title = useCallback((text) => setTitle(text, organization), [organization]);
  const isFrozen = Boolean(organization?.pendingDeletionAt);
  const isManager = organization !== null && organization.role !== "member";
  const surroundings = {
    api,
    router,
    announce,
    organization,
    isConsole,
    isManager,
    canManage: isManager && !isFrozen,
    isFirstView,
    current: current.current,
    setTitle: title,
    showSecret: (secret) => setSecrets((others) => [...others, secret]),
    reloadOrganization,
  };
  const notice = html`<${ErrorNotice} error=${error} onRetry=${() => reloadOrganization()} />`;
  const content = organization
    ? html`${notice}<${View} />`
    : error
      ? html`<${Heading} title="API keys" />${notice}`
      : html`<${Loading} rows=${8} label="Loading" />`;
  return html`<${Surroundings.Provider} value=${surroundings}>
    ${frame({ content, organization })}
    ${secrets.length > 0 && html`<${SecretDialog} key=${secrets[0].text} secret=${secrets[0]} onDismiss=${dismiss} />`}
  <//>`;
}

/** Return a client that also announces failures, for programs of the page. */
function reporting(api, announce) {
  const report = (error) => {
    if (!isAborted(error)) announce("error", { code: error.code, status: error.status, requestId: error.requestId });
    throw error;
  };
  return Object.fromEntries(
    Object.entries(api).map(([name, call]) => [
      name,
      (...values) => call(...values).catch(report),
    ]),
  );
}

function View() {
  const { router } = useSurroundings();
  const { path } = usePlace(router);
  return html`<${Boundary} key=${path}><${ViewOf} path=${path} /><//>`;
}

/** Shows that a view has failed; the others still work. */
class Boundary extends Component {
  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  componentDidCatch(error) {
    console.error(error); // a mistake of ours
  }

  render({ children }, { hasFailed }) {
    if (!hasFailed) return children;
    return html`<${Heading} title="This view has failed" />
      <p>Reload the page. If it fails again, contact the administrator of this service.</p>
      <p><${Link} to="/keys">API keys<//></p>`;
  }
}

function ViewOf({ path }) {
  const { organization, isConsole, isManager, canManage } = useSurroundings();
  const [, section, id, part] = path.split("/").map(decoded);
  if (section === "organization" && isConsole) return html`<${Frozen} /><${OrganizationView} />`;
  const isAuditLog = section === "audit-log" && isConsole;
  if (!isManager) return html`<${NotAllowed} title=${isAuditLog ? "Audit log" : "API keys"} role=${organization.role} />`;
  if (isAuditLog) return html`<${Frozen} /><${AuditLogView} />`;
  if (section !== "keys") return html`<${Unknown} />`;
  if ((id === "new" || part === "edit") && !canManage) return html`<${Heading} title="API keys" /><${Frozen} />`;
  if (id === "new") return html`<${CreateKeyView} />`;
  if (part === "edit") return html`<${EditKeyView} key=${id} id=${id} />`;
  if (id) return html`<${Frozen} /><${KeyView} key=${id} id=${id} />`;
  return html`<${Frozen} /><${KeysView} />`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function Frozen() {
  const { organization, isConsole } = useSurroundings();
  if (!organization.pendingDeletionAt) return null;
  return html`<${Notice} kind="warning" title="This organization is scheduled for deletion.">
    <p>It will be deleted <${Time} at=${organization.pendingDeletionAt} />. Its keys do not work, and nothing can be changed.</p>
    ${isConsole
      ? html`<p><${Link} to="/organization">${organization.role === "owner" ? "Cancel the deletion" : "About the deletion"}<//></p>`
      : html`<p>An owner can cancel the deletion.</p>`}
  <//>`;
}

function NotAllowed({ title, role }) {
  return html`<${Heading} title=${title} />
    <${Notice} kind="warning" title="You cannot manage the API keys of this organization.">
      <p>
        Your role is ${role}. Only owners and admins manage keys and read the audit log: ask one of them to do it, or to
        change your role.
      </p>
    <//>`;
}

function Unknown() {
  return html`<${Heading} title="There is no such page" />
    <p><${Link} to="/keys">API keys<//></p>`;
}
