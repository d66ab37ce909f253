import { html } from "./html.js";
import { Badge } from "./ui.js";

const SOON_MS = 30 * 86400 * 1000;

/** The states of a key, in words. */
export function KeyState({ item }) {
  const expires = item.expiresAt === null ? Infinity : Date.parse(item.expiresAt) - Date.now();
  return html`${item.leak && html`<${Badge} kind="bad">Leaked<//> `}
  ${!item.enabled && html`<${Badge} kind="bad">Disabled<//> `} ${expires <= 0 && html`<${Badge} kind="bad">Expired<//> `}
  ${expires > 0 && expires <= SOON_MS && html`<${Badge} kind="warning">Expires soon<//> `}
  ${item.enabled && expires > 0 && html`<${Badge} kind="good">Active<//>`}`;
}
