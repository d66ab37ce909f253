// The body of a function of an element, or null for the page: returns the visible text, through open shadow roots.
const [within] = arguments;

const textOf = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return "";
  if (["STYLE", "SCRIPT", "TEMPLATE"].includes(node.tagName)) return "";
  if (node.nodeType === Node.ELEMENT_NODE && !node.checkVisibility({ visibilityProperty: true })) return "";
  if (node.tagName === "SLOT" && node.assignedNodes().length) return node.assignedNodes().map(textOf).join(" ");
  const parts = [...(node.shadowRoot ?? node).childNodes].map(textOf);
  const isInline = node.nodeType === Node.ELEMENT_NODE && getComputedStyle(node).display.startsWith("inline");
  return isInline ? parts.join("") : ` ${parts.join("")} `;
};

return textOf(within ?? document.body).replace(/\s+/g, " ").trim();
