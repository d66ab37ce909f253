"""Chromium, driven by chromedriver over HTTP (W3C WebDriver), without a client library."""

from __future__ import annotations

import base64
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
SHORTEST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.05

Element = dict[str, str]
"""A reference to an element of a page, as scripts return it and take it."""

_STARTED = re.compile(r"started successfully on port (\d+)")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver, section 11
_RELEASE = "\ue000"  # releases all keys (W3C WebDriver, section 12.5.3)
_DOWNLOADS = "downloads"
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
    "--enable-blink-features=ComputedAccessibilityInfo",  # computedRole and computedName of elements
]
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Control": "\ue009", "Escape": "\ue00c", "Space": " "}
"""Keys by name (W3C WebDriver, section 17.4.2)."""
KEYS |= {"Home": "\ue011", "End": "\ue010", "ArrowUp": "\ue013", "ArrowDown": "\ue015", "Delete": "\ue017"}


@dataclass(frozen=True, slots=True)
class Browser:
    """One window.

    Attributes:
        session: address of its session at the driver.
        downloads: directory that files are downloaded to.
    """

    client: httpx.Client
    session: str
    downloads: Path

    def open(self, url: str) -> None:
        """Load a page."""
        self._post("/url", {"url": "about:blank"})
        self._post("/url", {"url": url})

    def address(self) -> str:
        """Return the address of the page, fragment included."""
        return str(self.run("return location.href"))

    def back(self) -> None:
        """Go back, as the browser's button does."""
        self._post("/back", {})

    def forward(self) -> None:
        """Go forward, as the browser's button does."""
        self._post("/forward", {})

    def reload(self) -> None:
        """Load the page again."""
        self._post("/refresh", {})

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

    def click_element(self, element: Element) -> None:
        """Click on an element at its place; fails if another element covers it."""
        self._post(f"/element/{element[_ELEMENT]}/click", {})

    def type_into(self, element: Element, text: str) -> None:
        """Replace the text of a field by typing."""
        everything = KEYS["Control"] + "a" + _RELEASE
        self._post(f"/element/{element[_ELEMENT]}/value", {"text": everything + (text or KEYS["Delete"])})

    def press(self, *names: str) -> None:
        """Press keys one after the other, such as `Tab`, `a` or `Shift+Tab`."""
        for name in names:
            keys = [KEYS.get(part, part) for part in name.split("+")]
            actions = [{"type": "keyDown", "value": key} for key in keys]
            actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
            self._post("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def command(self, name: str, **parameters: object) -> Any:
        """Run a command of the Chrome DevTools Protocol; return its result."""
        return self._post("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def set_offline(self, is_offline: bool) -> None:  # noqa: FBT001 - the state itself
        """Disconnect the browser from the network, or connect it again."""
        throughput = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.command("Network.emulateNetworkConditions", offline=is_offline, **throughput)

    def clipboard(self) -> str:
        """Return the text in the clipboard; the page needs a secure origin."""
        self.command("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        text = str(self.run("return navigator.clipboard.readText()"))
        self.command("Browser.resetPermissions")  # pages write to it after a click, without a permission
        return text

    def downloaded(self, name: str) -> str:
        """Wait for a downloaded file; return its text and remove it."""
        path = self.downloads / name
        wait(path.exists, f"{name} is downloaded")
        text = path.read_text(encoding="utf-8")
        path.unlink()
        return text

    def history(self) -> list[str]:
        """Return the addresses of all entries of the window's history."""
        return [entry["url"] for entry in self.command("Page.getNavigationHistory")["entries"]]

    def begin_anew(self) -> None:
        """Replace the tab by a new one, without history, and forget cookies: pages find nothing that they stored."""
        self.command("Network.clearBrowserCookies")
        opened = self._post("/window/new", {"type": "tab"})
        assert self.client.delete(f"{self.session}/window").is_success
        self._post("/window", {"handle": opened["handle"]})

    def resize(self, width: int, height: int) -> None:
        """Set the size of the screen in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < height}
        self.command("Emulation.setDeviceMetricsOverride", **metrics)

    def prefer(self, scheme: str) -> None:
        """Set the color scheme that the reader prefers: light or dark. Colors change at once."""
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        self.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )

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

    def screenshot(self) -> bytes:
        """Return a screenshot as PNG."""
        response = self.client.get(f"{self.session}/screenshot")
        return base64.b64decode(response.json()["value"])

    def picture(self) -> bytes:
        """Return a screenshot of the whole page as PNG, with what is below the screen."""
        return base64.b64decode(self.command("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _find(self, css: str) -> str:
        return str(wait(lambda: self._post("/elements", {"using": "css selector", "value": css}), css)[0][_ELEMENT])

    def _post(self, path: str, body: dict[str, object]) -> Any:
        response = self.client.post(self.session + path, json=body)
        value = response.json()["value"]
        assert response.is_success, value
        return value


def wait(condition: Callable[[], Any], what: str, shown: Callable[[], object] = str) -> Any:
    """Wait until a condition returns a true value; return it.

    Args:
        condition: the condition.
        what: names it, for the failure.
        shown: returns what there is in the end, for the failure.
    """
    deadline, pause = time.monotonic() + WAIT_SECONDS, SHORTEST_PAUSE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"in vain: {what}. {shown()}"
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
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
        client = opened.enter_context(httpx.Client(timeout=START_SECONDS, trust_env=False))
        session = f"{address}/session/{_session(client, address, chromium, Path(directory))}"
        opened.callback(client.delete, session)  # this also ends the browser
        yield Browser(client, session, Path(directory) / _DOWNLOADS)


def _session(client: httpx.Client, address: str, chromium: str, directory: Path) -> str:
    capabilities = {
        "goog:chromeOptions": {
            "binary": chromium,
            "args": [*_ARGUMENTS, f"--user-data-dir={directory / 'profile'}"],
            "prefs": {"download.default_directory": str(directory / _DOWNLOADS)},
        },
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    response = client.post(f"{address}/session", json={"capabilities": {"alwaysMatch": capabilities}})
    value = response.json()["value"]
    assert response.is_success, value
    return str(value["sessionId"])
