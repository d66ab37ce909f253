"""Session tokens: accepted and refused ones, and the sessions read from them."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from keywright.authorizers import session_token
from keywright.authorizers.discovery import IdentityProviderUnavailable
from keywright.authorizers.session_token import Refused, Session
from keywright.ids import organization_uuid
from tests.support.identity_provider import KEYS, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.identity_provider import Issuer

pytestmark = pytest.mark.usefixtures("trusted_issuer")


def read(token: str) -> Session | Refused:
    """Read a token as clients send it."""
    return session_token.read(f"Bearer {token}")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_tokens_of_the_allowed_algorithms_are_accepted(issuer: Issuer, algorithm: str) -> None:
    """A session has the user, organization and expiry of the claims."""
    expires_at = int(time.time()) + 600

    session = read(issuer.token(algorithm, exp=expires_at))

    assert Session("user_1", UUID(ORGANIZATION_ID), expires_at + session_token.LEEWAY_SECONDS) == session


def test_the_issuer_documents_are_fetched_once(issuer: Issuer) -> None:
    """Three tokens cost one fetch of discovery and one of keys."""
    for _ in range(3):
        read(issuer.token())

    assert ["/.well-known/openid-configuration", "/jwks"] == issuer.requests


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://evil.example.com"}, id="another issuer"),
        pytest.param({"aud": "another"}, id="another audience"),
        pytest.param({"aud": []}, id="no audience"),
        pytest.param({"exp": None}, id="no expiry"),
        pytest.param({"aud": None}, id="audience missing"),
        pytest.param({"iss": None}, id="issuer missing"),
        pytest.param({"sub": None}, id="subject missing"),
        pytest.param({"sub": ""}, id="empty subject"),
        pytest.param({"sub": "x" * 256}, id="long subject"),
        pytest.param({"sub": "x\ny"}, id="line break in the subject"),
        pytest.param({"sub": 'x","userId":"y'}, id="quote in the subject"),
        pytest.param({"sub": "x\\"}, id="backslash in the subject"),
        pytest.param({"sub": "x\ud800"}, id="lone surrogate in the subject"),
        pytest.param({"exp": "soon"}, id="expiry is no number"),
        pytest.param({"exp": 1e308 * 10}, id="expiry is infinite"),
    ],
)
def test_tokens_with_wrong_claims_are_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    """A valid signature does not help a token with a wrong or malformed claim."""
    assert isinstance(read(issuer.token(**claims)), Refused)


@pytest.mark.parametrize(
    ("claim", "seconds"),
    [("exp", -60), ("nbf", 120), ("iat", 120)],
    ids=["expired", "not yet valid", "from the future"],
)
def test_tokens_of_another_time_are_refused(issuer: Issuer, claim: str, seconds: int) -> None:
    """A token is refused if its times are off by more than the leeway."""
    claims: dict[str, Any] = {claim: int(time.time()) + seconds}

    assert isinstance(read(issuer.token(**claims)), Refused)


@pytest.mark.parametrize(("claim", "sign"), [("exp", -1), ("nbf", 1), ("iat", 1)], ids=["exp", "nbf", "iat"])
def test_clocks_may_differ_a_little(issuer: Issuer, claim: str, sign: int) -> None:
    """A token is accepted if its times are off by less than the leeway."""
    claims: dict[str, Any] = {claim: int(time.time()) + sign * session_token.LEEWAY_SECONDS // 2}

    assert isinstance(read(issuer.token(**claims)), Session)


def test_audience_may_be_one_of_several(issuer: Issuer) -> None:
    """An array of audiences may contain this service (RFC 7519, section 4.1.3)."""
    assert isinstance(read(issuer.token(aud=["other", "keywright"])), Session)


def encoded(content: bytes) -> str:
    """Encode as base64url without padding, as in a JWS."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def none_algorithm(issuer: Issuer) -> str:
    """A token with the algorithm `none`."""
    claims = issuer.token().split(".")[1]  # valid ones
    return f"{encoded(json.dumps({'alg': 'none', 'kid': 'EdDSA'}).encode())}.{claims}.AA"


def public_key_as_hmac_secret(issuer: Issuer) -> str:
    """A token signed by HMAC, with the public RSA key as the secret."""
    public = (
        KEYS["RS256"]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    claims = issuer.token().split(".")[1]  # valid ones
    signed = f"{encoded(json.dumps({'alg': 'HS256', 'typ': 'JWT', 'kid': 'RS256'}).encode())}.{claims}"
    return f"{signed}.{encoded(hmac.digest(public, signed.encode(), 'sha256'))}"  # PyJWT refuses to sign this


def other_key_same_id(issuer: Issuer) -> str:
    """A signature of another key under a known key id."""
    return issuer.token("EdDSA", key=ed25519.Ed25519PrivateKey.generate())


def key_of_another_algorithm(issuer: Issuer) -> str:
    """An EdDSA signature under the id of the ES256 key."""
    return issuer.token("EdDSA", headers={"kid": "ES256"})


def unknown_key(issuer: Issuer) -> str:
    """A key id that the issuer does not publish."""
    return issuer.token(headers={"kid": "unknown"})


def key_inside_the_token(issuer: Issuer) -> str:
    """A foreign key inside the header."""
    stranger = ed25519.Ed25519PrivateKey.generate()
    own = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(stranger.public_key()))
    return issuer.token("EdDSA", key=stranger, headers={"jwk": own})


def critical_extension(issuer: Issuer) -> str:
    """A header with an unknown critical extension (RFC 7515, section 4.1.11)."""
    return issuer.token(headers={"crit": ["exotic"], "exotic": 1})


def changed_claims(issuer: Issuer) -> str:
    """Another subject under an existing signature."""
    header, _, signature = issuer.token().split(".")
    return f"{header}.{encoded(json.dumps({'sub': 'root'}).encode())}.{signature}"


def nested_header(_: Issuer) -> str:
    """A header of nested brackets."""
    return encoded(b"[" * 750) + ".e30.AA"


@pytest.mark.parametrize(
    "forge",
    [
        none_algorithm,
        public_key_as_hmac_secret,
        other_key_same_id,
        key_of_another_algorithm,
        unknown_key,
        key_inside_the_token,
        critical_extension,
        changed_claims,
        nested_header,
    ],
    ids=lambda forge: forge.__name__,
)
def test_forgeries_are_refused(issuer: Issuer, forge: Callable[[Issuer], str]) -> None:
    """A forgery is refused, and never raises."""
    assert isinstance(read(forge(issuer)), Refused)


@pytest.mark.parametrize("forge", [none_algorithm, public_key_as_hmac_secret], ids=lambda forge: forge.__name__)
def test_another_algorithm_is_refused_unread(issuer: Issuer, forge: Callable[[Issuer], str]) -> None:
    """A token of an algorithm that is not allowed is refused without a request to the issuer."""
    assert Refused("its algorithm is not allowed") == read(forge(issuer))
    assert [] == issuer.requests


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_case_insensitive(issuer: Issuer, scheme: str) -> None:
    """`Bearer` may be in any case (RFC 9110, section 11.1)."""
    assert isinstance(session_token.read(f"{scheme} {issuer.token()}"), Session)


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "Basic {}",
        "Bearer  {}",
        " Bearer {}",
        "Bearer {} ",
        "Bearer {},Bearer {}",
        "Bearer {} {}",
        "Bearer\t{}",
        "Bearer {}\n",
    ],
)
def test_other_forms_of_the_header_are_refused(issuer: Issuer, form: str) -> None:
    """Only one scheme, one space and one token are accepted."""
    assert Refused("not a bearer token") == session_token.read(form.replace("{}", issuer.token()))


def test_a_token_of_8_kib_is_refused_unread(issuer: Issuer) -> None:
    """A token of that size is refused without a request to the issuer."""
    assert isinstance(read(issuer.token(filler="x" * 8192)), Refused)
    assert not issuer.requests


def test_an_outage_without_cached_keys_is_no_refusal(issuer: Issuer) -> None:
    """The token may be valid, so the answer is not 401."""
    issuer.status = 500

    with pytest.raises(IdentityProviderUnavailable):
        read(issuer.token())


def test_a_provider_with_another_name_is_no_refusal(issuer: Issuer) -> None:
    """GIVEN a token that is valid WHEN discovery names another issuer THEN its keys are not used for it."""
    issuer.documents["/.well-known/openid-configuration"]["issuer"] = "https://evil.example.com"

    with pytest.raises(IdentityProviderUnavailable):
        read(issuer.token())


def test_cached_keys_work_during_an_outage(issuer: Issuer) -> None:
    """A token of a cached key is accepted while the issuer is down."""
    read(issuer.token())
    issuer.status = 500

    assert isinstance(read(issuer.token()), Session)


def test_the_name_of_an_organization_becomes_a_uuid(issuer: Issuer) -> None:
    """The organization id is the UUIDv5 of the name."""
    session = read(issuer.token(org_id="org_2abc"))

    assert isinstance(session, Session)
    assert organization_uuid("org_2abc") == session.organization_id


@pytest.mark.parametrize("victim", ["org_2abc", ORGANIZATION_ID])
def test_a_chosen_name_claims_no_other_organization(issuer: Issuer, victim: str) -> None:
    """GIVEN a tenant who chooses the victim's id, or its UUID in upper case THEN it is another organization."""
    for chosen in {str(organization_uuid(victim)), victim.upper()} - {victim}:
        session = read(issuer.token(org_id=chosen))

        assert isinstance(session, Session)
        assert organization_uuid(victim) != session.organization_id


@pytest.mark.parametrize("organization", [None, "", 7, ["x"], {"id": "x"}, "x" * 256])
def test_an_unusable_organization_is_none(issuer: Issuer, organization: object) -> None:
    """A session without a usable organization has only a user."""
    session = read(issuer.token(org_id=organization))

    assert isinstance(session, Session)
    assert session.organization_id is None


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        ("o.id", {"o": {"id": ORGANIZATION_ID}}),
        ("https://example.com/org", {"https://example.com/org": ORGANIZATION_ID}),
        ("custom:organization", {"custom:organization": ORGANIZATION_ID}),
    ],
)
def test_the_organization_claim_can_be_nested_or_namespaced(
    issuer: Issuer, setting: Callable[[str, str], None], claim: str, claims: dict[str, Any]
) -> None:
    """The setting is a name first, and a path of names second."""
    setting("ORGANIZATION_CLAIM", claim)

    session = read(issuer.token(org_id=None, **claims))

    assert isinstance(session, Session)
    assert UUID(ORGANIZATION_ID) == session.organization_id


def test_a_broken_provider_is_no_refusal(issuer: Issuer) -> None:
    """Invalid documents are an outage, no refusal, and are fetched once."""
    issuer.documents["/.well-known/openid-configuration"]["jwks_uri"] = "https://["

    for _ in range(3):
        with pytest.raises(IdentityProviderUnavailable):
            read(issuer.token())
    assert 1 == len(issuer.requests)
