/**
 * A place in the console: a path such as "/keys/ID", and the values of its query.
 *
 * @typedef {{path: string, query: Record<string, string>}} Place
 */

/** Return a place as text, such as "/audit-log?event=api_key.created". Empty values are left out. */
export function written(path, query = {}) {
  const filled = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(filled).toString();
  return text ? `${path}?${text}` : path;
}

function parse(text) {
  const [path, query = ""] = text.split("?");
  return { path: path || "/keys", query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Return a router that keeps the place in the fragment of the page's address, so that it can be linked to. */
export function fragmentRouter() {
  return {
    place: () => parse(location.hash.slice(1)),
    href: (text) => `#${text}`,
    go: (text) => {
      location.hash = text;
    },
    replace: (text) => {
      history.replaceState(history.state, "", `#${text}`);
      dispatchEvent(new HashChangeEvent("hashchange"));
    },
    subscribe: (listener) => {
      addEventListener("hashchange", listener);
      return () => removeEventListener("hashchange", listener);
    },
  };
}

/** Return a router that keeps the place in memory: an embedded element leaves the address of its page alone. */
export function memoryRouter() {
  const listeners = new Set();
  let place = "/keys";
  const go = (text) => {
    place = text;
    for (const listener of listeners) listener();
  };
  return {
    place: () => parse(place),
    href: () => null,
    go,
    replace: go,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
