"""The issuer's keys: discovery, cache, refetch, outages."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keywright.authorizers import published_keys
from keywright.authorizers.discovery import IdentityProviderUnavailable, fetch_document
from keywright.authorizers.oidc import IssuerKeys
from keywright.authorizers.published_keys import DOCUMENT_BYTES
from tests.support.identity_provider import jwk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.identity_provider import Issuer

DISCOVERY = "/.well-known/openid-configuration"
HOUR = 3600


@dataclass
class Clock:
    """Monotonic clock that tests move."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


@dataclass
class Provider:
    """A provider without a network, with a record of the fetched documents."""

    keys: list[dict[str, Any]]
    issuer: str = "https://id.example.com"
    fetched: deque[str] = field(default_factory=deque)
    down: bool = False

    def __call__(self, url: str) -> dict[str, Any]:
        """Fetch a document."""
        self.fetched.append(url)
        if self.down:
            raise IdentityProviderUnavailable("down")
        if url.endswith(DISCOVERY):
            return {"issuer": self.issuer, "jwks_uri": "https://id.example.com/jwks"}
        return {"keys": self.keys}


def cached(provider: Provider) -> tuple[IssuerKeys, Clock]:
    """Return keys that were fetched once, and their clock. The record of fetches is empty."""
    clock = Clock()
    keys = IssuerKeys(provider.issuer, provider, clock)
    assert keys.find(provider.keys[0]["kid"])
    provider.fetched.clear()
    return keys, clock


def test_keys_are_fetched_once() -> None:
    """Later tokens with cached keys cost no request."""
    provider = Provider([jwk("EdDSA"), jwk("ES256")])
    keys, _ = cached(provider)

    results = [keys.find("EdDSA"), keys.find("ES256"), keys.find("EdDSA")]

    assert all(results)
    assert not provider.fetched


def test_an_unknown_key_id_fetches_again() -> None:
    """A key that the provider has just added works with its first token."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    provider.keys.append(jwk("EdDSA", kid="new"))
    clock.now += 30

    assert keys.find("new")


def test_random_key_ids_do_not_flood_the_provider() -> None:
    """A thousand made-up ids within half a minute cost no request."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    clock.now += 29

    results = [keys.find(f"made up {number}") for number in range(1000)]

    assert not any(results)
    assert not provider.fetched


def test_random_key_ids_cost_one_fetch_per_interval() -> None:
    """Made-up ids cost two requests in each interval, for discovery and keys."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    for _ in range(5):
        clock.now += 30
        for number in range(100):
            keys.find(f"made up {number}")

    assert 5 * 2 == len(provider.fetched)


def test_cached_keys_work_while_the_provider_is_down() -> None:
    """An outage of less than a day ends no session with a cached key."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    provider.down = True
    clock.now += 24 * HOUR - 1

    assert keys.find("EdDSA")


@pytest.mark.parametrize("key_id", ["EdDSA", None])
def test_keys_are_trusted_for_a_day_without_a_fetch(key_id: str | None) -> None:
    """GIVEN a provider that does not answer for 24 hours THEN its keys are unavailable, not wrong."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    provider.down = True
    for _ in range(23):
        clock.now += HOUR
        assert keys.find(key_id)
    clock.now += HOUR

    for _ in range(2):
        with pytest.raises(IdentityProviderUnavailable):
            keys.find(key_id)
    provider.down = False
    clock.now += 5
    assert keys.find(key_id)


def test_a_fetch_gives_keys_another_day() -> None:
    """The day begins with the last successful fetch."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    clock.now += 20 * HOUR
    assert keys.find("EdDSA")
    provider.down = True
    clock.now += 20 * HOUR

    assert keys.find("EdDSA")
    clock.now += 4 * HOUR
    with pytest.raises(IdentityProviderUnavailable):
        keys.find("EdDSA")


def test_an_unknown_key_is_unavailable_during_an_outage() -> None:
    """The token may be valid, so it is not refused, between two fetches neither."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    provider.down = True
    clock.now += 30

    for _ in range(2):
        with pytest.raises(IdentityProviderUnavailable):
            keys.find("new")


def test_a_failed_fetch_is_repeated_after_a_pause() -> None:
    """The next fetch comes after five seconds, not before."""
    provider = Provider([jwk("EdDSA")], down=True)
    clock = Clock()
    keys = IssuerKeys(provider.issuer, provider, clock)
    with pytest.raises(IdentityProviderUnavailable):
        keys.find("EdDSA")
    provider.down = False

    clock.now += 4
    with pytest.raises(IdentityProviderUnavailable):
        keys.find("EdDSA")
    clock.now += 1
    assert keys.find("EdDSA")


def test_keys_are_not_fetched_again_within_an_hour() -> None:
    """A key that is used all the time costs two requests an hour, for discovery and keys."""
    provider = Provider([jwk("EdDSA")])
    keys, clock = cached(provider)
    clock.now += HOUR - 1
    assert keys.find("EdDSA")
    assert 0 == len(provider.fetched)

    clock.now += 1
    assert keys.find("EdDSA")
    assert 2 == len(provider.fetched)


def test_withdrawn_keys_stop_working() -> None:
    """A withdrawn key is trusted for an hour at most."""
    provider = Provider([jwk("EdDSA", kid="old"), jwk("EdDSA", kid="new")])
    keys, clock = cached(provider)
    del provider.keys[0]
    clock.now += HOUR

    assert keys.find("old") is None


def test_a_token_without_key_id_has_the_only_key() -> None:
    """A token may omit the id of the only key (OpenID Connect Core, section 10.1)."""
    one, _ = cached(Provider([jwk("EdDSA")]))
    two, _ = cached(Provider([jwk("EdDSA"), jwk("ES256")]))

    assert one.find(None)
    assert two.find(None) is None


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"}, id="symmetric"),
        pytest.param(jwk("ES256", kid="x") | {"use": "enc"}, id="for encryption"),
        pytest.param(jwk("RS256", kid="x") | {"alg": "RS512"}, id="another algorithm"),
        pytest.param(
            jwk("RS256", rsa.generate_private_key(public_exponent=65537, key_size=1024), "x"),  # noqa: S505
            id="RSA of 1,024 bits",
        ),
        pytest.param(
            jwk("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2040), "x"),  # noqa: S505
            id="RSA of 2,040 bits",
        ),
        pytest.param(jwk("ES256", ec.generate_private_key(ec.SECP384R1()), "x") | {"alg": "ES384"}, id="another curve"),
        pytest.param({"kty": "unknown", "kid": "x"}, id="unknown type"),
        pytest.param({"kid": "x"}, id="incomplete"),
        pytest.param({"kty": "RSA", "kid": "x", "n": "!", "e": "!"}, id="unreadable"),
        pytest.param(jwk("ES256") | {"kid": ["x"]}, id="odd id"),
        pytest.param("x", id="not an object"),
    ],
)
def test_unusable_keys_are_skipped(entry: object) -> None:
    """An unusable entry is no key, and the other entries work."""
    provider = Provider([jwk("EdDSA"), entry])  # type: ignore[list-item]
    keys, _ = cached(provider)

    assert keys.find("x") is None
    assert keys.find("EdDSA")


@pytest.mark.parametrize(
    ("discovery", "keys"),
    [
        pytest.param({"issuer": "https://id.example.com"}, {}, id="no jwks_uri"),
        pytest.param(
            {"issuer": "https://id.example.com", "jwks_uri": "http://127.0.0.1/jwks"},
            {"keys": [jwk("EdDSA", kid="x")]},
            id="down to http",
        ),
        pytest.param(
            {"issuer": "https://id.example.com", "jwks_uri": "https://["}, {"keys": [jwk("EdDSA")]}, id="no address"
        ),
        pytest.param({"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/jwks"}, {}, id="no keys"),
        pytest.param(
            {"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/jwks"}, {"keys": []}, id="empty"
        ),
    ],
)
def test_invalid_documents_are_an_outage(discovery: dict[str, Any], keys: dict[str, Any]) -> None:
    """Invalid documents are an outage, which operators see, and are fetched once."""
    fetched: list[str] = []

    def fetch(url: str) -> dict[str, Any]:
        fetched.append(url)
        urlsplit(url)  # raises for an invalid URL, as the real one does
        return discovery if url.endswith(DISCOVERY) else keys

    issuer_keys = IssuerKeys("https://id.example.com", fetch, Clock())
    for _ in range(3):
        with pytest.raises(IdentityProviderUnavailable):
            issuer_keys.find("x")
    assert 1 == sum(url.endswith(DISCOVERY) for url in fetched)


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"issuer": "https://evil.example.com"}, id="another"),
        pytest.param({"issuer": "https://id.example.com/"}, id="with a slash"),
        pytest.param({"issuer": "https://ID.example.com"}, id="in another case"),
        pytest.param({"issuer": "http://id.example.com"}, id="without TLS"),
        pytest.param({"issuer": ["https://id.example.com"]}, id="a list"),
        pytest.param({"issuer": None}, id="null"),
        pytest.param({}, id="none"),
    ],
)
def test_discovery_must_name_exactly_the_issuer(named: dict[str, Any]) -> None:
    """GIVEN documents that are valid except for the issuer THEN their keys are not fetched."""
    discovery = {"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/jwks"}
    fetched: list[str] = []

    def fetch(url: str) -> dict[str, Any]:
        fetched.append(url)
        return discovery if url.endswith(DISCOVERY) else {"keys": [jwk("EdDSA")]}

    assert IssuerKeys("https://id.example.com", fetch, Clock()).find("EdDSA"), "the documents are valid"
    del discovery["issuer"]
    discovery.update(named)
    fetched.clear()

    with pytest.raises(IdentityProviderUnavailable, match="the provider calls itself"):
        IssuerKeys("https://id.example.com", fetch, Clock()).find("EdDSA")
    assert [f"https://id.example.com{DISCOVERY}"] == fetched


def test_fetch_reads_a_document(issuer: Issuer) -> None:
    """A JSON object is fetched over HTTP."""
    assert {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"} == fetch_document(issuer.url + DISCOVERY)


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"not json", b"[" * 100_000, json.dumps({"a": "x" * DOCUMENT_BYTES}).encode()]
)
def test_fetch_refuses_anything_but_a_small_object(issuer: Issuer, document: bytes) -> None:
    """Invalid and large documents are refused."""
    issuer.documents["/x"] = document

    with pytest.raises(IdentityProviderUnavailable):
        fetch_document(f"{issuer.url}/x")


def test_fetch_reads_up_to_512_kibibytes(issuer: Issuer) -> None:
    """A document of that size is read, and one of a byte more is refused, even if the rest is white space."""
    issuer.documents["/x"] = b'{"a": 1}'.ljust(512 * 1024)
    issuer.documents["/y"] = b'{"a": 1}'.ljust(512 * 1024 + 1)

    assert {"a": 1} == fetch_document(f"{issuer.url}/x")
    with pytest.raises(IdentityProviderUnavailable, match="answered 200 with 524289 bytes"):
        fetch_document(f"{issuer.url}/y")


@pytest.mark.parametrize("status", [302, 404, 500])
def test_fetch_refuses_other_statuses(issuer: Issuer, status: int) -> None:
    """Redirects and errors are refused."""
    issuer.status = status

    with pytest.raises(IdentityProviderUnavailable):
        fetch_document(issuer.url + DISCOVERY)


@pytest.mark.usefixtures("issuer")
def test_fetch_of_a_closed_port_is_unavailable() -> None:
    """The error says that the address did not answer."""
    with pytest.raises(IdentityProviderUnavailable, match="did not answer"):
        fetch_document("http://127.0.0.1:1/")


def test_fetch_leaves_this_machine_over_tls_only() -> None:
    """Plain http to another host is not requested."""
    with pytest.raises(IdentityProviderUnavailable, match="neither https"):
        fetch_document("http://id.example.com/")


@dataclass
class SlowProvider(Provider):
    """A provider whose answers wait for an event."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, url: str) -> dict[str, Any]:
        """Fetch a document after the event."""
        document = super().__call__(url)
        self.go_on.wait(10)
        return document


class TestSlowProvider:
    """Threads during a slow fetch."""

    def test_a_refresh_may_take_five_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Both documents together may take half of the function's ten seconds."""
        limits: list[float] = []

        def within(seconds: float, call: Callable[[], object]) -> object:
            limits.append(seconds)
            return call()

        monkeypatch.setattr(published_keys, "within", within)
        cached(Provider([jwk("EdDSA")]))

        assert [5] == limits

    def test_a_refresh_ends_in_time(self) -> None:
        """A slow fetch becomes an outage after refresh_seconds."""
        provider = SlowProvider([jwk("EdDSA")])
        keys = IssuerKeys(provider.issuer, provider, Clock(), refresh_seconds=0.05)

        with pytest.raises(IdentityProviderUnavailable, match="TimeoutError"):
            keys.find("EdDSA")
        provider.go_on.set()

    def test_cached_keys_do_not_wait(self) -> None:
        """While one caller fetches, others use the cached key."""
        provider = SlowProvider([jwk("EdDSA")])
        provider.go_on.set()
        clock = Clock()
        keys = IssuerKeys(provider.issuer, provider, clock)
        keys.find("EdDSA")
        provider.go_on.clear()
        provider.fetched.clear()
        clock.now += HOUR
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(keys.find, "EdDSA")
            while not provider.fetched:
                time.sleep(0.001)

            assert keys.find("EdDSA")
            assert not asking.done()
            provider.go_on.set()

    def test_keys_older_than_a_day_wait(self) -> None:
        """After a day no caller uses a cached key while it is fetched again."""
        provider = SlowProvider([jwk("EdDSA")])
        provider.go_on.set()
        clock = Clock()
        keys = IssuerKeys(provider.issuer, provider, clock)
        keys.find("EdDSA")
        provider.go_on.clear()
        provider.fetched.clear()
        clock.now += 24 * HOUR
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(keys.find, "EdDSA")
            while not provider.fetched:
                time.sleep(0.001)
            second = pool.submit(keys.find, "EdDSA")

            assert not wait([first, second], timeout=0.1).done
            provider.go_on.set()
            assert first.result()
            assert second.result()

    def test_threads_share_one_fetch(self) -> None:
        """Callers without cached keys wait for one fetch and use its keys."""
        provider = SlowProvider([jwk("EdDSA")])
        keys = IssuerKeys(provider.issuer, provider, Clock())
        with ThreadPoolExecutor(8) as pool:
            fetches = [pool.submit(keys.find, "EdDSA") for _ in range(8)]
            while not provider.fetched:
                time.sleep(0.001)
            provider.go_on.set()

            assert all(fetch.result() for fetch in fetches)
        assert 2 == len(provider.fetched)

    def test_an_outage_ends_with_a_successful_fetch(self) -> None:
        """After a successful fetch, an unknown key is unknown and no outage."""
        provider = Provider([jwk("EdDSA")], down=True)
        clock = Clock()
        keys = IssuerKeys(provider.issuer, provider, clock)
        with pytest.raises(IdentityProviderUnavailable):
            keys.find("EdDSA")
        provider.down = False
        clock.now += 5
        keys.find("EdDSA")

        assert keys.find("new") is None
