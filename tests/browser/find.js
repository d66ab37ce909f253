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
const elements = [...all(document)];
const isInside = (element, ancestor) => {
  for (; element && element !== ancestor; element = element.assignedSlot ?? element.parentNode ?? element.host);
  return element === ancestor;
};
const modal = elements.findLast((element) => element.matches("dialog:modal"));
const isThere = (element) =>
  element.checkVisibility({ visibilityProperty: true }) &&
  !element.closest("[inert], [aria-hidden=true]") &&
  (!modal || isInside(element, modal)) &&
  (!within || (element !== within && isInside(element, within)));
const plain = (text) => (text ?? "").replace(/\s+/g, " ").trim();
const isNamed = (text) =>
  name === null || (name.endsWith("…") ? plain(text).startsWith(name.slice(0, -1)) : plain(text) === name);
return elements.filter((element) => {
  const own = roleOf(element);
  const isOfRole = role === "field" ? own && element.matches("input, select, textarea") : own === role;
  return isOfRole && isNamed(element.computedName) && isThere(element);
});
