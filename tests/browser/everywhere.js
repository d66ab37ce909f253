// The body of a function without arguments: returns what a page has kept, as text, by place.
const markup = (root) =>
  [...root.querySelectorAll("*")]
    .filter((element) => element.shadowRoot || "value" in element)
    .map((element) => `${element.value ?? ""}\n${element.shadowRoot ? markup(element.shadowRoot) : ""}`)
    .join("\n") + (root.innerHTML ?? root.documentElement.outerHTML);

const stored = async (name) => {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const names = [...database.objectStoreNames];
  database.close();
  return `${name}: ${names}`;
};

return (async () => ({
  document: markup(document),
  address: location.href,
  title: document.title,
  "history.state": JSON.stringify(history.state),
  "window.name": window.name,
  localStorage: JSON.stringify({ ...localStorage }),
  sessionStorage: JSON.stringify({ ...sessionStorage }),
  cookies: document.cookie,
  databases: (await Promise.all((await indexedDB.databases()).map(({ name }) => stored(name)))).join("\n"),
  caches: (await caches.keys()).join("\n"),
  globals: Object.keys(window)
    .filter((name) => ["string", "number"].includes(typeof window[name]))
    .map((name) => `${name}=${window[name]}`)
    .join("\n"),
  performance: performance.getEntries().map((entry) => JSON.stringify(entry)).join("\n"),
  selection: String(getSelection()),
}))();
