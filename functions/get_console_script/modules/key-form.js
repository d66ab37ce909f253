import { useRef, useState } from "preact/hooks";
import { newIdempotencyKey } from "./api.js";
import { useChange, useLoaded, usePresence, useSurroundings } from "./context.js";
import { html } from "./html.js";
import { bodyOf, changesOf, KeyFields, valuesOf } from "./key-fields.js";
import { Button, ErrorNotice, Heading, Link, Loading } from "./ui.js";

/** The form for a new key. */
export function CreateKeyView() {
  const { api, router, announce, showSecret } = useSurroundings();
  // The same key for the same content: a request that is repeated after a lost answer makes one API key.
  const attempt = useRef({ content: null, body: null, idempotencyKey: null });
  const isPresent = usePresence();
  const create = async (values) => {
    const content = JSON.stringify(values);
    if (attempt.current.content !== content) {
      attempt.current = { content, body: bodyOf(values), idempotencyKey: newIdempotencyKey() };
    }
    const { body, idempotencyKey } = attempt.current;
    const created = await api.createKey(body, idempotencyKey);
    announce("key-created", { id: created.id, name: body.name });
    showSecret({ id: created.id, name: body.name, text: created.key });
    if (isPresent()) router.go(`/keys/${created.id}`);
  };
  return html`<${Heading} title="Create an API key" />
    <${KeyForm} initial=${valuesOf(null)} action="Create key" cancelTo="/keys" onSubmit=${create} />`;
}

/** The form for a key that exists. */
export function EditKeyView({ id }) {
  const { api } = useSurroundings();
  const { value: key, error, reload } = useLoaded((signal) => api.getKey(id, signal), [id]);
  return html`<${Heading} title="Edit an API key" />
    <${ErrorNotice} error=${error} onRetry=${reload} />
    ${key ? html`<${EditForm} item=${key} />` : !error && html`<${Loading} rows=${8} label="Loading the key" />`}`;
}

function EditForm({ item }) {
  const { api, router, announce } = useSurroundings();
  const [initial] = useState(() => valuesOf(item));
  const isPresent = usePresence();
  const save = async (values) => {
    const changes = changesOf(initial, values);
    if (Object.keys(changes).length > 0) {
      await api.updateKey(item.id, changes);
      announce("key-updated", { id: item.id, name: values.name });
    }
    if (isPresent()) router.go(`/keys/${item.id}`);
  };
  return html`<${KeyForm} initial=${initial} action="Save" cancelTo=${`/keys/${item.id}`} onSubmit=${save} />`;
}

/** A form whose content stays when the request fails. */
function KeyForm({ initial, action, cancelTo, onSubmit }) {
  const { organization } = useSurroundings();
  const [values, setValues] = useState(initial);
  const latest = useRef(initial); // what a program typed just before it submits is not drawn yet
  const set = (next) => {
    latest.current = next(latest.current);
    setValues(latest.current);
  };
  const change = useChange(() => onSubmit(latest.current));
  const submit = (event) => {
    event.preventDefault();
    change.run();
  };
  return html`<form onSubmit=${submit}>
    <${KeyFields} values=${values} onChange=${set} permissions=${organization.permissions} />
    <${ErrorNotice} error=${change.error} />
    <div class="buttons">
      <${Link} class="button secondary" to=${cancelTo}>Cancel<//>
      <${Button} kind="primary" type="submit" isBusy=${change.isRunning}>${action}<//>
    </div>
  </form>`;
}
