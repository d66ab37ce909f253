import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useHeading, useHeadingFocus, useSurroundings } from "./context.js";
import { dateTime, duration, fromNow } from "./format.js";
import { html } from "./html.js";

const COPIED_MS = 2000;

/** A heading of a view, which gets the focus after a navigation, with its actions beside it. */
export function Heading({ title, children }) {
  const heading = useHeading(title);
  const { isConsole } = useSurroundings();
  return html`<div class="heading">
    <${isConsole ? "h1" : "h2"} class="title" ref=${heading} tabindex="-1">${title}<//>
    <div class="actions">${children}</div>
  </div>`;
}

/** A part of a view, with a heading below that of the view. */
export function Section({ title, children, beside = null }) {
  const id = useId();
  const { isConsole } = useSurroundings();
  return html`<section class="card" aria-labelledby=${id}>
    <div class="heading"><${isConsole ? "h2" : "h3"} class="subtitle" id=${id}>${title}<//>${beside}</div>
    ${children}
  </section>`;
}

/** A link to another view. */
export function Link({ to, onClick, children, ...rest }) {
  const { router } = useSurroundings();
  const href = router.href(to);
  if (href !== null) return html`<a href=${href} onClick=${onClick} ...${rest}>${children}</a>`;
  const go = () => {
    onClick?.();
    router.go(to);
  };
  return html`<button type="button" class="link" onClick=${go} ...${rest}>
    ${children}
  </button>`;
}

/** A button. While `isBusy`, it keeps its place and the focus, and does nothing. */
export function Button({ kind = "secondary", isBusy = false, disabled = false, onClick, children, ...rest }) {
  return html`<button
    type="button"
    class=${`button ${kind}`}
    aria-disabled=${isBusy || disabled ? "true" : null}
    aria-busy=${isBusy ? "true" : null}
    onClick=${(event) => (isBusy || disabled ? event.preventDefault() : onClick?.(event))}
    ...${rest}
  >
    ${children}
  </button>`;
}

/** What failed, why, and what the reader can do. */
export function ErrorNotice({ error, onRetry }) {
  const notice = useRef(null);
  const focusHeading = useHeadingFocus();
  const retry = () => {
    focusHeading({ preventScroll: true }); // the button goes when it succeeds
    onRetry();
  };
  useLayoutEffect(() => {
    if (error) notice.current?.scrollIntoView?.({ block: "nearest" });
  }, [error]);
  if (!error) return null;
  return html`<div class="notice error" role="alert" ref=${notice}>
    <p><strong>${error.message}</strong></p>
    <p>
      ${error.hint ?? "Try again."}
      ${error.retryAfterSeconds ? ` You can try again in ${duration(error.retryAfterSeconds)}.` : ""}
    </p>
    ${typeof error.status === "number" &&
    html`<p class="small">
      Request id: ${error.requestId ? html`<code>${error.requestId}</code>` : "none, there was no answer"}
      ${error.docs && html` · <a href=${error.docs} target="_blank" rel="noreferrer">About ${error.code}</a>`}
    </p>`}
    ${onRetry && html`<${Button} onClick=${retry}>Try again<//>`}
  </div>`;
}

/** A message that is not an error: `kind` is info, warning or danger. */
export function Notice({ kind = "info", title, children }) {
  return html`<div class=${`notice ${kind}`} role=${kind === "info" ? "note" : "status"}>
    ${title && html`<p><strong>${title}</strong></p>`} ${children}
  </div>`;
}

/** A short label of a state: `kind` is good, bad, warning or neutral. */
export function Badge({ kind = "neutral", children }) {
  return html`<span class=${`badge ${kind}`}>${children}</span>`;
}

/** A time, with how far away it is. */
export function Time({ at }) {
  return html`<time datetime=${at} title=${at}>${dateTime(at)}</time> <span class="muted">(${fromNow(at)})</span>`;
}

/** A place for content that is being loaded, as tall as the content is likely to be. */
export function Loading({ rows = 5, label = "Loading" }) {
  return html`<div class="loading" role="status" aria-label=${label}>
    ${Array.from({ length: rows }, (_, row) => html`<div class="bone" key=${row}></div>`)}
  </div>`;
}

/** A field with its label, and a hint that screen readers read with it. */
export function Field({ label, hint, children }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": hint ? `${id}-hint` : null })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

/** A field for one line of text. */
export function TextField({ label, hint, value, onInput, ...rest }) {
  return html`<${Field} label=${label} hint=${hint}>
    ${(about) => html`<input
      type="text"
      autocomplete="off"
      value=${value}
      onInput=${(event) => onInput(event.currentTarget.value)}
      ...${about}
      ...${rest}
    />`}
  <//>`;
}

/** A field whose text counts when the reader leaves it or presses Enter, and changes when `value` does. */
export function CommittedField({ value, onCommit, ...rest }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const commit = () => text !== value && onCommit(text);
  return html`<${TextField}
    value=${text}
    onInput=${setText}
    onBlur=${commit}
    onKeyDown=${(event) => event.key === "Enter" && !event.isComposing && commit()}
    ...${rest}
  />`;
}

/** A choice of one of several options: pairs of value and text. */
export function Select({ label, hint, value, onChange, options, ...rest }) {
  return html`<${Field} label=${label} hint=${hint}>
    ${(about) => html`<select value=${value} onChange=${(event) => onChange(event.currentTarget.value)} ...${about} ...${rest}>
      ${options.map(
        ([name, text]) => html`<option key=${name} value=${name} selected=${name === value}>${text}</option>`,
      )}
    </select>`}
  <//>`;
}

/** A check box with its label. */
export function Checkbox({ label, checked, onChange, ...rest }) {
  return html`<label class="check">
    <input type="checkbox" checked=${checked} onChange=${(event) => onChange(event.currentTarget.checked)} ...${rest} />
    <span>${label}</span>
  </label>`;
}

/**
 * A modal dialog. The browser keeps the focus inside, and returns it afterwards.
 *
 * @param {() => void} onClose called when the reader presses Escape; the dialog stays until it is no longer rendered.
 */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => element.close(); // while it is still in the page: this returns the focus
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  const keydown = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // without a cancel event: a second one in a row would close the dialog without asking
    if (!event.isComposing) onClose();
  };
  return html`<dialog ref=${dialog} aria-labelledby=${id} onCancel=${cancel} onKeyDown=${keydown}>
    <h2 class="subtitle" id=${id}>${title}</h2>
    ${children}
  </dialog>`;
}

/** A dialog that asks before it changes something, shows why it failed, and stays open then. */
export function ConfirmDialog({ title, action, kind = "primary", isReady = true, change, onSubmit, onClose, children }) {
  const submit = (event) => {
    event.preventDefault();
    if (isReady && !change.isRunning) onSubmit();
  };
  return html`<${Dialog} title=${title} onClose=${() => change.isRunning || onClose()}>
    <form onSubmit=${submit}>
      ${children}
      <${ErrorNotice} error=${change.error} />
      <div class="buttons">
        <${Button} onClick=${onClose} disabled=${change.isRunning}>Cancel<//>
        <button
          type="submit"
          class=${`button ${kind}`}
          aria-disabled=${isReady && !change.isRunning ? null : "true"}
          aria-busy=${change.isRunning ? "true" : null}
        >
          ${action}
        </button>
      </div>
    </form>
  <//>`;
}

/** A button that copies a text, and says so. */
export function CopyButton({ text, label = "Copy", kind = "small" }) {
  const [state, setState] = useState("");
  useEffect(() => {
    if (!state) return undefined;
    const timer = setTimeout(() => setState(""), COPIED_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = () =>
    (navigator.clipboard?.writeText(text) ?? Promise.reject()).then(
      () => setState("Copied"),
      () => setState("The browser refused. Select the text and copy it."),
    );
  return html`<${Button} kind=${kind} onClick=${copy}>${label}<//>
    <span class="muted" role="status">${state}</span>`;
}

/**
 * A table that becomes a list of cards on a narrow screen. The roles are written out, because browsers drop those of
 * tables that are not laid out as tables.
 *
 * @param {{title: string, isNumber?: boolean}[]} columns
 */
export function Table({ caption, columns, isBusy = false, children }) {
  return html`<table role="table" class="wide" aria-busy=${isBusy ? "true" : null}>
    <caption>
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(
          ({ title, isNumber }) =>
            html`<th key=${title} role="columnheader" scope="col" class=${isNumber ? "number" : null}>${title}</th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${children}
    </tbody>
  </table>`;
}

/** Links to the next page of a list and back to the first. */
export function Pages({ next, isFirst, toNext, toFirst }) {
  const focusHeading = useHeadingFocus();
  if (isFirst && !next) return null;
  return html`<nav class="pages" aria-label="Pages">
    ${!isFirst && html`<${Link} to=${toFirst} onClick=${focusHeading}>First page<//>`} ${next && html`<${Link} to=${toNext} onClick=${focusHeading}>Next page<//>`}
  </nav>`;
}
