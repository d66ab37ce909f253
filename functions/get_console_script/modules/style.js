/**
 * The style of all views. Pages that embed the element can set the custom properties that begin with --keywright; the
 * colors follow the color-scheme of the page.
 */
export const STYLE = `
:host {
  --accent: var(--keywright-accent, light-dark(#1d4ed8, #8ab4ff));
  --on-accent: var(--keywright-on-accent, light-dark(#ffffff, #0b1220));
  --text: var(--keywright-text, light-dark(#1b1f27, #e8eaf0));
  --muted: var(--keywright-muted, light-dark(#545c6b, #a9b1c0));
  --background: var(--keywright-background, light-dark(#ffffff, #12161d));
  --surface: var(--keywright-surface, light-dark(#f4f6f9, #1b212b));
  --border: var(--keywright-border, light-dark(#cfd5df, #394253));
  --control: light-dark(#767f8f, #7d8798);
  --danger: var(--keywright-danger, light-dark(#b42318, #ff9a8f));
  --on-danger: light-dark(#ffffff, #2a0a06);
  --radius: var(--keywright-radius, 6px);
  display: block;
  color: var(--text);
  background: var(--background);
  font: 1rem/1.5 var(--keywright-font, system-ui, sans-serif);
  text-align: start;
  text-indent: 0;
  text-transform: none;
  letter-spacing: normal;
  word-spacing: normal;
  white-space: normal;
  overflow-wrap: anywhere;
}
/* The views follow the width of the element. Without these sizes, it would be empty in a flex container. */
:host { container-type: inline-size; contain-intrinsic-inline-size: 60rem; min-width: 0; }
:host([hidden]) { display: none; }
:host(keywright-console) { min-height: 100vh; }
*, *::before, *::after { box-sizing: border-box; }
h1, h2, h3, p, dl, dd, ul, fieldset, figure { margin: 0; padding: 0; }
.title { font-size: 1.5rem; line-height: 1.25; }
.title:focus { outline: none; }
.subtitle { font-size: 1.125rem; line-height: 1.3; }
a, .link { color: var(--accent); text-underline-offset: .15em; }
code { font: .875em/1.5 var(--keywright-mono, ui-monospace, monospace); }
.muted, .hint, .small { color: var(--muted); }
.hint, .small { font-size: .875rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

.bar { border-bottom: 1px solid var(--border); background: var(--surface); }
.bar > div { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; align-items: center; max-width: 72rem; margin: 0 auto;
  padding: .5rem 1rem; min-height: 3.5rem; }
.bar nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; flex: 1 1 auto; }
.bar nav a { padding: .375rem 0; color: var(--text); text-decoration: none; border-bottom: 2px solid transparent; }
.bar nav a:hover { border-color: var(--border); }
.bar nav a[aria-current] { border-color: var(--accent); font-weight: 600; }
.who { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; }
main { display: grid; gap: 1.25rem; max-width: 72rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; min-height: 70vh;
  align-content: start; }
main:focus { outline: none; }
.embedded { display: grid; gap: 1.25rem; align-content: start; }
main > *, .embedded > * { min-width: 0; }
.skip { position: absolute; left: .5rem; top: .5rem; z-index: 1; }
.skip:not(:focus) { clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; padding: 0; }
.welcome { max-width: 26rem; margin: 0 auto; padding: 12vh 1rem 0; display: grid; gap: 1rem; }

.heading { display: flex; flex-wrap: wrap; gap: .75rem 1rem; align-items: center; justify-content: space-between; }
.actions, .buttons, .pages { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: center; }
.buttons { justify-content: flex-end; }
.card { border: 1px solid var(--border); border-radius: var(--radius); padding: 1rem; display: grid; gap: .875rem; }

.button { font: inherit; font-weight: 500; min-height: 2.5rem; padding: .375rem .875rem; border-radius: var(--radius);
  border: 1px solid var(--control); background: var(--background); color: var(--text); cursor: pointer;
  text-decoration: none; display: inline-flex; align-items: center; }
.button:hover { background: var(--surface); }
.button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.button.danger { background: var(--danger); border-color: var(--danger); color: var(--on-danger); }
.button.risky { color: var(--danger); border-color: currentColor; }
.button.small { min-height: 1.75rem; padding: 0 .5rem; font-size: .875rem; }
.button[aria-disabled="true"] { background: var(--surface); border-color: var(--border); color: var(--muted);
  cursor: not-allowed; }
.link { font: inherit; border: 0; background: none; padding: 0; cursor: pointer; text-decoration: underline;
  text-align: start; }

.notice { border: 1px solid var(--border); border-inline-start: 4px solid var(--accent); border-radius: var(--radius);
  background: var(--surface); padding: .75rem 1rem; display: grid; gap: .375rem; justify-items: start; }
.notice.error, .notice.danger { border-inline-start-color: var(--danger); }
.notice.warning { border-inline-start-color: light-dark(#b25e02, #f2b35d); }
.badge { display: inline-block; font-size: .8125rem; line-height: 1.4; padding: .0625rem .5rem; border-radius: 99px;
  border: 1px solid var(--control); white-space: nowrap; }
.badge.good { color: light-dark(#14612e, #86dfa3); border-color: currentColor; }
.badge.bad { color: var(--danger); border-color: currentColor; }
.badge.warning { color: light-dark(#8a4a00, #f2b35d); border-color: currentColor; }

.field { display: grid; gap: .25rem; min-width: 0; align-content: start; }
.field label, legend { font-weight: 500; }
input:not([type="checkbox"]), select, textarea { font: inherit; color: inherit; background: var(--background);
  border: 1px solid var(--control); border-radius: var(--radius); padding: .375rem .625rem; min-height: 2.5rem;
  width: 100%; min-width: 0; }
textarea { min-height: 6rem; resize: vertical; }
fieldset { border: 0; display: grid; gap: .5rem; min-width: 0; }
legend { padding: 0; }
ul { list-style: none; }
.check { display: flex; gap: .5rem; align-items: flex-start; padding: .125rem 0; }
.check input { width: 1.125rem; height: 1.125rem; margin: .1875rem 0 0; flex: none; accent-color: var(--accent); }
.grid { align-items: start; display: grid; gap: .75rem 1rem; grid-template-columns: repeat(auto-fill, minmax(min(14rem, 100%), 1fr)); }
.filters { display: grid; gap: .75rem 1rem; align-items: end;
  grid-template-columns: repeat(auto-fill, minmax(min(11rem, 100%), 1fr)); }
.metadata { display: grid; gap: .5rem; grid-template-columns: 1fr 1fr 7rem auto; align-items: end; }
form { display: grid; gap: 1.25rem; }

table { border-collapse: collapse; width: 100%; }
caption { text-align: start; color: var(--muted); font-size: .875rem; padding-bottom: .375rem; }
th, td { text-align: start; vertical-align: top; padding: .625rem .75rem .625rem 0; border-bottom: 1px solid var(--border); }
th { font-size: .875rem; color: var(--muted); font-weight: 500; }
thead th { white-space: nowrap; }
td { min-width: 6rem; }
td.number { min-width: 4rem; }
td.about { min-width: 13rem; }
tbody th { font-size: 1rem; color: inherit; }
td.number, th.number { text-align: end; font-variant-numeric: tabular-nums; }
.facts { display: grid; gap: .5rem 1.5rem; grid-template-columns: minmax(9rem, max-content) 1fr; }
.facts dt { color: var(--muted); }
.facts dd { min-width: 0; }
.facts .button { vertical-align: middle; }
.bone { height: 2.75rem; border-bottom: 1px solid var(--border); background: linear-gradient(var(--surface) 0 0)
  0 50% / 70% 40% no-repeat; }

.plot { display: grid; gap: .375rem; }
.plot svg { width: 100%; height: 7rem; display: block; }
.plot rect { fill: var(--accent); }
.plot line { stroke: var(--border); }
.plot .scale { display: flex; justify-content: space-between; font-size: .875rem; color: var(--muted); }
.meter { display: grid; gap: .25rem; }
.meter > div { height: .625rem; border-radius: 99px; border: 1px solid var(--control); overflow: hidden; }
.meter > div > div { height: 100%; background: var(--accent); }
.meter > div > .full { background: var(--danger); }
del { color: var(--danger); text-decoration: line-through; }
ins { color: light-dark(#14612e, #86dfa3); text-decoration: none; }
del, ins { white-space: pre-wrap; }

dialog { color: var(--text); background: var(--background); border: 1px solid var(--control);
  border-radius: calc(var(--radius) * 1.5); padding: 1.25rem; width: min(34rem, calc(100vw - 1.5rem));
  max-height: calc(100dvh - 1.5rem); overflow-y: auto; }
dialog[open] { display: grid; gap: 1rem; }
dialog::backdrop { background: rgb(0 0 0 / .5); }
.secret { display: block; padding: .75rem; border: 1px dashed var(--control); border-radius: var(--radius);
  background: var(--surface); user-select: all; font-size: .9375rem; word-break: break-all; }

@container (max-width: 44rem) {
  table.wide, .wide tbody, .wide tr, .wide th, .wide td, .wide caption { display: block; }
  .wide thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .wide tr { border-bottom: 1px solid var(--border); padding: .5rem 0; }
  .wide th, .wide td { border: 0; padding: .125rem 0; text-align: start; }
  .wide td[data-label]::before { content: attr(data-label) ": "; color: var(--muted); }
  .wide td.empty { display: none; }
  .filters { grid-template-columns: repeat(auto-fill, minmax(min(8.5rem, 100%), 1fr)); gap: .5rem; }
  .filters > :first-child { grid-column: 1 / -1; }
  .facts { grid-template-columns: 1fr; gap: .125rem; }
  .facts dd { margin-bottom: .5rem; }
  .metadata { grid-template-columns: 1fr 1fr; border-bottom: 1px solid var(--border); padding-bottom: .75rem; }
}
@media (prefers-reduced-motion: no-preference) { .button { transition: background-color .1s; } }
`;
