"""Signatures of GitHub's reports: who signed, with which key, and which bytes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keywright.authorizers import github
from keywright.authorizers.published_keys import DOCUMENT_BYTES, KeysUnavailable, PublishedKeys
from keywright.errors import ServiceError
from tests.support import canned_server
from tests.support.environment import LOOPBACK
from tests.support.github import Signer, published, publishing, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.canned_server import Canned

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

SIGNER, OTHER, WITHDRAWN = Signer.new(), Signer.new(), Signer.new()
BODY = report("some_token")


@pytest.fixture
def published_by_github(setting: Callable[[str, str], None]) -> Iterator[Canned]:
    """The address that publishes the key of SIGNER."""
    with publishing(SIGNER) as server:
        setting("GITHUB_KEYS_URL", f"{server.url}/meta/public_keys/secret_scanning")
        yield server


def refusal(identifier: str | None, signature: str | None, body: bytes = BODY) -> str:
    """Check a signature; return status and reason of the refusal, or an empty text."""
    try:
        github.require_signature(identifier, signature, body)
    except ServiceError as error:
        return f"{error.error.status} {error.reason}"
    return ""


def test_the_sample_of_the_documentation() -> None:
    """The body, key and signature of a sample of GitHub Docs agree (github/docs, pull request 18776)."""
    sample = github._key(
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n"
        "kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n"
        "-----END PUBLIC KEY-----\n"
    )
    identifier = "90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a"
    signature = "MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc="
    body = b'[{"token":"some_token","type":"some_type","url":"some_url"}]'
    assert sample
    keys = PublishedKeys(lambda: {identifier: sample}, KeysUnavailable)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(github, "github_keys", lambda: keys)

        assert not refusal(identifier, signature, body)
        assert "401 wrong signature" == refusal(identifier, signature, body + b"\n")


def test_a_signed_report(published_by_github: Canned) -> None:
    """A signature by a published key is right, again and again with one fetch, which names its user agent."""
    for _ in range(3):
        assert not refusal(SIGNER.identifier, SIGNER.signature(BODY))

    (fetch,) = published_by_github.received
    assert "GET /meta/public_keys/secret_scanning HTTP/1.1" == fetch.line
    assert "keywright" == fetch.headers["user-agent"]


@pytest.mark.usefixtures("published_by_github")
def test_each_byte_is_signed() -> None:
    """GIVEN a signed body WHEN any byte of it is changed, removed or added THEN the signature is wrong."""
    signature = SIGNER.signature(BODY)
    changed = [BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :] for at in range(len(BODY))]
    compact = json.dumps(json.loads(BODY), separators=(",", ":")).encode()

    for body in [*changed, BODY[:-1], BODY + b" ", b"", compact]:
        assert "401 wrong signature" == refusal(SIGNER.identifier, signature, body)


@pytest.mark.usefixtures("published_by_github")
@pytest.mark.parametrize(
    ("identifier", "signature"),
    [
        (None, SIGNER.signature(BODY)),
        ("", SIGNER.signature(BODY)),
        (SIGNER.identifier, None),
        (SIGNER.identifier, ""),
        (SIGNER.identifier, "not base64"),
        (SIGNER.identifier, "AAAA"),
        (SIGNER.identifier, "é"),
        (SIGNER.identifier, base64.b64encode(bytes(64)).decode()),
        (SIGNER.identifier, base64.b64encode(bytes(4096)).decode()),
        (SIGNER.identifier, SIGNER.signature(b"another body")),
        (SIGNER.identifier, OTHER.signature(BODY)),
        (OTHER.identifier, OTHER.signature(BODY)),
        ("made up", SIGNER.signature(BODY)),
        (SIGNER.identifier, base64.b64encode(SIGNER.key.sign(BODY, ec.ECDSA(hashes.SHA384()))).decode()),
    ],
    ids=[
        "no identifier", "empty identifier", "no signature", "empty signature", "not base64", "not DER", "not ASCII",
        "zeros", "too long", "of another body", "of another key", "of a key that is not published",
        "unknown identifier", "another digest",
    ],
)  # fmt: skip
def test_wrong_signatures(identifier: str | None, signature: str | None) -> None:
    """Whatever is wrong with a signature, the report is a 401."""
    assert refusal(identifier, signature).startswith("401 ")


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1(), ec.SECP224R1()], ids=lambda curve: curve.name)
def test_keys_of_other_curves_are_ignored(published_by_github: Canned, curve: ec.EllipticCurve) -> None:
    """A published key of another curve verifies nothing."""
    stranger = Signer.new(curve)
    published_by_github.answers[:] = [published(stranger, SIGNER)]

    assert "401 no published key has the identifier" == refusal(stranger.identifier, stranger.signature(BODY))
    assert not refusal(SIGNER.identifier, SIGNER.signature(BODY))


def test_entries_that_are_no_keys_are_ignored(published_by_github: Canned) -> None:
    """Other entries of the published document do not hide the key."""
    edwards = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = edwards.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    others = [None, {}, {"key_identifier": 1, "key": SIGNER.pem}, {"key_identifier": "a", "key": 1}]
    others += [{"key_identifier": "b", "key": "no PEM"}, {"key_identifier": "c", "key": pem}, {"key": SIGNER.pem}]
    key = {"key_identifier": SIGNER.identifier, "key": SIGNER.pem}
    published_by_github.answers[:] = [canned_server.answer({"public_keys": [*others, key]})]

    assert not refusal(SIGNER.identifier, SIGNER.signature(BODY))


def test_a_key_that_is_no_longer_published(published_by_github: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a key that GitHub withdraws WHEN an hour has passed THEN its signatures are wrong."""
    now = 1000.0
    keys = PublishedKeys(github._download, KeysUnavailable, lambda: now)
    monkeypatch.setattr(github, "github_keys", lambda: keys)
    published_by_github.answers[:] = [published(SIGNER, WITHDRAWN), published(SIGNER)]
    assert not refusal(WITHDRAWN.identifier, WITHDRAWN.signature(BODY))

    now += 3600

    assert "401 no published key has the identifier" == refusal(WITHDRAWN.identifier, WITHDRAWN.signature(BODY))
    assert not refusal(SIGNER.identifier, SIGNER.signature(BODY))


def test_a_new_key_is_fetched_and_made_up_ones_are_not(
    published_by_github: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a hundred unknown identifiers THEN keys are fetched at most every two minutes, and a new key is found."""
    now = 1000.0
    keys = github.keys_by(lambda: now)
    monkeypatch.setattr(github, "github_keys", lambda: keys)
    published_by_github.answers[:] = [published(SIGNER), published(SIGNER, OTHER)]

    for number in range(100):
        assert "401 no published key has the identifier" == refusal(f"made up {number}", SIGNER.signature(BODY))
    assert 1 == len(published_by_github.received)
    now += 120

    assert not refusal(OTHER.identifier, OTHER.signature(BODY))
    assert 2 == len(published_by_github.received)


def test_a_refused_fetch_is_repeated_after_a_minute(
    published_by_github: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN GitHub's limit of requests is reached THEN no identifier makes for another fetch within a minute."""
    now = 1000.0
    keys = github.keys_by(lambda: now)
    monkeypatch.setattr(github, "github_keys", lambda: keys)
    published_by_github.answers[:] = [canned_server.answer({}, 403), published(SIGNER)]

    for number in range(59):
        assert refusal(f"made up {number}", SIGNER.signature(BODY)).startswith("503")
        now += 1
    assert 1 == len(published_by_github.received)
    now += 1

    assert not refusal(SIGNER.identifier, SIGNER.signature(BODY))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        canned_server.answer({"message": "API rate limit exceeded"}, 403),
        canned_server.answer(b"<html>"),
        canned_server.answer([]),
        canned_server.answer({}),
        canned_server.answer({"public_keys": {}}),
        canned_server.answer({"public_keys": []}),
        canned_server.answer({"public_keys": ["x" * DOCUMENT_BYTES]}),
    ],
    ids=["no answer", "403", "HTML", "a list", "no keys", "an object", "empty", "too large"],
)
def test_github_is_down(published_by_github: Canned, answer: bytes | None) -> None:
    """GIVEN no keys WHEN a report arrives THEN it is a 503, which GitHub can send again."""
    published_by_github.answers[:] = [answer]

    assert refusal(SIGNER.identifier, SIGNER.signature(BODY)).startswith("503 ")


def test_cached_keys_outlive_an_outage(published_by_github: Canned) -> None:
    """GIVEN cached keys WHEN GitHub does not answer THEN reports with them are taken."""
    assert not refusal(SIGNER.identifier, SIGNER.signature(BODY))
    published_by_github.answers[:] = [None]

    assert not refusal(SIGNER.identifier, SIGNER.signature(BODY))


def test_keys_are_fetched_over_tls(environment: pytest.MonkeyPatch) -> None:
    """An address that is neither https nor on this machine is a configuration error."""
    environment.setenv("GITHUB_KEYS_URL", "http://api.github.com/meta/public_keys/secret_scanning")

    assert "503 its keys could not be fetched: ConfigurationError" == refusal("id", SIGNER.signature(BODY))
