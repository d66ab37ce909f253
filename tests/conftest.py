"""Fixtures shared by all tests: the environment of a function, its table and secret, an identity provider."""

from __future__ import annotations

import copy
import functools
import gc
import importlib.util
import json
import os
import sys
import uuid
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import boto3
import botocore.session
import hypothesis
import pytest
import pytest_socket

from keywright import cache, clock, domain
from keywright.authorizers import discovery, github, published_keys
from keywright.aws import retries
from keywright.keys import verification
from keywright.log import logger
from keywright.store import pepper
from local import backend, credentials
from local import github as local_github
from local.iam import AccessKey, Decision, Iam
from local.identity_provider import IdentityProvider
from local.object_store import ObjectStore
from local.template import Resource, read_stack
from tests.support import depth, identity_provider, moto_memory, published_events
from tests.support.cases import DEVELOPMENT_GITHUB, DEVELOPMENT_ISSUER
from tests.support.client import Call, CreateApiKey
from tests.support.environment import CHEAP_ARGON2, LOOPBACK, ROOT, isolate, new_container
from tests.support.event_bus import EventBus
from tests.support.local_service import connected, local_service
from tests.support.replay import Replay
from tests.support.world import ANSWER_SECONDS, Context, Table, World

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from local.template import Stack
    from tests.api.deployment import Deployment

# No deadline for examples: a busy machine is not a defect.
hypothesis.settings.register_profile("keywright", deadline=None, max_examples=depth.size("EXAMPLES", 20, full=100))
hypothesis.settings.load_profile("keywright")

DYNAMODB_URL = os.environ.get(backend.DYNAMODB_ENDPOINT)
"""Address of DynamoDB if it is not moto; set by `make test-dynamodb`. Functions reach it through `dynamodb_url`."""
DYNAMODB_THREADS = 64
_REMEMBERED_DECISIONS = 10_000
_OBJECTS_BETWEEN_COLLECTIONS = 100_000

_KEPT_WHEN_A_SETTING_CHANGES = (
    retries.dynamodb,
    retries.secrets_manager,
    retries.queues,
    retries.event_buses,
    retries.archive_bucket,
    pepper.peppers,
    verification.matches,
    verification.records,
)
_FIXTURES_WITH_SOCKETS = {"world", "issuer", "moto_url"}


def pytest_collection_finish() -> None:
    """Leave what exists by now, hundreds of thousands of objects, out of garbage collections; make those rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 20)


class StandardOutput:
    """The current standard output, which pytest replaces from fixture to fixture."""

    def write(self, text: str) -> int:
        """Write to it."""
        return sys.stdout.write(text)

    def flush(self) -> None:
        """Flush it."""
        sys.stdout.flush()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out deep tests unless DEPTH=full; allow sockets to this machine for tests with a local server only."""
    if not depth.FULL:
        _select(config, items, lambda item: item.get_closest_marker("deep") is None)
    if config.getoption("--deeper"):
        _select(config, items, depth.goes_deeper)
    for item in items:
        if _FIXTURES_WITH_SOCKETS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Restore the true sockets for a test with a local server: the one before may have put blocked ones back late."""
    if item.get_closest_marker("allow_hosts"):
        pytest_socket.enable_socket()


def _select(config: pytest.Config, items: list[pytest.Item], is_selected: Callable[[pytest.Item], bool]) -> None:
    """Deselect all other tests: they are not reported as skipped."""
    others = [item for item in items if not is_selected(item)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if is_selected(item)]


@pytest.fixture(scope="session", autouse=True)
def _one_set_of_handlers() -> Iterator[None]:
    """Copy botocore's 200 handlers into each new session: to register them takes longer than a request."""
    handlers = botocore.session.Session().get_component("event_emitter")

    def get_session(env_vars: dict[str, Any] | None = None) -> botocore.session.Session:
        return botocore.session.Session(env_vars, event_hooks=copy.copy(handlers), include_builtin_handlers=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "get_session", get_session)
        yield


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The template, with parameters for tests."""
    parameters = {"OidcIssuer": "http://127.0.0.1:1", "OidcAudience": identity_provider.AUDIENCE, **CHEAP_ARGON2}
    parameters["AuditArchive"] = "on"
    return read_stack(ROOT / "template.yaml", parameters, {})


@pytest.fixture
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment that the template gives its functions, in a new container."""
    isolate(monkeypatch)
    for name, value in {**stack.environment(), "POWERTOOLS_METRICS_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    new_container()
    for handler in logger().handlers:  # created once in this process, with the standard output of that time
        cast("logging.StreamHandler[StandardOutput]", handler).setStream(StandardOutput())
    yield monkeypatch
    new_container()


@pytest.fixture
def setting(environment: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Change one setting of the running container, which keeps its clients, the pepper and verified keys."""

    def change(name: str, value: str) -> None:
        environment.setenv(name, value)
        cache.clear_all(keep=_KEPT_WHEN_A_SETTING_CHANGES)

    return change


@pytest.fixture(scope="session")
def all_decisions() -> deque[Decision]:
    """The latest authorization decisions about functions."""
    return deque(maxlen=_REMEMBERED_DECISIONS)


@pytest.fixture
def decisions(all_decisions: deque[Decision]) -> deque[Decision]:
    """The authorization decisions about functions during this test."""
    all_decisions.clear()
    return all_decisions


@pytest.fixture(scope="session")
def iam(all_decisions: deque[Decision]) -> Iam:
    """The roles of the functions, enforced in front of the emulated services."""
    return Iam(all_decisions.append)


@pytest.fixture(scope="session")
def access_keys(iam: Iam, stack: Stack) -> dict[str, AccessKey]:
    """The access key of each function, by its folder's name; the test's environment names its resources."""
    return {function.directory.name: iam.assume_role(function, os.environ) for function in stack.functions.values()}


@pytest.fixture(scope="session")
def all_buses(stack: Stack) -> EventBus:
    """EventBridge, with the buses of the template."""
    return EventBus(set(stack.buses))


@pytest.fixture
def event_bus(world: World, all_buses: EventBus) -> EventBus:
    """EventBridge, with the buses of the template, without events."""
    del world
    all_buses.reset()
    return all_buses


@pytest.fixture(scope="session")
def all_objects(stack: Stack) -> ObjectStore:
    """S3, with the bucket of the template."""
    (archive,) = [function for function in stack.functions.values() if function.directory.name == "archive_records"]
    return ObjectStore(archive.environment["AUDIT_ARCHIVE_BUCKET"])


@pytest.fixture
def object_store(world: World, all_objects: ObjectStore) -> ObjectStore:
    """S3, with the bucket of the template, without objects."""
    del world
    all_objects.reset()
    return all_objects


@pytest.fixture(scope="session")
def moto_url(iam: Iam, all_buses: EventBus, all_objects: ObjectStore) -> Iterator[str]:
    """The address of DynamoDB, Secrets Manager, SQS, EventBridge and S3, one server for all tests of a worker."""
    server = backend.start_moto(iam, lambda moto: all_objects.in_front_of(all_buses.in_front_of(moto)))
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def dynamodb_url(iam: Iam) -> Iterator[str | None]:
    """The address of DynamoDB if it is not moto, with roles enforced."""
    if DYNAMODB_URL is None:
        yield None
        return
    server = backend.start_guard(DYNAMODB_URL, iam, DYNAMODB_THREADS)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def reused_client() -> Iterator[Callable[[str], Any]]:
    """Return the client of an AWS service, shared by all tests: creating one takes as long as several requests.

    It is for the surroundings of functions, which create their own clients, as in a new container.
    """
    make = cast("Callable[[str], Any]", boto3.client)
    made: dict[tuple[str, ...], Any] = {}

    def client(service: str) -> Any:
        place = (service, os.environ["AWS_ENDPOINT_URL"], os.environ.get(backend.DYNAMODB_ENDPOINT, ""))
        if place not in made:
            made[place] = make(service)
        return made[place]

    yield client
    for one in made.values():
        one.close()


@pytest.fixture(scope="session")
def create_resources(stack: Stack, moto_url: str, reused_client: Callable[[str], Any]) -> Callable[[str], None]:
    """Create an empty table with the template's properties and a pepper, both with one name.

    In moto, the first ones are created through the API, and all others are copies of them. The table has no stream:
    tests of the stream turn it on.
    """
    properties = moto_memory.without_stream(stack.tables[0].properties)

    def create(name: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(boto3, "client", reused_client)
            backend.create_table(Resource(name, properties))
            backend.create_secret(Resource(name, stack.secrets[0].properties))

    if DYNAMODB_URL is not None:
        return create

    original = "original"
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch)
        patch.setenv("AWS_ENDPOINT_URL", moto_url)
        create(original)

    def copy(name: str) -> None:
        moto_memory.copy_table(original, name)
        moto_memory.copy_pepper(original, name)

    return copy


@pytest.fixture
def new_table(
    create_resources: Callable[[str], None], reused_client: Callable[[str], Any]
) -> Iterator[Callable[[], Table]]:
    """Create an empty table and a pepper for the functions, with the name of the table."""
    names: list[str] = []

    def create() -> Table:
        names.append(f"keywright-{uuid.uuid4()}")
        create_resources(names[-1])
        return Table(reused_client("dynamodb"), names[-1])

    yield create
    for name in names:
        if moto_memory.has_table(name):
            published_events.check(moto_memory.written_items(name))
        moto_memory.forget(name)


@pytest.fixture
def world(
    environment: pytest.MonkeyPatch,
    moto_url: str,
    dynamodb_url: str | None,
    new_table: Callable[[], Table],
) -> World:
    """An empty table with the template's properties, the pepper, and a context."""
    environment.setenv("AWS_ENDPOINT_URL", moto_url)
    if dynamodb_url is not None:
        environment.setenv(backend.DYNAMODB_ENDPOINT, dynamodb_url)
    table = new_table()
    environment.setenv("TABLE_NAME", table.name)
    environment.setenv("PEPPER_SECRET_ID", table.name)
    environment.setattr(retries, "READ_TIMEOUT_SECONDS", ANSWER_SECONDS)
    return World(table, Context())


@pytest.fixture
def another_table(new_table: Callable[[], Table], setting: Callable[[str, str], None]) -> Callable[[], Table]:
    """Replace the table by an empty one."""

    def create() -> Table:
        table = new_table()
        setting("TABLE_NAME", table.name)
        return table

    return create


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without waiting; tests/keywright/aws/test_retries.py cover the waits."""
    monkeypatch.setattr(retries, "BACKOFF_SECONDS", 0)


@pytest.fixture
def no_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that has not loaded Argon2, and cannot."""
    monkeypatch.delattr(domain, "argon2id", raising=False)
    monkeypatch.setitem(sys.modules, "keywright.domain.argon2id", None)


@pytest.fixture
def issuer() -> Iterator[identity_provider.Issuer]:
    """An identity provider on loopback."""
    yield from identity_provider.serve()


@pytest.fixture
def trusted_issuer(issuer: identity_provider.Issuer, setting: Callable[[str, str], None]) -> identity_provider.Issuer:
    """The identity provider, trusted by the function."""
    setting("OIDC_ISSUER", issuer.url)
    setting("OIDC_AUDIENCE", identity_provider.AUDIENCE)
    return issuer


@pytest.fixture
def development_issuer(monkeypatch: pytest.MonkeyPatch, setting: Callable[[str, str], None]) -> None:
    """Trust the development identity provider, and serve its documents without a port."""
    provider = IdentityProvider(DEVELOPMENT_ISSUER, identity_provider.AUDIENCE, "org_id")
    fetch_document = discovery.fetch_document

    def fetch(url: str) -> Mapping[str, object]:
        if not url.startswith(f"{DEVELOPMENT_ISSUER}/"):
            return fetch_document(url)
        document: dict[str, object] = json.loads(b"".join(provider({"PATH_INFO": urlsplit(url).path}, _ignore)))
        return {**identity_provider.sign_in_endpoints(DEVELOPMENT_ISSUER), **document}

    monkeypatch.setattr(discovery, "fetch_document", fetch)
    setting("OIDC_ISSUER", DEVELOPMENT_ISSUER)


@pytest.fixture
def development_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the keys of the development GitHub without a port."""
    fetch_document = published_keys.fetch_document

    def fetch(url: str) -> Mapping[str, object]:
        return local_github.published_keys() if url == DEVELOPMENT_GITHUB else fetch_document(url)

    monkeypatch.setattr(github, "fetch_document", fetch)


def _ignore(*_: object) -> Callable[[bytes], None]:
    """Ignore a WSGI application's status and headers."""
    return lambda _: None


@pytest.fixture
def load_handler(access_keys: Mapping[str, AccessKey]) -> Callable[[str], Callable[..., object]]:
    """Load a function's handler by its folder's name, from the file alone, as Lambda does; it runs with its role."""
    credentials.sign_as_the_running_function()

    def load(name: str) -> Callable[..., object]:
        path = ROOT / "functions" / name / "handler.py"
        spec = importlib.util.spec_from_file_location(f"functions_{name}", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        handler: Callable[..., object] = module.handler

        @functools.wraps(handler)
        def with_its_role(*arguments: object) -> object:
            with credentials.running_with(access_keys[name]):
                return handler(*arguments)

        return with_its_role

    return load


@pytest.fixture
def replay(  # noqa: PLR0913, PLR0917 - the surroundings of every function
    world: World,
    stack: Stack,
    access_keys: Mapping[str, AccessKey],
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., object]],
    development_github: None,
    event_bus: EventBus,
    object_store: ObjectStore,
) -> Replay:
    """Replay a case of events/; return one line for each difference from its expected outcome."""
    del development_github
    return Replay(world, stack, access_keys, setting, load_handler, event_bus, object_store)


@pytest.fixture
def create(world: World, load_handler: Callable[[str], Callable[..., object]]) -> CreateApiKey:
    """create_api_key, in an organization with one admin, user_1."""
    world.table.put_organization()
    world.table.put_member()
    return CreateApiKey(load_handler("create_api_key"), world)


@pytest.fixture
def functions(
    world: World, stack: Stack, load_handler: Callable[[str], Callable[..., object]]
) -> Callable[[str], Call]:
    """The functions with a route, by their folder's name, in an organization with one admin, user_1."""
    world.table.put_organization()
    world.table.put_member()
    routes = {
        stack.functions[route.function].directory.name: route for route in stack.api.routes if route.method != "OPTIONS"
    }
    return lambda name: Call(routes[name], load_handler(name), world)


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The stack file of a local service with its demo data, one for all tests of a worker."""
    with local_service(tmp_path_factory.mktemp("service")) as stack_file:
        yield stack_file


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """The deployment of `--stack`, or the local service of this worker."""
    stack_file: Path | None = request.config.getoption("--stack")
    yield from connected(stack_file or request.getfixturevalue("local_stack"))


@pytest.fixture
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], datetime]:
    """Stop the service's clock at an RFC 3339 time."""

    def stop(text: str) -> datetime:
        moment = clock.stored(text)
        monkeypatch.setattr(clock, "now", lambda: moment)
        return moment

    return stop


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options.

    `--deeper`: run only what goes deeper with DEPTH=full than without.

    `--stack PATH`: run the HTTP suite against that deployment instead of a local service.

    `--emulator`: the deployment is emulated, so differences from AWS are expected.

    `--runtime PYTHON`: run the functions under Lambda's runtime client, which that Python has.

    `--sam PYTHON`: translate templates with the SAM command line of that Python.

    `--installed PROGRAM`: use the operator's command line that was installed as this program.

    `--gitleaks PROGRAM`: scan for leaked keys with it.

    `--browser CHROMIUM`: test pages with it; `--pictures DIRECTORY` saves screenshots.
    """
    parser.addoption("--deeper", action="store_true", help="only tests that go deeper with DEPTH=full")
    parser.addoption("--stack", type=Path, help="the stack.json of a running deployment")
    parser.addoption("--emulator", action="store_true", help="the deployment of --stack is in ministack")
    parser.addoption("--runtime", type=Path, help="a Python that has awslambdaric, and nothing else of this project")
    parser.addoption("--sam", type=Path, help="a Python that has the SAM command line")
    parser.addoption("--installed", type=Path, help="an installed keywright-admin")
    parser.addoption("--gitleaks", type=Path, help="the gitleaks to scan for leaked keys with")
    parser.addoption("--browser", help="the Chromium to look at pages with")
    parser.addoption("--pictures", type=Path, help="a directory to keep screenshots in")
