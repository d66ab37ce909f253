// The body of a function of a role, a name and an element, the last two of which may be null: returns the elements that
// assistive technology finds with that role and name, inside of that element, through open shadow roots. The role "field"
// stands for all fields of forms.
const [role, name, within] = arguments;

// Chromium has no role for these.
const ROLES = { SUMMARY: "button", INPUT: "textbox" };

function* all(root) {
  for (const element of root.querySelectorAll("*")) {
    yield element;
    if (element.shadowRoot) yield* all(element.shadowRoot);
  }
}

const roleOf = (element) => element.computedRole || ROLES[element.tagName] || "";
const isThere = (element) =>
  element.checkVisibility({ visibilityProperty: true }) && !element.closest("[inert], [aria-hidden=true]");
const plain = (text) => (text ?? "").replace(/\s+/g, " ").trim();
const isNamed = (text) =>
  name === null || (name.endsWith("…") ? plain(text).startsWith(name.slice(0, -1)) : plain(text) === name);
const root = within?.shadowRoot ?? within ?? document;
return [...all(root)].filter((element) => {
  const own = roleOf(element);
  const isOfRole = role === "field" ? own && element.matches("input, select, textarea") : own === role;
  return isOfRole && isNamed(element.computedName) && isThere(element);
});
