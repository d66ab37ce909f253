import { createContext } from "preact";
import { useCallback, useContext, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isAborted } from "./api.js";

/**
 * The surroundings of every view.
 *
 * `api` is the client, `router` the router, `organization` the answer of GET /auth/orgs/current, `announce(name, detail)`
 * dispatches an event on the element, `showSecret(secret)` shows the text of a key, `canManage` is whether the member may
 * change keys now.
 */
export const Surroundings = createContext(null);

/** Return the surroundings. */
export function useSurroundings() {
  return useContext(Surroundings);
}

/** Return the current place, and render again when it changes. */
export function usePlace(router) {
  const [place, setPlace] = useState(() => router.place());
  useLayoutEffect(() => {
    const update = () => setPlace(router.place());
    update(); // it may have changed since it was read
    return router.subscribe(update);
  }, [router]);
  return place;
}

/**
 * Load something when a view appears and when `dependencies` change. An answer that comes too late is dropped.
 *
 * @param {(signal: AbortSignal) => Promise} load
 * @returns {{value, error, isLoading, reload, set}} the last value stays while it is loaded again.
 */
export function useLoaded(load, dependencies) {
  const [state, setState] = useState({ value: null, error: null, isLoading: true });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setState((before) => ({ ...before, isLoading: true }));
    load(abort.signal).then(
      (value) => abort.signal.aborted || setState({ value, error: null, isLoading: false }),
      (error) => isAborted(error) || abort.signal.aborted || setState({ value: null, error, isLoading: false }),
    );
    return () => abort.abort();
  }, [...dependencies, attempt]);
  const reload = useCallback(() => setAttempt((count) => count + 1), []);
  const set = useCallback((value) => setState({ value, error: null, isLoading: false }), []);
  return { ...state, reload, set };
}

/**
 * Run a change on request, one at a time.
 *
 * @returns {{run, isRunning, error}} `run(...)` returns whether the change succeeded; the error stays until the
 *   next run.
 */
export function useChange(change) {
  const [state, setState] = useState({ isRunning: false, error: null });
  const running = useRef(false);
  const run = async (...values) => {
    if (running.current) return false;
    running.current = true;
    setState({ isRunning: true, error: null });
    try {
      await change(...values);
      setState({ isRunning: false, error: null });
      return true;
    } catch (error) {
      setState({ isRunning: false, error });
      return false;
    } finally {
      running.current = false;
    }
  };
  return { ...state, run };
}

/** Return a function that says whether the component is still there, for what comes after a request. */
export function usePresence() {
  const isPresent = useRef(true);
  useEffect(() => {
    isPresent.current = true;
    return () => {
      isPresent.current = false;
    };
  }, []);
  return () => isPresent.current;
}

/** Return a function that moves the focus to the heading of the view, for controls that go away when they are used. */
export function useHeadingFocus() {
  const { current } = useSurroundings();
  return ({ preventScroll = false } = {}) => current.heading?.focus({ preventScroll });
}

/** Set the title of the page, and move the focus to the heading of a view that was navigated to. */
export function useHeading(title) {
  const heading = useRef(null);
  const { setTitle, isFirstView, current } = useSurroundings();
  useLayoutEffect(() => setTitle(title), [title]);
  useLayoutEffect(() => {
    if (!isFirstView.current) heading.current?.focus();
    isFirstView.current = false;
    current.heading = heading.current;
  }, []);
  return heading;
}
