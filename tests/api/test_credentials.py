"""Session tokens: valid and invalid Authorization headers."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.api.deployment import CREATE, TIMEOUT_SECONDS, VALID_BODY, Deployment, data, values

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_200_the_scheme_in_any_case(deployment: Deployment, scheme: str) -> None:
    """The name of the scheme is not case-sensitive (RFC 9110, section 11.1)."""
    headers = {"authorization": f"{scheme} {deployment.tokens['admin']}"}

    assert {"id", "key"} == data(deployment.create(headers=headers)).keys()


def test_200_white_space_around_the_value(deployment: Deployment) -> None:
    """White space around a header's value is ignored (RFC 9110, section 5.5)."""
    status = post_raw(deployment, f"  Bearer {deployment.tokens['admin']} \t")

    assert 200 == status


def post_raw(deployment: Deployment, authorization: str) -> int:
    """Create a key with http.client, which sends any header; return the status."""
    url = httpx.URL(deployment.base_url + CREATE)
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(url.host, url.port, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"authorization": authorization, "content-type": "application/json"}
        connection.request("POST", url.path, json.dumps(VALID_BODY), headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x7f", "\x80"])
def test_4xx_control_characters(deployment: Deployment, character: str) -> None:
    """Control characters in the header are refused by the gateway or by the authorizer."""
    status = post_raw(deployment, f"Bearer {deployment.tokens['admin']}{character}")

    assert status in {400, 401}


def tampered(token: str) -> str:
    """Return a token with one changed character in its signature."""
    position = len(token) - 40
    return token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]


def unsigned(token: str) -> str:
    """Return a token without its signature."""
    return token.rsplit(".", 1)[0] + "."


REFUSED: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "the scheme alone": lambda _: "Bearer",
    "no scheme": lambda token: token,
    "Basic": lambda token: f"Basic {token}",
    "another scheme that ends so": lambda token: f"XBearer {token}",
    "two spaces": lambda token: f"Bearer  {token}",
    "a tab": lambda token: f"Bearer\t{token}",
    "a colon": lambda token: f"Bearer: {token}",
    "two tokens": lambda token: f"Bearer {token} {token}",
    "two credentials": lambda token: f"Bearer {token}, Bearer {token}",
    "quotes": lambda token: f'Bearer "{token}"',
    "a parameter": lambda token: f"Bearer {token};x=y",
    "two parts": lambda token: f"Bearer {token.rsplit('.', 1)[0]}",
    "four parts": lambda token: f"Bearer {token}.AAAA",
    "an encrypted token's five parts": lambda token: f"Bearer {token}.AAAA.AAAA",
    "8 KiB": lambda token: f"Bearer {token.split('.')[0]}.{'A' * 8192}.{token.split('.')[2]}",
    "no signature": lambda token: f"Bearer {unsigned(token)}",
    "a changed signature": lambda token: f"Bearer {tampered(token)}",
    "no token at all": lambda _: "Bearer eyJhbGciOiJub25lIn0.e30.AAAA",
    "not ASCII": lambda token: f"Bearer {token}\N{LATIN SMALL LETTER E WITH ACUTE}",
    "an API key": lambda _: "Bearer kk_" + "0" * 92,
}


@pytest.mark.parametrize("authorization", REFUSED.values(), ids=REFUSED.keys())
def test_401_malformed_credentials(deployment: Deployment, authorization: Callable[[str], str]) -> None:
    """All but `Bearer`, one space and one valid token is refused with a challenge (RFC 6750, section 3)."""
    value = authorization(deployment.tokens["admin"]).encode("latin-1")
    response = deployment.client.post(deployment.base_url + CREATE, json=VALID_BODY, headers={b"authorization": value})

    assert (401, "UNAUTHORIZED") == deployment.refusal(response)
    assert ["Bearer"] == values(response, "www-authenticate")


def test_401_two_headers_without_a_valid_one(deployment: Deployment) -> None:
    """Two invalid Authorization headers are refused, regardless of which of them a gateway reads."""
    refused = [f"Bearer {deployment.tokens[persona]}" for persona in ("expired", "wrong_audience")]
    response = deployment.client.post(
        deployment.base_url + CREATE, json=VALID_BODY, headers=[("authorization", value) for value in refused]
    )

    assert (401, "UNAUTHORIZED") == deployment.refusal(response)


def test_401_comes_before_400(deployment: Deployment) -> None:
    """The session is checked before the body."""
    assert (401, "UNAUTHORIZED") == deployment.refusal(deployment.create(b"{", persona=None))


@pytest.mark.parametrize("name", ["x-api-key", "x-amz-security-token", "cookie", "proxy-authorization"])
def test_401_a_token_elsewhere(deployment: Deployment, name: str) -> None:
    """A token in any header but Authorization is ignored."""
    response = deployment.create(persona=None, headers={name: f"Bearer {deployment.tokens['admin']}"})

    assert (401, "UNAUTHORIZED") == deployment.refusal(response)


def test_401_a_token_in_the_query(deployment: Deployment) -> None:
    """The parameter access_token of RFC 6750 is not supported, since queries are logged."""
    path = f"{CREATE}?access_token={deployment.tokens['admin']}"

    assert (401, "UNAUTHORIZED") == deployment.refusal(deployment.request("POST", path, json=VALID_BODY, persona=None))
