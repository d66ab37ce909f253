"""The pepper's secret."""

from __future__ import annotations

import boto3
import pytest

from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.hashing import derive
from keywright.settings import ConfigurationError, settings
from keywright.store import aws, peppers
from keywright.store.peppers import read

PEPPER = "p" * 64


def test_every_version_is_read() -> None:
    """Versions are numbers, and `current` says which one new keys use."""
    keyring = read(f'{{"current": 2, "1": "{PEPPER}", "2": "{"q" * 64}"}}')

    assert 2 == keyring.current_version
    assert derive(b"q" * 64) == keyring.current
    assert derive(PEPPER.encode()).tag_key == keyring.tag_key(1)
    assert keyring.tag_key(3) is None


@pytest.mark.parametrize(
    "secret",
    [
        PEPPER,
        "[]",
        "{}",
        f'{{"1": "{PEPPER}"}}',
        f'{{"current": 2, "1": "{PEPPER}"}}',
        f'{{"current": "1", "1": "{PEPPER}"}}',
        f'{{"current": 1, "1": "{PEPPER}", "x": "{PEPPER}"}}',
        f'{{"current": 1, "01": "{PEPPER}"}}',
        f'{{"current": 0, "0": "{PEPPER}"}}',
        f'{{"current": 256, "256": "{PEPPER}"}}',
        f'{{"current": 1, "1": "{PEPPER[:31]}"}}',
        '{"current": 1, "1": 7}',
    ],
)
def test_a_wrong_secret_is_an_error_that_does_not_repeat_it(secret: str) -> None:
    """The operator learns what is wrong; the log never learns the pepper."""
    with pytest.raises(ConfigurationError) as caught:
        read(secret)

    assert PEPPER[:31] not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.usefixtures("world")
def test_the_templates_secret_is_fetched_once() -> None:
    """What GenerateSecretString makes is a pepper; a container asks for it a single time."""
    calls: list[object] = []
    aws.secrets_manager().meta.events.register("before-send", lambda **_: calls.append(1))

    keyrings = [peppers.keyring(), peppers.keyring()]

    assert keyrings[0] is keyrings[1]
    assert [1] == calls


@pytest.mark.usefixtures("world")
def test_an_outage_is_unavailable_and_not_remembered(environment: pytest.MonkeyPatch) -> None:
    """A request fails with 503 while Secrets Manager does not answer; the next one may succeed."""
    environment.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
    aws.secrets_manager.cache_clear()
    with pytest.raises(ServiceError) as caught:
        peppers.keyring()
    environment.delenv("AWS_ENDPOINT_URL_SECRETS_MANAGER")
    aws.secrets_manager.cache_clear()

    assert SERVICE_UNAVAILABLE is caught.value.error
    assert 1 == peppers.keyring().current_version


@pytest.mark.usefixtures("world")
def test_the_secret_can_have_a_second_version() -> None:
    """Adding a version to the secret is all it takes for new keys to use it."""
    text = boto3.client("secretsmanager").get_secret_value(SecretId=settings().pepper_secret_id)["SecretString"]
    changed = text.replace('"current": 1', '"current": 2').replace("}", f', "2": "{PEPPER}"}}')
    boto3.client("secretsmanager").put_secret_value(SecretId=settings().pepper_secret_id, SecretString=changed)

    assert derive(PEPPER.encode()) == peppers.keyring().current
