"""The console's script and page in a browser: joined modules run as separate modules do, and the policy lets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.api.javascript import join
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.deployment import Deployment
    from tests.browser.webdriver import Browser

VENDOR = ROOT / "functions" / "get_console_script" / "vendor"
LIBRARIES = {
    "preact": VENDOR / "preact.mjs",
    "preact/hooks": VENDOR / "hooks.mjs",
    "htm": VENDOR / "htm.module.js",
}
RUN = """const address = URL.createObjectURL(new Blob([arguments[0]], {type: "text/javascript"}));
    return import(address).then(() => "", (error) => `${error.name}: ${error.message}`)"""
"""Run a text as a module; return the error, or an empty text."""


@pytest.fixture
def script(deployment: Deployment) -> str:
    """The script that the local service serves."""
    answer = deployment.client.get(f"{deployment.base_url}/console/keywright.js")
    assert 200 == answer.status_code
    return answer.text


def test_the_script_runs(browser: Browser, script: str) -> None:
    """The served script is valid and runs to its end."""
    assert "" == browser.run(RUN, script)


def test_joined_modules_keep_their_names_to_themselves(browser: Browser, tmp_path: Path) -> None:
    """Modules with equal names do not meet, imports have the names that they are given, and each module runs once."""
    modules = {
        "main": 'import { value, next as more } from "./a.js";\nimport { value as other } from "./b.js";\n\n'
        "globalThis.seen = [value, other, more(), more()];\n",
        "a": 'import { next as step } from "./c.js";\n\nconst hidden = "a";\nexport const value = hidden;\n'
        "export function next() {\n  return step();\n}\n",
        "b": 'import { next } from "./c.js";\n\nconst hidden = "b";\nnext();\nexport const value = hidden;\n',
        "c": "let count = 0;\nexport const next = () => (count += 1);\n",
    }
    for name, text in modules.items():
        (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")

    assert "" == browser.run(RUN, join(tmp_path, {}, []))
    assert ["a", "b", 2, 3] == browser.run("return seen")


def test_the_libraries_render(browser: Browser, tmp_path: Path) -> None:
    """Preact, its hooks and htm work together from one script: a component has state and follows events."""
    (tmp_path / "main.js").write_text(
        'import { h, render } from "preact";\nimport { useState } from "preact/hooks";\nimport htm from "htm";\n\n'
        "const html = htm.bind(h);\n"
        "function Counter({ start }) {\n  const [count, setCount] = useState(start);\n"
        "  return html`<button onClick=${() => setCount(count + 1)}>${count} ${'<b>'}</button>`;\n}\n"
        "render(html`<${Counter} start=${6} />`, document.body);\n",
        encoding="utf-8",
    )

    assert "" == browser.run(RUN, join(tmp_path, LIBRARIES, []))
    browser.click("button")
    browser.wait_for("return document.querySelector('button').textContent === '7 <b>'")


def test_the_page_loads_its_script_only(browser: Browser, deployment: Deployment) -> None:
    """The policy refuses nothing that the page has, and the browser asks for page and script alone, at first."""
    browser.open(f"{deployment.base_url}/console")
    browser.wait_for("return performance.getEntriesByType('resource').length")

    asked = [url for url in browser.requested() if url.startswith(deployment.base_url)]
    assert [f"{deployment.base_url}/console", f"{deployment.base_url}/console/keywright.js"] == asked[:2]
    assert [] == [line for line in browser.console() if "Content Security Policy" in line]


def test_the_page_leads_to_its_address_from_another(browser: Browser, deployment: Deployment) -> None:
    """Under another name of the host, the policy refuses the script, and the page links to its own address."""
    browser.open(f"{deployment.base_url}/console".replace("127.0.0.1", "localhost"))
    browser.wait_for("return getComputedStyle(document.querySelector('#stopped')).visibility === 'visible'")

    assert f"{deployment.base_url}/console" == browser.run("return document.querySelector('#stopped a').href")
