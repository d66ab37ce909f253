import { render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { App } from "./app.js";
import { usePlace } from "./context.js";
import { announcer, styledRoot } from "./element.js";
import { html } from "./html.js";
import { fragmentRouter } from "./router.js";
import { createSession } from "./session.js";
import { Button, Loading, Notice } from "./ui.js";

const BRAND = "Keywright";

/** `<keywright-console>`: the console, with its own session at the deployment's identity provider. */
export class ConsoleElement extends HTMLElement {
  #root = styledRoot(this);

  connectedCallback() {
    const baseUrl = this.getAttribute("base-url");
    const config = Object.fromEntries(
      [...this.attributes].map(({ name, value }) => [name.replace(/-(.)/g, (_, letter) => letter.toUpperCase()), value]),
    );
    const session = createSession({ ...config, redirectUri: `${baseUrl}/console` });
    render(html`<${Console} baseUrl=${baseUrl} session=${session} announce=${announcer(this)} />`, this.#root);
  }

  disconnectedCallback() {
    render(null, this.#root);
  }
}

function Console({ baseUrl, session, announce }) {
  const [state, setState] = useState({ name: "starting" });
  const [isOver, setOver] = useState(false);
  const router = useMemo(fragmentRouter, []);
  const over = useCallback(() => setOver(true), []);
  useEffect(() => {
    session.onEnd = over;
    session.start().then(
      (name) => setState({ name }),
      (error) => setState({ name: "signed-out", error }),
    );
  }, [session]);
  const tokenProvider = useCallback((options) => session.token(options), [session]);
  const setTitle = useCallback((title, organization) => {
    document.title = [title, organization?.name, BRAND].filter(Boolean).join(" · ");
  }, []);
  const signOut = async () => {
    await session.signOut(); // leaves the page, unless the provider has no place to sign out
    setState({ name: "signed-out" });
  };
  if (state.name === "starting") return html`<main><${Loading} rows=${8} label="Signing in" /></main>`;
  if (state.name === "signed-out") return html`<${SignIn} session=${session} error=${state.error} />`;
  return html`<${App}
    baseUrl=${baseUrl}
    tokenProvider=${tokenProvider}
    router=${router}
    announce=${announce}
    setTitle=${setTitle}
    isConsole=${true}
    onUnauthorized=${over}
    frame=${(parts) =>
      html`<${Frame} session=${session} router=${router} isOver=${isOver} onSignOut=${signOut} ...${parts} />`}
  />`;
}

function SignIn({ session, error }) {
  const [failure, setFailure] = useState(error);
  useEffect(() => {
    document.title = `Sign in · ${BRAND}`;
  }, []);
  return html`<main class="welcome">
    <h1>${BRAND}</h1>
    <p>Sign in to manage the API keys of your organization.</p>
    ${failure &&
    html`<div class="notice error" role="alert">
      <p><strong>${failure.message}</strong></p>
      ${failure.hint && html`<p>${failure.hint}</p>`}
    </div>`}
    <p><${Button} kind="primary" onClick=${() => session.signIn().catch(setFailure)}>Sign in<//></p>
  </main>`;
}

function Frame({ session, router, isOver, onSignOut, content, organization }) {
  const main = useRef(null);
  const { path } = usePlace(router);
  const link = (to, text) =>
    html`<a href=${router.href(to)} aria-current=${path.startsWith(to) ? "page" : null}>${text}</a>`;
  const [failure, setFailure] = useState(null);
  const { name, email, id } = session.user ?? {};
  return html`<${Button} class="button secondary skip" onClick=${() => main.current.focus()}>Skip to the content<//>
    <header class="bar">
      <div>
        <strong>${organization?.name ?? BRAND}</strong>
        <nav aria-label="Console">
          ${link("/keys", "API keys")} ${link("/audit-log", "Audit log")} ${link("/organization", "Organization")}
        </nav>
        <div class="who">
          <span class="small">${name ?? email ?? id}${organization ? `, ${organization.role}` : ""}</span>
          <${Button} onClick=${onSignOut}>Sign out<//>
        </div>
      </div>
    </header>
    <main ref=${main} tabindex="-1">
      ${isOver &&
      html`<${Notice} kind="danger" title="Your session has ended.">
        <p>Signing in reloads the page. Copy unsaved text first.</p>
        ${failure && html`<p>${failure.message} ${failure.hint}</p>`}
        <p><${Button} kind="primary" onClick=${() => session.signIn().catch(setFailure)}>Sign in again<//></p>
      <//>`}
      ${content}
    </main>`;
}
