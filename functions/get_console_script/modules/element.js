import { render } from "preact";
import { App } from "./app.js";
import { html } from "./html.js";
import { memoryRouter } from "./router.js";
import { STYLE } from "./style.js";

/** Return the shadow root of an element, with the style of all views. */
export function styledRoot(element) {
  const root = element.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  return root;
}

/** Return a function that dispatches an event on an element, such as keywright-key-created. */
export function announcer(element) {
  return (name, detail) =>
    element.dispatchEvent(new CustomEvent(`keywright-${name}`, { detail, bubbles: true, composed: true }));
}

/** Show a dialog as a modal one again, which it no longer is after it was moved. */
function reopen(dialog) {
  dialog.close();
  dialog.showModal();
}

/**
 * `<keywright-api-keys base-url="https://api.example.com/v1">`: the organization's API keys, in a page with a session of
 * its own. Set the property `tokenProvider` to an async function that returns a session token.
 */
export class ApiKeysElement extends HTMLElement {
  static observedAttributes = ["base-url"];

  #root = styledRoot(this);
  #announce = announcer(this);
  #router = memoryRouter();
  #shown = null;
  #tokenProvider = null;

  /** The function that returns a session token: `async ({ refresh }) => token`, or null. `refresh` asks for a new one. */
  get tokenProvider() {
    return this.#tokenProvider;
  }

  set tokenProvider(provider) {
    if (provider !== null && typeof provider !== "function") {
      throw new TypeError("tokenProvider must be null or a function that returns a session token");
    }
    this.#tokenProvider = provider;
    this.#render();
  }

  connectedCallback() {
    // A page may have set the property before the element was defined.
    if (Object.hasOwn(this, "tokenProvider")) {
      const provider = this.tokenProvider;
      delete this.tokenProvider;
      this.tokenProvider = provider;
    }
    this.#render();
    for (const dialog of this.#root.querySelectorAll("dialog:not(:modal)")) reopen(dialog);
  }

  disconnectedCallback() {
    // An element that is moved is connected again at once, and keeps what it shows.
    queueMicrotask(() => this.isConnected || render(null, this.#root));
  }

  attributeChangedCallback() {
    this.#render();
  }

  // The same function for all providers: a page may set a new one each time that it is drawn.
  #token = (options) => this.#tokenProvider?.(options);
  #setTitle = () => {}; // the title belongs to the page
  #unauthorized = () => {}; // shown where it happens; the page gets keywright-error

  #render() {
    const baseUrl = this.getAttribute("base-url");
    if (!this.isConnected) return;
    const shown = baseUrl && this.#tokenProvider ? baseUrl : null;
    if (shown !== this.#shown) this.#router = memoryRouter(); // another user or deployment begins with the list
    this.#shown = shown;
    if (shown === null) {
      render(null, this.#root);
      return;
    }
    render(
      html`<${App}
        key=${baseUrl}
        baseUrl=${baseUrl}
        tokenProvider=${this.#token}
        router=${this.#router}
        announce=${this.#announce}
        setTitle=${this.#setTitle}
        isConsole=${false}
        frame=${({ content }) => html`<div class="embedded">${content}</div>`}
        onUnauthorized=${this.#unauthorized}
      />`,
      this.#root,
    );
  }
}
