"""Run every function in a container of SAM CLI; `make sam-local-test` runs this where Docker is.

It starts a local service that containers can reach, sends three requests to `sam local start-api`, and replays the
first success of each function with `sam local invoke`, after `make build-local`.

Environment variables:
  BIND            address of this machine on Docker's bridge (default 172.17.0.1; 127.0.0.1 for Docker Desktop)
  PYTHON_VERSION  version of the runtime (default 3.13)
  SAM_ARGS        more arguments for `sam local`, such as --skip-pull-image
  CASES           functions to invoke, by their folders' names (default all)
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from local import backend
from local.changes import UNTOUCHED, written
from local.server import port_of, reserve
from tests.support.cases import SUCCESSES, event_for, first_of_each_function
from tests.support.environment import CHEAP_ARGON2, ROOT
from tests.support.figures import record
from tests.support.matchers import differences
from tests.support.replay import in_envelope, items, put_items
from tests.support.world import Context, Table, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cases import Case

SAM = ROOT / ".venv-sam" / "bin" / "sam"
TEMPLATE = ".aws-sam/local/template.yaml"
START_SECONDS = 60
INVOKE_SECONDS = 300


def chosen() -> list[Case]:
    """Return the first success of each function that needs no other settings than those of the service."""
    functions = os.environ.get("CASES", "").split()
    # There is no S3 beside the containers, so no archive.
    possible = (case for case in SUCCESSES if case.function != "archive_records")
    cases = first_of_each_function(case for case in possible if not case.seed.get("environment"))
    return [case for case in cases if not functions or case.function in functions]


@contextmanager
def service(directory: Path, address: str) -> Iterator[dict[str, Any]]:
    """Run a service that listens on an address; yield its stack file's content."""
    stack_file = directory / "stack.json"
    options = {"PORT": "0", "BIND": address, "STACK_FILE": str(stack_file), "PARAMETERS": json.dumps(CHEAP_ARGON2)}
    environment = {**os.environ, **options}
    process = subprocess.Popen([sys.executable, "-m", "local"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not stack_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the service does not start; is {address} Docker's bridge? Set BIND.")
            time.sleep(0.1)
        yield json.loads(stack_file.read_text())
    finally:
        process.terminate()
        process.wait()


def sam_local(*arguments: str, variables: Path) -> list[str]:
    """Return a command of `sam local`."""
    extra = shlex.split(os.environ.get("SAM_ARGS", ""))
    return [str(SAM), "local", arguments[0], "-t", TEMPLATE, "--env-vars", str(variables), *arguments[1:], *extra]


def replay(case: Case, world: World, stack: dict[str, Any], variables: Path) -> list[str]:
    """Return the differences between the expected and the actual outcome of a case in a container."""
    for item in world.table.items():
        key = {name: {"S": item[name]} for name in ("pk", "sk")}
        world.table.client.delete_item(TableName=world.table.name, Key=key)
    put_items(case.seed, world)
    if "pepper" in case.seed:
        secret = json.loads(variables.read_text())["Parameters"]["PEPPER_SECRET_ID"]
        secrets = boto3.client("secretsmanager", endpoint_url=stack["aws_url"])
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(case.seed["pepper"]))
    before = items(world)
    event = variables.with_name("event.json")
    event.write_text(json.dumps(event_for(case, stack["issuer"])))
    logical_id = "".join(word.capitalize() for word in case.function.split("_"))
    finished = subprocess.run(  # noqa: S603 - our own command
        sam_local("invoke", logical_id, "-e", str(event), variables=variables),
        cwd=ROOT,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        timeout=INVOKE_SECONDS,
        check=False,
    )
    try:
        answer = json.loads(finished.stdout.strip().split("\n")[-1])  # a document has other line breaks
    except (IndexError, ValueError):
        return [finished.stdout + finished.stderr]
    if answer.get("body"):
        answer["body"] = in_envelope(answer["body"])
    expected = json.loads(json.dumps(case.expected).replace(Context().aws_request_id, "<any string>"))
    expected.pop("published", None)  # goes to the bus of the service
    nothing_aside: dict[str, Any] = {"put_aside": []}
    outcome = {"answer": answer, **written(before, items(world)), **nothing_aside}
    return differences({**UNTOUCHED, **nothing_aside, **without_addresses(expected)}, without_addresses(outcome))


def without_addresses(outcome: Any) -> Any:
    """Return an outcome without documents, which differ by the address of the API that they name."""
    answer = outcome.get("answer", {})
    return (
        outcome if not isinstance(answer.get("body"), str) else {**outcome, "answer": {**answer, "body": "a document"}}
    )


def requests(stack: dict[str, Any], variables: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, expected and actual status of requests to `sam local start-api`."""
    with reserve(0) as listener:
        port = port_of(listener)
    process = subprocess.Popen(  # noqa: S603 - our own command
        sam_local("start-api", "--port", str(port), variables=variables),
        cwd=ROOT,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}/auth/api-keys"
        token = {"authorization": f"Bearer {stack['tokens']['admin']}"}
        body = json.dumps({"name": "CI", "permissions": ["sessions:read"]}).encode()
        created = {**token, "content-type": "application/json"}
        yield "create a key with a session token", 200, status(url, created, body)
        yield "create a key without one", 401, status(url, {"content-type": "application/json"}, body)
        yield "show a key to its holder", 200, status(f"{url}/current", {"x-api-key": stack["keys"]["active"]})
    finally:
        process.terminate()
        process.wait()


def status(url: str, headers: dict[str, str], body: bytes | None = None) -> int:
    """Return the status of a request, which waits until the server is up."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            request = urllib.request.Request(url, body, headers)  # noqa: S310 - this machine
            with opener.open(request, timeout=INVOKE_SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def main() -> int:
    """Replay and send; return 0 if everything is as expected."""
    failed = functions = sent = 0
    with tempfile.TemporaryDirectory() as name, service(Path(name), os.environ.get("BIND") or "172.17.0.1") as stack:
        backend.isolate(os.environ)
        variables = Path(name) / "sam-local.json"
        for title, expected, actual in requests(stack, variables):  # before the replays empty the table
            failed += expected != actual
            sent += 1
            print(f"start-api: {title}: {actual}{'' if expected == actual else f', expected {expected}'}", flush=True)
        client = boto3.client("dynamodb", endpoint_url=stack["aws_endpoint_url"])
        world = World(Table(client, stack["table_name"]), Context())
        for case in chosen():
            functions += 1
            found = replay(case, world, stack, variables)
            failed += bool(found)
            print(f"{case}: {'as expected' if not found else 'differs'}", *found, sep="\n  ", flush=True)
    record("containers", functions=functions, requests=sent)
    print(f"{failed} failed" if failed else "all as expected")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
