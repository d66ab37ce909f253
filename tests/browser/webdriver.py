"""Chromium, driven by chromedriver over HTTP (W3C WebDriver), without a client library."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 60
WAIT_SECONDS = 60
"""A page takes a second; a busy machine takes longer."""

_STARTED = re.compile(r"started successfully on port (\d+)")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, section 11
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]


@dataclass(frozen=True, slots=True)
class Browser:
    """One window.

    Attributes:
        session: address of its session at the driver.
    """

    client: httpx.Client
    session: str

    def open(self, url: str) -> None:
        """Load a page."""
        self._post("/url", {"url": "about:blank"})
        self._post("/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """Run the body of a function in the page; return its result."""
        return self._post("/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script: str, *arguments: object) -> Any:
        """Wait until a script returns a true value; return it."""
        return wait(lambda: self.run(script, *arguments), script)

    def click(self, css: str) -> None:
        """Click on an element at its place; fails if another element covers it."""
        self._post(f"/element/{self._find(css)}/click", {})

    def type(self, css: str, text: str) -> None:
        """Replace the text of a field."""
        element = self._find(css)
        self._post(f"/element/{element}/clear", {})
        self._post(f"/element/{element}/value", {"text": text})

    def resize(self, width: int, height: int) -> None:
        """Set the size of the screen in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < height}
        self._post("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics})

    def prefer(self, scheme: str) -> None:
        """Set the color scheme that the reader prefers: light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._post("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}})

    def console(self) -> list[str]:
        """Return the console's new lines: errors, warnings, refused requests."""
        return [f"{entry['level']} {entry['message']}" for entry in self._post("/se/log", {"type": "browser"})]

    def requested(self) -> list[str]:
        """Return the addresses of all new requests."""
        messages = [json.loads(entry["message"])["message"] for entry in self._post("/se/log", {"type": "performance"})]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self) -> str:
        """Return a screenshot as PNG in base64."""
        response = self.client.get(f"{self.session}/screenshot")
        return str(response.json()["value"])

    def _find(self, css: str) -> str:
        return str(wait(lambda: self._post("/elements", {"using": "css selector", "value": css}), css)[0][_ELEMENT])

    def _post(self, path: str, body: dict[str, object]) -> Any:
        response = self.client.post(self.session + path, json=body)
        value = response.json()["value"]
        assert response.is_success, value
        return value


def wait(condition: Callable[[], Any], what: str) -> Any:
    """Wait until a condition returns a true value; return it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)
    return value


@contextmanager
def browser(chromium: str) -> Iterator[Browser]:
    """Run a browser with an empty profile."""
    driver = shutil.which("chromedriver")
    assert driver, "chromedriver is missing (Debian: apt install chromium-driver)"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory, ExitStack() as opened:
        output = Path(directory) / "output.txt"
        with output.open("wb") as stream:
            process = subprocess.Popen([driver, "--port=0"], stdout=stream, stderr=subprocess.STDOUT)  # noqa: S603
        opened.callback(process.wait, START_SECONDS)
        opened.callback(process.terminate)
        started = wait(lambda: _STARTED.search(output.read_text()), "chromedriver says where it listens")
        address = f"http://127.0.0.1:{started[1]}"
        client = opened.enter_context(httpx.Client(timeout=WAIT_SECONDS, trust_env=False))
        session = f"{address}/session/{_session(client, address, chromium, Path(directory) / 'profile')}"
        opened.callback(client.delete, session)  # this also ends the browser
        yield Browser(client, session)


def _session(client: httpx.Client, address: str, chromium: str, profile: Path) -> str:
    capabilities = {
        "goog:chromeOptions": {"binary": chromium, "args": [*_ARGUMENTS, f"--user-data-dir={profile}"]},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    response = client.post(f"{address}/session", json={"capabilities": {"alwaysMatch": capabilities}})
    value = response.json()["value"]
    assert response.is_success, value
    return str(value["sessionId"])
