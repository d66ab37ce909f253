"""The reference page that get_reference serves, complete in itself. tests/browser opens it in a browser."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from keywright.errors import CATALOGUE
from tests.support.client import calling
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("get_reference")

DESCRIPTION = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
LIBRARY = ROOT / "functions" / "get_reference" / "swagger-ui"
LAMBDA_ANSWER_BYTES = 6 * 1024 * 1024
"""AWS Lambda quotas: invocation payload, 6 MB; API Gateway's is 10 MB."""


class Parts(HTMLParser):
    """The parts of a page that the tests read."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the ids and addresses of a tag."""
        self._inside = tag
        if tag == "script":
            self.scripts.append("")
        for name, value in attrs:
            if name in {"src", "href", "srcset", "action", "data", "poster"}:
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        """Record the text of a script."""
        if self._inside == "script":
            self.scripts[-1] += data

    def handle_endtag(self, _: str) -> None:
        """Leave a script."""
        self._inside = ""


@pytest.fixture
def page(call: Call) -> str:
    """The page."""
    return str(call()["body"])


def test_it_refers_to_nothing_outside_of_this_api(page: str) -> None:
    """The page refers to its own entries, the description beside it and an empty image, and to nothing else."""
    addresses = Parts(page).addresses

    assert {"openapi.json", "data:,"} == {address for address in addresses if not address.startswith("#")}
    assert "@import" not in page


def test_every_link_within_the_page_leads_somewhere(page: str) -> None:
    """Every link within the page leads to exactly one element, or to an operation, which the library draws."""
    parts = Parts(page)
    operations = {
        f"operations-{operation['tags'][0].replace(' ', '_')}-{operation['operationId']}"
        for methods in DESCRIPTION["paths"].values()
        for operation in methods.values()
    }

    assert {address[1:] for address in parts.addresses if address.startswith("#")} <= {*parts.ids, *operations}
    assert len(parts.ids) == len(set(parts.ids))


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_error_has_an_entry(page: str, code: str) -> None:
    """Every error has an entry with its status, its message and its hint."""
    entry = re.search(rf'<article id="{code}".*?</article>', page, re.DOTALL)

    assert entry
    content = html.unescape(entry[0])
    assert all(text in content for text in (f" <span>{CATALOGUE[code].status}</span>", CATALOGUE[code].message))
    assert CATALOGUE[code].hint in content


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_error_has_causes_and_remedies(page: str, code: str) -> None:
    """The entry that the link of an error leads to has at least one cause with a remedy."""
    (rows,) = re.findall(rf'<article id="{code}".*?<tbody>(.*?)</tbody>.*?</article>', page, re.DOTALL)

    assert re.findall(r"<tr>\n<td>.{10,}</td>\n<td>.{10,}</td>\n</tr>", rows)


def test_it_has_the_guide(page: str) -> None:
    """The page has the sections of docs/using.md but that of errors, which has a place of its own."""
    titles = re.findall(r"^## (.+)$", (ROOT / "docs" / "using.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert [title for title in titles if title != "Errors"] == re.findall(r"<summary>(.*?)</summary>", page)


def test_it_has_the_address_of_the_deployment(call: Call, setting: Callable[[str, str], None]) -> None:
    """The introduction has the address that requests go to, and changes with it."""
    first = str(call()["body"])
    setting("PUBLIC_URL", "https://api.example.com/keys/v1")
    second = str(call()["body"])

    assert '<code id="address">https://abc.execute-api.eu-central-1.amazonaws.com/v1</code>' in first
    assert '<code id="address">https://api.example.com/keys/v1</code>' in second


def test_only_its_own_scripts_may_run(call: Call) -> None:
    """The policy names the digest of each script, no other source, and this API as the only destination."""
    answer = call()
    policy = dict(part.strip().split(" ", 1) for part in answer["headers"]["content-security-policy"].split(";"))

    digests = [hashlib.sha256(script.encode()).digest() for script in Parts(answer["body"]).scripts]
    assert 2 == len(digests)
    assert [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests] == policy["script-src"].split()
    assert "'none'" == policy["default-src"]
    assert "data:" == policy["img-src"]
    assert "'self' https://abc.execute-api.eu-central-1.amazonaws.com" == policy["connect-src"]


def test_requests_can_be_tried_out_behind_a_custom_domain(call: Call, setting: Callable[[str, str], None]) -> None:
    """The policy allows requests to the public address."""
    setting("PUBLIC_URL", "https://api.example.com/keys/v1")

    assert "connect-src 'self' https://api.example.com;" in call()["headers"]["content-security-policy"]


def test_lambda_can_answer_it(call: Call) -> None:
    """The answer takes at most half of Lambda's limit, counted as JSON text."""
    assert len(json.dumps(call())) < LAMBDA_ANSWER_BYTES / 2


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css"])
def test_the_library_is_the_published_one(name: str) -> None:
    """The library is the published file, byte for byte, that its README names."""
    content = gzip.decompress((LIBRARY / f"{name}.gz").read_bytes())

    assert f"`{hashlib.sha256(content).hexdigest()}`" in (LIBRARY / "README.md").read_text(encoding="utf-8")


def test_the_library_has_its_licenses() -> None:
    """The licenses of the library and of its parts are beside it."""
    assert all((LIBRARY / name).is_file() for name in ("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"))
