import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { Button, CopyButton, Dialog, Notice, Time } from "./ui.js";

/**
 * The text of a key, shown once. It is only here: in the state of this dialog's parent, until it is dismissed.
 *
 * @param {{id, name, text, previousKeyExpiresAt?}} secret
 */
export function SecretDialog({ secret, onDismiss }) {
  const [isAsking, setAsking] = useState(false);
  useEffect(() => {
    const warn = (event) => event.preventDefault(); // the browser asks before the page is closed or left
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, []);
  if (isAsking) {
    return html`<${Dialog} key="ask" title="Have you stored the key?" onClose=${() => setAsking(false)}>
      <p>The text of “${secret.name}” cannot be shown again. If it is lost, rotate the key to get a new one.</p>
      <div class="buttons">
        <${Button} onClick=${() => setAsking(false)}>Show the key<//>
        <${Button} kind="primary" onClick=${onDismiss}>I have stored it<//>
      </div>
    <//>`;
  }
  return html`<${Dialog} key="show" title="Your API key" onClose=${() => setAsking(true)}>
    <${Notice} kind="warning" title="This is the only time that the key is shown.">
      <p>Keep it where your program reads its secrets, not in source code.</p>
    <//>
    <code class="secret">${secret.text}</code>
    ${secret.previousKeyExpiresAt &&
    html`<p>The previous secret works until <${Time} at=${secret.previousKeyExpiresAt} />.</p>`}
    <div class="actions">
      <${CopyButton} kind="primary" text=${secret.text} />
      <${Button} onClick=${() => download(secret)}>Download .env<//>
    </div>
    <div class="buttons"><${Button} onClick=${() => setAsking(true)}>Done<//></div>
  <//>`;
}

function download({ name, id, text }) {
  const url = URL.createObjectURL(new Blob([`# ${name} (${id})\nAPI_KEY=${text}\n`], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "") || "api-key"}.env`;
  link.click();
  URL.revokeObjectURL(url);
}
