"""The tokens of the development identity provider: codes, refresh tokens, revocation, CORS."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from local import demo
from local.sign_in.grants import challenge_of
from tests.local.signing_in import CODE, CONSOLE, ISSUER, ORIGIN, RENEWAL, Console


@pytest.fixture
def console() -> Console:
    """Return a console before the first sign-in."""
    return Console()


def claims(token: str, audience: str, console: Console) -> dict[str, Any]:
    """Verify a token with the published keys; return its claims."""
    keys = jwt.PyJWKSet.from_dict(console.http.get("/jwks.json").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    decoded: dict[str, Any] = jwt.decode(token, key, algorithms=["EdDSA"], issuer=ISSUER, audience=audience)
    return decoded


def error(response: Any, status: int = 400) -> str:
    """Return the error code of a refused request, and check its form."""
    assert status == response.status_code
    assert "application/json" == response.headers["content-type"]
    return str(response.json()["error"])


class TestTokens:
    """Tokens for a code."""

    def test_access_token(self, console: Console) -> None:
        """The access token is a session token of the user for the API."""
        verified = claims(console.tokens("admin")["access_token"], "keywright", console)

        assert "demo-admin" == verified["sub"]
        assert demo.ACTIVE_ORGANIZATION_ID == verified["org_id"]
        assert 600 == verified["exp"] - verified["iat"]

    def test_id_token(self, console: Console) -> None:
        """The ID token is for the client, and has the nonce and a name."""
        verified = claims(console.tokens("frozen_admin")["id_token"], "keywright-console", console)

        assert "demo-frozen-admin" == verified["sub"]
        assert "Frozen admin" == verified["name"]
        assert "a-nonce" == verified["nonce"]

    def test_answer(self, console: Console) -> None:
        """The answer says how long the access token works, and for which scopes."""
        tokens = console.tokens()

        assert 600 == tokens["expires_in"]
        assert "Bearer" == tokens["token_type"]
        assert "openid offline_access" == tokens["scope"]

    def test_refresh_token_needs_its_scope(self, console: Console) -> None:
        """Without offline_access there is no refresh token."""
        assert "refresh_token" not in console.tokens(scope="openid")

    def test_expired_persona(self, console: Console) -> None:
        """The persona "expired" gets an expired access token, and a valid ID token."""
        tokens = console.tokens("expired")

        with pytest.raises(jwt.ExpiredSignatureError):
            claims(tokens["access_token"], "keywright", console)
        assert claims(tokens["id_token"], "keywright-console", console)
        assert 0 == tokens["expires_in"]

    def test_wrong_audience_persona(self, console: Console) -> None:
        """The persona "wrong_audience" gets an access token for another service."""
        assert claims(console.tokens("wrong_audience")["access_token"], "https://another-service.example", console)


class TestCodes:
    """Codes that do not work."""

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"code": None}, "invalid_request"),
            ({"code": "unknown"}, "invalid_grant"),
            ({"redirect_uri": None}, "invalid_request"),
            ({"redirect_uri": f"{CONSOLE}/"}, "invalid_grant"),
            ({"code_verifier": None}, "invalid_request"),
            ({"code_verifier": "another-verifier-of-at-least-43-characters-0123"}, "invalid_grant"),
            ({"code_verifier": "short"}, "invalid_grant"),
            ({"grant_type": None}, "invalid_request"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
        ],
    )
    def test_refused(self, console: Console, changes: dict[str, str | None], expected: str) -> None:
        """A code is bound to its redirect URI and verifier."""
        assert expected == error(console.ask({**CODE, "code": console.code()}, **changes))

    @pytest.mark.parametrize("changes", [{"client_id": "another"}, {"client_secret": "a-secret"}])
    def test_other_clients(self, console: Console, changes: dict[str, str | None]) -> None:
        """Another client, or one that has a secret, is refused."""
        assert "invalid_client" == error(console.ask({**CODE, "code": console.code()}, **changes), 401)

    def test_no_client(self, console: Console) -> None:
        """A request that names no client is refused."""
        assert "invalid_request" == error(console.ask({**CODE, "code": console.code()}, client_id=None))

    def test_basic_authentication(self, console: Console) -> None:
        """A client that authenticates is refused: this one is public."""
        response = console.http.post("/token", data={**CODE, "code": console.code()}, auth=("keywright-console", "x"))

        assert "invalid_client" == error(response, 401)

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
    def test_other_bodies(self, console: Console, kind: str) -> None:
        """A body that is not sent as a form is refused."""
        body = urlencode({**CODE, "code": console.code()})

        assert "invalid_request" == error(console.http.post("/token", content=body, headers={"content-type": kind}))

    def test_short_verifier(self, console: Console) -> None:
        """A verifier of less than 43 characters is refused, though it matches (RFC 7636, section 4.1)."""
        code = console.code(code_challenge=challenge_of("short"))

        assert "invalid_grant" == error(console.ask(CODE, code=code, code_verifier="short"))

    def test_repeated_parameter(self, console: Console) -> None:
        """A parameter that is there twice is refused."""
        data = {**CODE, "code": [console.code(), "another"]}

        assert "invalid_request" == error(console.http.post("/token", data=data))

    def test_single_use(self, console: Console) -> None:
        """A code works once."""
        code = console.code()
        console.ask(CODE, code=code)

        assert "invalid_grant" == error(console.ask(CODE, code=code))

    def test_failed_use(self, console: Console) -> None:
        """An attempt with a wrong verifier uses the code up."""
        code = console.code()
        console.ask(CODE, code=code, code_verifier="another-verifier-of-at-least-43-characters-0123")

        assert "invalid_grant" == error(console.ask(CODE, code=code))

    def test_reuse_revokes(self, console: Console) -> None:
        """GIVEN tokens of a code WHEN the code is used again THEN the refresh token is revoked."""
        code = console.code()
        tokens = console.ask(CODE, code=code).json()
        console.ask(CODE, code=code)

        assert "invalid_grant" == error(console.renew(tokens["refresh_token"]))

    def test_last_second(self, console: Console) -> None:
        """A code works for a minute."""
        code = console.code()
        console.now = 59.9

        assert 200 == console.ask(CODE, code=code).status_code

    def test_expired(self, console: Console) -> None:
        """A code does not work after a minute."""
        code = console.code()
        console.now = 60.0

        assert "invalid_grant" == error(console.ask(CODE, code=code))


class TestRenewal:
    """Refresh tokens."""

    def test_rotation(self, console: Console) -> None:
        """A refresh token is replaced by another with each use, which works too."""
        first = console.tokens()["refresh_token"]
        second = console.renew(first).json()["refresh_token"]
        third = console.renew(second).json()["refresh_token"]

        assert 3 == len({first, second, third})

    def test_renewed_tokens(self, console: Console) -> None:
        """Renewed tokens are of the same user; the ID token has no nonce."""
        renewed = console.renew(console.tokens("member")["refresh_token"]).json()

        assert "demo-member" == claims(renewed["access_token"], "keywright", console)["sub"]
        assert "nonce" not in claims(renewed["id_token"], "keywright-console", console)

    def test_reuse(self, console: Console) -> None:
        """A refresh token works once."""
        first = console.tokens()["refresh_token"]
        console.renew(first)

        assert "invalid_grant" == error(console.renew(first))

    def test_reuse_revokes_its_family(self, console: Console) -> None:
        """WHEN a refresh token is used again THEN its successors are revoked."""
        first = console.tokens()["refresh_token"]
        second = console.renew(first).json()["refresh_token"]
        console.renew(first)

        assert "invalid_grant" == error(console.renew(second))

    def test_reuse_leaves_others(self, console: Console) -> None:
        """WHEN a refresh token is used again THEN those of another sign-in still work."""
        first, other = console.tokens()["refresh_token"], console.tokens()["refresh_token"]
        console.renew(first)
        console.renew(first)

        assert 200 == console.renew(other).status_code

    @pytest.mark.parametrize(
        ("changes", "status", "expected"),
        [
            ({"refresh_token": "unknown"}, 400, "invalid_grant"),
            ({"refresh_token": None}, 400, "invalid_request"),
            ({"client_id": "another"}, 401, "invalid_client"),
        ],
    )
    def test_refused(self, console: Console, changes: dict[str, str | None], status: int, expected: str) -> None:
        """A refresh token is bound to the client."""
        form = {**RENEWAL, "refresh_token": console.tokens()["refresh_token"]}

        assert expected == error(console.ask(form, **changes), status)


class TestRevocation:
    """The revocation endpoint."""

    def revoke(self, console: Console, **form: str) -> Any:
        """Send a revocation."""
        return console.http.post("/revoke", data={"client_id": "keywright-console", **form})

    def test_refresh_token(self, console: Console) -> None:
        """A revoked refresh token does not work."""
        token = console.tokens()["refresh_token"]

        assert 200 == self.revoke(console, token=token, token_type_hint="refresh_token").status_code
        assert "invalid_grant" == error(console.renew(token))

    def test_predecessor(self, console: Console) -> None:
        """WHEN a refresh token that was replaced is revoked THEN its successor does not work."""
        first = console.tokens()["refresh_token"]
        second = console.renew(first).json()["refresh_token"]
        self.revoke(console, token=first)

        assert "invalid_grant" == error(console.renew(second))

    def test_unknown_token(self, console: Console) -> None:
        """An unknown token is answered as one that was revoked (RFC 7009, section 2.2)."""
        assert 200 == self.revoke(console, token="unknown").status_code

    def test_access_token(self, console: Console) -> None:
        """An access token cannot be revoked, and the answer says so."""
        token = console.tokens()["access_token"]

        assert "unsupported_token_type" == error(self.revoke(console, token=token))

    def test_no_token(self, console: Console) -> None:
        """A revocation without a token is refused."""
        assert "invalid_request" == error(self.revoke(console))

    def test_other_client(self, console: Console) -> None:
        """Another client cannot revoke."""
        token = console.tokens()["refresh_token"]

        assert "invalid_client" == error(self.revoke(console, token=token, client_id="another"), 401)
        assert 200 == console.renew(token).status_code

    def test_get(self, console: Console) -> None:
        """A token is never in an address: only POST is allowed."""
        assert 405 == console.http.get("/revoke", params={"token": "x"}).status_code


class TestCrossOrigin:
    """Which pages can read the answers."""

    @pytest.mark.parametrize("path", ["/token", "/revoke"])
    @pytest.mark.parametrize("method", ["POST", "OPTIONS"])
    def test_console(self, console: Console, path: str, method: str) -> None:
        """The console can read answers, refusals and preflights of both endpoints."""
        response = console.http.request(method, path, headers={"origin": ORIGIN})

        assert ORIGIN == response.headers["access-control-allow-origin"]
        assert "origin" == response.headers["vary"]

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8787", f"{ORIGIN}0"])
    def test_others(self, console: Console, origin: str) -> None:
        """No other page can read them."""
        response = console.http.post("/token", data=CODE, headers={"origin": origin})

        assert "access-control-allow-origin" not in response.headers

    def test_preflight(self, console: Console) -> None:
        """A preflight allows POST, and no header and no cookie."""
        response = console.http.options("/token", headers={"origin": ORIGIN, "access-control-request-method": "POST"})

        assert 204 == response.status_code
        assert "POST" == response.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in response.headers

    def test_answers_are_not_cached(self, console: Console) -> None:
        """Tokens are not cached (RFC 6749, section 5.1)."""
        assert "no-store" == console.ask(CODE, code=console.code()).headers["cache-control"]
