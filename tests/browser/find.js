// The body of a function of a role, a name and an element, the last two of which may be null: returns the elements that
// assistive technology finds with that role and name, inside of that element, through open shadow roots. The role "field"
// stands for all fields of forms. A name that ends in "…" stands for all that begin so.
const [role, name, within] = arguments;

// Candidates are selected first: to compute roles and names takes the browser long.
const CANDIDATES = {
  alert: "[role=alert]",
  button: "button, summary",
  field: "input:not([type=hidden]), select, textarea",
  group: "fieldset, [role=group]",
  heading: "h1, h2, h3",
  link: "a[href]",
  meter: "meter, [role=meter]",
  navigation: "nav",
  region: "section, [role=region]",
  row: "tr",
  status: "[role=status]",
};
const OTHERS = { SUMMARY: "button" }; // Chromium has no role for it

function* trees(root) {
  yield root;
  for (const element of root.querySelectorAll("*")) if (element.shadowRoot) yield* trees(element.shadowRoot);
}

const roots = [...trees(document)];
const select = (selector) => roots.flatMap((root) => [...root.querySelectorAll(selector)]);
const isInside = (element, ancestor) => {
  for (; element && element !== ancestor; element = element.parentNode ?? element.host);
  return element === ancestor;
};
const modal = select("dialog:modal").at(-1);
const isThere = (element) =>
  element.checkVisibility({ visibilityProperty: true }) &&
  !element.closest("[inert], [aria-hidden=true]") &&
  (!modal || isInside(element, modal)) &&
  (!within || (element !== within && isInside(element, within)));
const hasRole = (element) => role === "field" || (element.computedRole || OTHERS[element.tagName]) === role;
const plain = (text) => text.replace(/\s+/g, " ").trim();
const hasName = (text) => name === null || (name.endsWith("…") ? text.startsWith(name.slice(0, -1)) : text === name);

return select(CANDIDATES[role] ?? role)
  .filter((element) => isThere(element) && hasRole(element) && hasName(plain(element.computedName)));
