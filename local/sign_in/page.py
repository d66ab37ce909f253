"""The pages of the sign-in: choose a user, an error, signed out. They have no script."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from local.sign_in.users import LONGEST_ID, title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.demo import Persona

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #57606a; --line: #8c959f; --accent: #0b57d0;
  --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --paper: #16191d; --ink: #e6e8eb; --soft: #a9b1bb; --line: #6b7480;
  --accent: #9ec1ff; --on-accent: #10233f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.125rem; margin: 2rem 0 .5rem; }
ul { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 11rem 1fr; gap: .25rem 1rem; align-items: center;
  padding: .5rem 0; border-bottom: 1px solid var(--line); }
p { margin: 0 0 .5rem; }
li p { margin: 0; color: var(--soft); }
button { min-height: 2.75rem; padding: .5rem 1rem; border: 1px solid var(--accent); border-radius: .375rem;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
button.quiet { background: none; color: var(--accent); margin-top: 1.5rem; }
label { display: block; margin: .5rem 0; }
input { display: block; width: 100%; min-height: 2.75rem; padding: .5rem; border: 1px solid var(--line);
  border-radius: .375rem; background: var(--paper); color: var(--ink); font: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 30rem) { li { grid-template-columns: 1fr; } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def policy(form_target: str | None = None) -> str:
    """Return the content security policy of a page.

    Args:
        form_target: the origin to which an answer to the page's form redirects: Chromium checks redirects as well.
    """
    targets = f"'self' {form_target}" if form_target else "'none'"
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; form-action {targets}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def sign_in(request: Mapping[str, str], personas: tuple[Persona, ...], wrong_choice: str = "") -> str:
    """Return the page on which a user is chosen.

    Args:
        request: the parameters of the authorization request, which the form sends again.
        personas: the users to choose from.
        wrong_choice: what was wrong with the last choice.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in request.items()
    )
    complaint = f'<p role="alert"><strong>{escape(wrong_choice)}</strong></p>' if wrong_choice else ""
    choices = "".join(_choice(persona) for persona in personas)
    listed = f'<form method="post" action="authorize">{hidden}<ul>{choices}</ul></form>' if personas else ""
    heading = "Another user" if personas else "User"
    return _document(
        "Sign in",
        f"""<p>The identity provider for development asks for no password: choose a user to sign in.</p>
{complaint}{listed}
<h2 id="other">{heading}</h2>
<form method="post" action="authorize" aria-labelledby="other">{hidden}
<label>User <input name="user" required maxlength="{LONGEST_ID}" autocomplete="off" spellcheck="false"></label>
<label>Organization <input name="organization" required maxlength="{LONGEST_ID}" autocomplete="off"
 spellcheck="false"></label>
<button>Sign in</button>
</form>
<form method="post" action="authorize">{hidden}<button class="quiet" name="cancel" value="1">Cancel</button></form>""",
    )


def message(heading: str, text: str) -> str:
    """Return a page with a message."""
    return _document(heading, f"<p>{escape(text)}</p>")


def _choice(persona: Persona) -> str:
    return (
        f'<li><button name="persona" value="{persona.name}" aria-describedby="{persona.name}">{title(persona)}</button>'
        f'<p id="{persona.name}">Creating a key answers {escape(persona.expectation)}.</p></li>'
    )


def _document(heading: str, content: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(heading)} - Keywright development</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(heading)}</h1>
{content}
</main>
</body>
</html>
"""
