"""The secret with the pepper."""

from __future__ import annotations

import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
import pytest

from keywright import deadline
from keywright.aws import retries
from keywright.domain.keyring import Keyring, derive
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.settings import ConfigurationError, settings
from keywright.store import pepper
from keywright.store.pepper import Peppers, read
from tests.support import faults

if TYPE_CHECKING:
    from tests.support.client import CreateApiKey

PEPPER = "Zt4Kq9Wm2Xv7Bn1Rp8Ls3Hd6Fg0Jc5Yy" + "aQ7eT2uI9oP4sD6fG1hJ8kL3zX5cV0bN"
"""64 characters, as the template generates them, in two halves for scanners of secrets."""
MINUTE = 60


def test_every_version_is_read() -> None:
    """Versions are numbers, and `current` is the version for new keys."""
    keyring = read(f'{{"current": 2, "1": "{PEPPER}", "2": "{"q" * 64}"}}')

    assert 2 == keyring.current_version
    assert derive(b"q" * 64) == keyring.current
    assert derive(PEPPER.encode()).tag_key == keyring.tag_key(1)
    assert keyring.tag_key(3) is None


WRONG_SECRETS = [
    PEPPER,
    "[]",
    "{}",
    f'{{"current": 1, "1": "{PEPPER}',
    f'{{"1": "{PEPPER}"}}',
    f'{{"current": 2, "1": "{PEPPER}"}}',
    f'{{"current": "1", "1": "{PEPPER}"}}',
    f'{{"current": 1.0, "1": "{PEPPER}"}}',
    f'{{"current": true, "1": "{PEPPER}"}}',
    f'{{"current": null, "1": "{PEPPER}"}}',
    f'{{"current": [1], "1": "{PEPPER}"}}',
    f'{{"current": "{PEPPER}", "1": "{PEPPER}"}}',
    f'{{"current": 1, "1": "{PEPPER}", "x": "{PEPPER}"}}',
    f'{{"current": 1, "{PEPPER}": 1}}',
    f'{{"current": 1, "01": "{PEPPER}"}}',
    f'{{"current": 0, "0": "{PEPPER}"}}',
    f'{{"current": 256, "256": "{PEPPER}"}}',
    f'{{"current": 1, "1": "{PEPPER[:31]}"}}',
    f'{{"current": 1, "1": "{PEPPER}", "2": "{PEPPER[:31]}"}}',
    f'{{"current": 1, "1": "{PEPPER}\\ud800"}}',
    f'{{"current": 1, "1": ["{PEPPER}"]}}',
    '{"current": 1, "1": 7}',
]


def parts_of_the_pepper(text: str) -> list[str]:
    """Return the pieces of eight characters of the pepper that a text contains."""
    return [piece for at in range(len(PEPPER) - 7) if (piece := PEPPER[at : at + 8]) in text]


@pytest.mark.parametrize("secret", WRONG_SECRETS)
def test_a_wrong_secret_is_an_error_that_does_not_repeat_it(secret: str) -> None:
    """The operator learns the mistake; message, repr and traceback hold no part of a pepper, however long it is."""
    with pytest.raises(ConfigurationError) as caught:
        read(secret)

    error = caught.value
    assert "the pepper secret" in str(error) or "every pepper" in str(error)
    assert [] == parts_of_the_pepper(repr(error))
    assert [] == parts_of_the_pepper("".join(traceback.format_exception(error)))


def test_a_wrong_secret_is_not_logged(create: CreateApiKey, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is 500, and neither it nor the log holds a part of a pepper."""
    client, name = boto3.client("secretsmanager"), settings().pepper_secret_id
    answers = []
    for secret in WRONG_SECRETS:
        client.put_secret_value(SecretId=name, SecretString=secret)
        answers.append(create())
    log = capsys.readouterr().out

    assert {500} == {answer["statusCode"] for answer in answers}
    assert len(WRONG_SECRETS) <= log.count("ConfigurationError")
    assert [] == parts_of_the_pepper(log)
    assert [] == parts_of_the_pepper(str(answers))


def test_no_repr_shows_a_pepper() -> None:
    """A keyring, its keys and the container's peppers can be logged."""
    keyring = read(f'{{"current": 1, "1": "{PEPPER}"}}')
    peppers = Peppers(lambda: keyring)
    peppers.keyring()
    shown = repr([keyring, keyring.versions, keyring.current, peppers, vars(peppers)])

    assert [] == parts_of_the_pepper(shown)
    assert keyring.current.hash_key.hex() not in shown
    assert repr(keyring.current.hash_key) not in shown


@pytest.mark.usefixtures("world")
def test_the_templates_secret_is_fetched_once() -> None:
    """The output of GenerateSecretString is a valid pepper, and a container fetches it once."""
    calls: list[str] = []

    with faults.intercepted(retries.secrets_manager(), lambda _, operation: calls.append(operation)):
        keyrings = [pepper.keyring(), pepper.keyring()]

    assert keyrings[0] is keyrings[1]
    assert ["GetSecretValue"] == calls


@pytest.mark.usefixtures("world", "no_waiting")
def test_an_outage_is_unavailable_and_not_remembered(environment: pytest.MonkeyPatch) -> None:
    """A request fails with 503 while Secrets Manager does not answer. The next one may succeed."""
    environment.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
    retries.secrets_manager.cache_clear()
    with pytest.raises(ServiceError) as caught:
        pepper.keyring()
    environment.delenv("AWS_ENDPOINT_URL_SECRETS_MANAGER")
    retries.secrets_manager.cache_clear()

    assert SERVICE_UNAVAILABLE is caught.value.error
    assert 1 == pepper.keyring().current_version


@pytest.mark.usefixtures("world")
def test_the_secret_can_have_a_second_version() -> None:
    """New keys use a second version once it is in the secret."""
    text = boto3.client("secretsmanager").get_secret_value(SecretId=settings().pepper_secret_id)["SecretString"]
    changed = text.replace('"current": 1', '"current": 2').replace("}", f', "2": "{PEPPER}"}}')
    boto3.client("secretsmanager").put_secret_value(SecretId=settings().pepper_secret_id, SecretString=changed)

    assert derive(PEPPER.encode()) == pepper.keyring().current


@dataclass
class Secret:
    """A replaceable secret that counts its fetches."""

    versions: set[int] = field(default_factory=lambda: {1})
    down: bool = False
    seconds: float = 0
    fetches: int = 0
    now: float = 1000.0

    def __call__(self) -> Keyring:
        """Return the secret and count the fetch."""
        self.fetches += 1
        time.sleep(self.seconds)
        if self.down:
            raise ServiceError(SERVICE_UNAVAILABLE)
        return Keyring(max(self.versions), {version: derive(b"p" * version) for version in self.versions})

    def kept(self) -> Peppers:
        """Return a container's pepper that was fetched once."""
        peppers = Peppers(self, lambda: self.now)
        peppers.keyring()
        self.now += MINUTE
        self.fetches = 0
        return peppers


class TestUnknownVersion:
    """Keys with a pepper version that is unknown to the container."""

    def test_a_new_version_works_at_once(self) -> None:
        """The secret is fetched again, so keys created elsewhere with the new version verify here."""
        secret = Secret()
        peppers = secret.kept()
        secret.versions.add(2)

        assert derive(b"pp").tag_key == peppers.tag_key(2)
        assert 1 == secret.fetches

    def test_known_versions_cost_nothing(self) -> None:
        """A known version needs no fetch."""
        secret = Secret()
        peppers = secret.kept()

        assert derive(b"p").tag_key == peppers.tag_key(1)
        assert 0 == secret.fetches

    def test_made_up_versions_cost_one_fetch_a_minute(self) -> None:
        """Forged keys with any version do not overload Secrets Manager."""
        secret = Secret()
        peppers = secret.kept()

        tag_keys = []
        for _ in range(3):
            tag_keys += [peppers.tag_key(version) for version in range(2, 256)]
            secret.now += MINUTE

        assert {None} == set(tag_keys)
        assert 3 == secret.fetches

    def test_within_a_minute_nothing_is_fetched(self) -> None:
        """Of two texts with an unknown version, 59 seconds apart, the second one costs no fetch."""
        secret = Secret()
        peppers = secret.kept()
        peppers.tag_key(2)
        secret.now += MINUTE - 1

        assert peppers.tag_key(2) is None
        assert 1 == secret.fetches

    def test_within_a_minute_of_a_failure_nothing_is_fetched(self) -> None:
        """While Secrets Manager does not answer, it is asked for an unknown version once a minute."""
        secret = Secret()
        peppers = secret.kept()
        secret.down = True
        with pytest.raises(ServiceError):
            peppers.tag_key(2)
        secret.now += MINUTE - 1

        with pytest.raises(ServiceError, match="not known yet"):
            peppers.tag_key(2)
        assert 1 == secret.fetches

    def test_an_outage_is_not_a_refusal(self) -> None:
        """The key may be valid, so the answer is 503, not a refusal. The next attempt is after a minute."""
        secret = Secret(down=False)
        peppers = secret.kept()
        secret.down = True

        for _ in range(5):
            with pytest.raises(ServiceError):
                peppers.tag_key(2)
        assert 1 == secret.fetches

        secret.down = False
        secret.now += MINUTE
        assert peppers.tag_key(2) is None

    def test_a_success_ends_an_outage(self) -> None:
        """After a successful fetch, an unknown version is refused again."""
        secret = Secret(down=True)
        peppers = Peppers(secret, lambda: secret.now)
        with pytest.raises(ServiceError):
            peppers.keyring()
        secret.down = False
        secret.now += 1
        peppers.keyring()

        assert peppers.tag_key(2) is None


class TestThreads:
    """Concurrent invocations in one process."""

    THREADS = 8

    def test_one_fetch_for_all(self) -> None:
        """Concurrent threads wait for a pending fetch and start no other."""
        secret = Secret(seconds=0.2)
        peppers = Peppers(secret)
        with ThreadPoolExecutor(self.THREADS) as pool:
            keyrings = list(pool.map(lambda _: peppers.keyring(), range(self.THREADS)))

        assert {id(keyrings[0])} == {id(keyring) for keyring in keyrings}
        assert 1 == secret.fetches

    def test_one_outage_for_all(self) -> None:
        """An outage is waited for once, not once per thread."""
        secret = Secret(down=True, seconds=0.2)
        peppers = Peppers(secret)
        together = threading.Barrier(self.THREADS)

        def attempt(_: int) -> ServiceError:
            together.wait()
            with pytest.raises(ServiceError) as caught:
                peppers.keyring()
            return caught.value

        with ThreadPoolExecutor(self.THREADS) as pool:
            errors = {error.error for error in pool.map(attempt, range(self.THREADS))}

        assert {SERVICE_UNAVAILABLE} == errors
        assert 1 == secret.fetches

    def test_waiting_ends_with_the_invocation(self) -> None:
        """A thread waits for another thread's fetch no longer than its invocation lasts."""
        secret = Secret(seconds=0.5)
        peppers = Peppers(secret)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(peppers.keyring)
            while not secret.fetches:
                time.sleep(0.001)
            with deadline.within(int(deadline.RESERVE_SECONDS * 1000)), pytest.raises(ServiceError) as caught:
                peppers.keyring()
            first.result()

        assert "the pepper is still being fetched" == caught.value.reason


def test_no_request_waits_for_a_pepper_that_is_prepared() -> None:
    """GIVEN a preparation that hangs WHEN a request needs the keys THEN it fetches them, and they stay."""
    first, second = (read(f'{{"current": 1, "1": "{letter * 64}"}}') for letter in "ab")
    is_asked, is_over = threading.Event(), threading.Event()

    def fetch() -> Keyring:
        if is_asked.is_set():
            return second
        is_asked.set()
        is_over.wait()
        return first

    peppers = Peppers(fetch)
    preparation = threading.Thread(target=peppers.prepare, daemon=True)
    preparation.start()
    is_asked.wait()
    assert second == peppers.keyring()

    is_over.set()
    preparation.join()

    assert second == peppers.keyring()


def test_a_preparation_that_fails_fails_no_request() -> None:
    """GIVEN a preparation that has failed THEN the next request fetches the keys."""
    keyring = read(f'{{"current": 1, "1": "{PEPPER}"}}')
    failures = [ServiceError(SERVICE_UNAVAILABLE)]

    def fetch() -> Keyring:
        if failures:
            raise failures.pop()
        return keyring

    peppers = Peppers(fetch)
    with pytest.raises(ServiceError):
        peppers.prepare()

    assert keyring == peppers.keyring()
