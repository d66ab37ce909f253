"""The signed requests of the guides work with the credentials of any profile, in any shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.aws_profile import with_a_profile
from tests.support.environment import LOOPBACK, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from botocore.compat import HTTPHeaders

KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "a+secret/for-tests", "IQoJb3JpZ2luX2VjE/a+session=="
GUIDES = ("docs/deploy.md", "docs/runbooks/leaked-key.md")
SHELLS = [shell for shell in ("sh", "bash", "zsh") if shutil.which(shell)]

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

_SIGNED = re.compile(r"^( *)\(\n(?:(?!\n *\)\n).)*--aws-sigv4.*?^\1\)$", re.DOTALL | re.MULTILINE)


class _Server(HTTPServer):
    """A server that records its requests."""

    received: list[tuple[str, dict[str, str], bytes]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    """A server in place of API Gateway."""
    listening = _Server(("127.0.0.1", 0), _Handler)
    listening.received = []
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield listening
    listening.shutdown()
    thread.join()
    listening.server_close()


def signed_command(guide: str) -> str:
    """Return the only command of a guide that signs a request."""
    (match,) = _SIGNED.finditer((ROOT / guide).read_text(encoding="utf-8"))
    return textwrap.dedent(match[0])


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("token", ["", TOKEN], ids=["user keys", "session token"])
@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.deep
def test_a_request_is_signed_with_the_profile(
    guide: str, token: str, shell: str, server: _Server, tmp_path: Path
) -> None:
    """GIVEN no keys in the environment WHEN the command runs THEN the profile's keys sign the request."""
    with_a_profile(tmp_path / "aws", KEY_ID, SECRET, token)

    subprocess.run(  # noqa: S603 - a command of this repository
        [shell, "-c", f'set -eu\n{signed_command(guide)}\ntest -z "${{AWS_ACCESS_KEY_ID:-}}"'],
        env={
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "API_URL": f"http://127.0.0.1:{server.server_port}/v1",
            "AWS_REGION": "eu-central-1",
            "KEY": "kk_0",
        },
        check=True,
    )

    ((path, headers, body),) = server.received
    assert (token or None) == headers.get("x-amz-security-token")
    assert signature(path, headers, body) == headers["authorization"].rpartition("Signature=")[2]


class _Signer(SigV4Auth):
    """A signer of the headers that the client signed; botocore would choose its own."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def signature(path: str, headers: dict[str, str], body: bytes) -> str:
    """Return the signature that AWS expects."""
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest("POST", f"http://{headers['host']}{path}", data=body)
    for name in names:
        request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    signer = _Signer(Credentials(KEY_ID, SECRET), "execute-api", "eu-central-1")
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))
