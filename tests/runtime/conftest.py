"""Functions under Lambda's own runtime client; `make test-runtime` runs these tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local import backend
from local.cases import Case
from local.identity_provider import IdentityProvider
from local.server import HOST, Server, port_of, reserve
from local.sign_in.requests import Client
from local.sign_in.server import AuthorizationServer
from tests.runtime.deployments import Deployments
from tests.support.environment import LOOPBACK
from tests.support.identity_provider import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.iam import Iam
    from local.template import Stack

HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Skip these tests without `--runtime`."""
    return None if config.getoption("--runtime") else True


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow sockets to this machine, and run all events of a function in one worker, so that few containers start."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
            case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
            if isinstance(case, Case):
                item.add_marker(pytest.mark.xdist_group(case.function))


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[str]:
    """The address of a development identity provider on a free port."""
    listener = reserve(0)
    issuer = f"http://{HOST}:{port_of(listener)}"
    provider = IdentityProvider(issuer, AUDIENCE, "org_id")
    console = Client(f"{issuer}/console")  # no browser comes
    server = Server(AuthorizationServer(provider, console), listener, threads=2)
    yield issuer
    server.stop()


@pytest.fixture(scope="session")
def _containers(
    request: pytest.FixtureRequest,
    stack: Stack,
    iam: Iam,
    identity_provider: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployments]:
    python = request.config.getoption("--runtime").absolute()
    aws = request.getfixturevalue("moto_url")
    deployments = Deployments(python, stack, iam, aws, identity_provider, tmp_path_factory.mktemp("runtime"))
    deployments.dynamodb = request.getfixturevalue("dynamodb_url")
    yield deployments
    deployments.stop()


@pytest.fixture
def deployments(_containers: Deployments, environment: pytest.MonkeyPatch) -> Deployments:
    """The starter of containers; this process is set up to read their tables."""
    environment.setenv("AWS_ENDPOINT_URL", _containers.aws)
    if _containers.dynamodb is not None:
        environment.setenv(backend.DYNAMODB_ENDPOINT, _containers.dynamodb)
    return _containers
