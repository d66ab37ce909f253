"""Clients: what they add to a signed request, with the same HTTP library, to a server on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, cast

from benchmarks import environments
from benchmarks.budgets import Budget, Limit
from benchmarks.measuring import in_turns
from benchmarks.report import Section, Table, percentile_table
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from benchmarks.measuring import Effort, Sample

_BARE = "httpx and botocore alone, answer parsed as JSON"
_VERIFY = "Keywright.verify"
_REUSED = "Keywright.verify, answer reused"
_SOURCES = str(ROOT / "clients" / "python" / "src")
_HOST = "127.0.0.1"
_REGION = "eu-west-1"
_KEY = "kk_" + "A" * 92
_MICROSECONDS = 1e6
_TYPESCRIPT_SECONDS = 600
_ANSWER: dict[str, object] = {
    "data": {
        "valid": True,
        "code": "VALID",
        "id": "019b7e3c-9585-719d-81cb-3b8af1c594c2",
        "organizationId": "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01",
        "name": "CI",
        "permissions": ["sessions:read"],
        "missingPermissions": [],
        "metadata": {"plan": "pro"},
        "expiresAt": "2099-12-31T23:59:59.000Z",
        "allowedIps": None,
        "rateLimit": None,
        "quota": None,
        "retryAfterSeconds": None,
        "leak": None,
    },
    "error": None,
}


def run(effort: Effort) -> Section:
    """Measure both clients. The one for TypeScript is left out without Node.js."""
    section = Section("clients", "Clients: one verification, answered by a constant server on this machine")
    _python(section, effort)
    _typescript(section, effort)
    return section


def _python(section: Section, effort: Effort) -> None:
    if _SOURCES not in sys.path:
        sys.path.insert(0, _SOURCES)
    import httpx  # noqa: PLC0415 - only this part has it
    from botocore.credentials import Credentials  # noqa: PLC0415 - the same

    from keywright_client import Keywright  # noqa: PLC0415 - the same

    credentials = Credentials("AKIDEXAMPLE", "secret", "token")
    with _serving() as url, httpx.Client(trust_env=False) as http, httpx.Client(trust_env=False) as other:
        asking = Keywright(url, region=_REGION, credentials=credentials, http=http)
        reusing = Keywright(url, region=_REGION, credentials=credentials, http=http, reuse_seconds=3600)
        samples = in_turns(
            {
                _BARE: _bare(f"{url}/auth/api-keys/verify", other, credentials),
                _VERIFY: lambda: asking.verify(_KEY, permissions=("sessions:read",)),
                _REUSED: lambda: reusing.verify(_KEY, permissions=("sessions:read",)),
            },
            effort,
        )
    section.tables.append(_table(samples))
    calls = {name: sample.calls for name, sample in samples.items()}
    section.tables.append(percentile_table("Single calls", calls, "us", _MICROSECONDS))
    section.samples = {name: sample.rounds for name, sample in samples.items()}
    section.budgets += [
        Budget(Limit.PYTHON_CLIENT, samples[_VERIFY].ratio(samples[_BARE])),
        Budget(Limit.PYTHON_REUSE, samples[_REUSED].ratio(samples[_BARE])),
    ]


def _bare(url: str, http: httpx.Client, credentials: Any) -> Callable[[], object]:
    """Return a function that does what a verification cannot do without: sign, send, parse JSON."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - only this part has it
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - the same

    def request() -> object:
        body = json.dumps({"key": _KEY, "permissions": ["sessions:read"]}).encode()
        signed = AWSRequest("POST", url, {"content-type": "application/json"}, body)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", _REGION).add_auth(signed)
        response = http.post(url, content=body, headers=dict(signed.headers.items()))
        return response.raise_for_status().json()["data"]["valid"]

    return request


def _typescript(section: Section, effort: Effort) -> None:
    """Measure the client for TypeScript with its own benchmark, which prints `{"ratio": ..., "reuse_ratio": ...}`."""
    try:
        client = environments.typescript_client()
    except environments.NotInstalledError as error:
        section.failures.append(f"the TypeScript client: {error}")
        return
    command = [str(shutil.which("node")), "bench/overhead.mjs", *(["--quick"] if effort.is_quick else [])]
    done = subprocess.run(  # noqa: S603 - our own benchmark
        command, cwd=client, capture_output=True, text=True, timeout=_TYPESCRIPT_SECONDS, check=False
    )
    if done.returncode:
        section.failures.append(f"the TypeScript client: {done.stderr.strip()[-300:]}")
        return
    figures = json.loads(done.stdout)
    section.budgets += [
        Budget(Limit.TYPESCRIPT_CLIENT, figures["ratio"]),
        Budget(Limit.TYPESCRIPT_REUSE, figures["reuse_ratio"]),
    ]


def _table(samples: dict[str, Sample]) -> Table:
    rows: list[tuple[Any, ...]] = []
    for name, sample in samples.items():
        low, high = (value * _MICROSECONDS for value in sample.spread)
        rows.append((name, sample.median * _MICROSECONDS, f"{low:,.0f} .. {high:,.0f}", sample.ratio(samples[_BARE])))
    return Table("Medians of rounds in turns", ("what", "median us", "quartiles", "x bare request"), rows)


@contextmanager
def _serving() -> Iterator[str]:
    """Run the server in another process, whose work is not the client's; yield the address."""
    command = [sys.executable, "-m", "benchmarks.clients"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        try:
            yield f"http://{_HOST}:{int(cast('IO[str]', process.stdout).readline())}/v1"
        finally:
            cast("IO[str]", process.stdin).close()


def _serve() -> None:
    """Serve one answer to every request, print the port, and end when standard input closes."""
    body = json.dumps(_ANSWER).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((_HOST, 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    _serve()
