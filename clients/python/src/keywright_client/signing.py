"""AWS credentials, regions and the clock that requests are signed with. botocore is loaded by the first signature."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NoReturn, Protocol

from keywright_client.answers import Lost
from keywright_client.errors import ConfigurationError
from keywright_client.processes import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.session import Session

    from keywright_client.addresses import Address

_GREATEST_SKEW = timedelta(minutes=4)
"""AWS refuses signatures that are five minutes old. Below this, the refusal has another cause."""

_YEARS = range(2000, 9999)
"""Of the dates of servers. At the ends of the calendar, a difference would not fit."""
_PASSING = frozenset({"CredentialRetrievalError", "MetadataRetrievalError"})
"""Errors of botocore for a process, container or instance that should have credentials and does not return them."""
_REGION = re.compile(r"[a-z0-9-]+")
_FAILURE_SECONDS = 1.0
_CODE = re.compile(r"[A-Za-z]{1,64}")
_PROFILE = re.compile(r"[A-Za-z0-9_.@/+-]{1,64}")
_VISIBLE = re.compile(r"[!-~]+")
_NO_CREDENTIALS = "credentials: no AWS credentials in the environment, the AWS profile or the role of this machine"


class FrozenCredentials(Protocol):
    """AWS credentials at one moment."""

    @property
    def access_key(self) -> str | None:
        """Access key id."""
        ...

    @property
    def secret_key(self) -> str | None:
        """Secret access key."""
        ...

    @property
    def token(self) -> str | None:
        """Session token of temporary credentials."""
        ...


class AwsCredentials(Protocol):
    """AWS credentials that refresh themselves, as botocore and boto3 have them."""

    def get_frozen_credentials(self) -> FrozenCredentials:
        """Return the credentials to use now, after refreshing them if necessary."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """AWS credentials and the region to use them in."""

    credentials: FrozenCredentials = field(repr=False)
    region: str


class Signer:
    """Signs requests with the AWS credentials of this process, by a clock that can be corrected. Safe for threads.

    Args:
        service: AWS service to sign for.
        region: region to sign for. None looks for it in the environment and in the profile.
        credentials: AWS credentials. None looks for them where all AWS SDKs do.
        now: clock of this machine.

    Raises:
        ConfigurationError: the credentials have no `get_frozen_credentials()`.
    """

    def __init__(
        self,
        service: str,
        region: str | None,
        credentials: AwsCredentials | None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        if credentials is not None and not callable(getattr(credentials, "get_frozen_credentials", None)):
            _refuse(
                "credentials: must have get_frozen_credentials(); pass, for example, boto3.Session().get_credentials()"
            )
        self._service = service
        self._region = region
        self._credentials = credentials
        self._now = now
        self._offset = timedelta(0)
        self._lookups = PerProcess(_Lookup)

    @property
    def blocks(self) -> bool:
        """Whether `load` may read files or ask the network, rather than return at once."""
        region, credentials = self._region, self._credentials
        if region is None or credentials is None:
            found = self._lookups.get().complete
            if found is None:
                return True
            credentials = found.credentials
        refresh_needed = getattr(credentials, "refresh_needed", None)
        if refresh_needed is not None:
            return bool(refresh_needed())
        return not type(credentials).__module__.startswith("botocore.")

    def load(self) -> Loaded | Lost:
        """Return credentials and region, or why they could not be refreshed, which may pass.

        Raises:
            ConfigurationError: there is no region, or there are no credentials, or they cannot be sent.
        """
        found = self._find()
        if isinstance(found, Lost):
            return found
        region, credentials = found
        try:
            frozen = credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - providers raise all kinds, with their output in it
            failure = _described(error)
        else:
            return Loaded(_checked(frozen), region)
        return _not_now(failure)

    def now(self) -> datetime:
        """Return the time to sign with."""
        return self._now() + self._offset

    def sign(
        self, address: Address, headers: Mapping[str, str], body: bytes, loaded: Loaded, moment: datetime
    ) -> dict[str, str]:
        """Return the headers of a POST request, signed.

        Args:
            address: address of the request.
            headers: headers to sign besides `host` and those of the signature.
            body: body of the request.
            loaded: what `load` returned.
            moment: what `now` returned.
        """
        from keywright_client import sigv4  # noqa: PLC0415 - only signatures need botocore

        return sigv4.signed(
            url=address.url,
            headers={"host": address.host, **headers},
            body=body,
            credentials=loaded.credentials,
            scope=(self._service, loaded.region),
            moment=moment,
        )

    def correct(self, date: str | None, signed_at: datetime) -> bool:
        """Set the clock by the `date` of an answer that refused a signature. Return whether that had a wrong time.

        Another thread may have set the clock in the meantime: what counts is the time of the signature.

        Args:
            date: the header, or None.
            signed_at: the time of the signature.
        """
        server = _parsed(date)
        if server is None or abs(server - signed_at) <= _GREATEST_SKEW:
            return False
        self._offset = server - self._now()
        return True

    def _find(self) -> tuple[str, AwsCredentials] | Lost:
        region, credentials = self._region, self._credentials
        if region is None or credentials is None:
            found = self._lookups.get().outcome(region, credentials)
            if found.may_pass:
                return _not_now(found.failure)
            if found.failure:
                raise ConfigurationError(f"credentials: AWS configuration is not usable ({found.failure})")
            region, credentials = found.region, found.credentials
        if region is None:
            _refuse("region: pass region, or set AWS_REGION, AWS_DEFAULT_REGION or the region of the AWS profile")
        if credentials is None:
            _refuse(_NO_CREDENTIALS)
        if not _REGION.fullmatch(region):
            _refuse("region: must be the name of an AWS region, such as us-east-1")
        return region, credentials


def _not_now(failure: str) -> Lost:
    return Lost(f"the AWS credentials cannot be refreshed ({failure})", may_be_sent=False)


@dataclass(frozen=True, slots=True)
class _Found:
    """The outcome of a look-up.

    Attributes:
        failure: why it failed; empty if it did not.
        may_pass: whether the source of the credentials is there and did not answer.
        ended: when, by the monotonic clock.
    """

    region: str | None
    credentials: AwsCredentials | None = field(repr=False)
    failure: str
    may_pass: bool
    ended: float

    @property
    def is_complete(self) -> bool:
        return not self.failure and self.region is not None and self.credentials is not None


class _Lookup:
    """Looks for region and credentials where all AWS SDKs do. Threads that wait for it share its outcome.

    A look-up on a machine without credentials takes seconds. Its outcome therefore counts for a moment, too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: _Found | None = None
        self._session: Session | None = None

    @property
    def complete(self) -> _Found | None:
        """The outcome, if region and credentials were found."""
        return self._found if self._found and self._found.is_complete else None

    def outcome(self, region: str | None, credentials: AwsCredentials | None) -> _Found:
        """Return the region and the credentials, of which those that are not given are looked for."""
        if self.complete:
            return self.complete
        with self._lock:
            found = self._found
            if found is None or not (found.is_complete or time.monotonic() - found.ended < _FAILURE_SECONDS):
                found = self._found = self._looked(region, credentials)
            return found

    def _looked(self, region: str | None, credentials: AwsCredentials | None) -> _Found:
        failure, may_pass = "", False
        try:
            region = region or self._find_region()
            credentials = credentials or self._aws().get_credentials()
        except Exception as error:  # noqa: BLE001 - providers raise all kinds, with their output in it
            failure, may_pass = _described(error), type(error).__name__ in _PASSING
        return _Found(region, credentials, failure, may_pass, time.monotonic())

    def _find_region(self) -> str | None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return region or self._aws().get_config_variable("region")

    def _aws(self) -> Session:
        if self._session is None:
            from botocore.session import Session as NewSession  # noqa: PLC0415 - a fifth of a second, for few

            self._session = NewSession()
        return self._session


def _described(error: Exception) -> str:
    """Return the type of an error, and AWS's code or the name of a profile.

    Nothing else is safe to show: the message may quote the output of a credential process.
    """
    kind = type(error).__name__
    details = vars(error).get("kwargs") if kind == "ProfileNotFound" else vars(error).get("response")
    match details:
        case {"Error": {"Code": str(detail)}} if _CODE.fullmatch(detail):
            return f"{kind}: {detail}"
        case {"profile": str(detail)} if _PROFILE.fullmatch(detail):
            return f"{kind}: {detail}"
    return kind


def _checked(frozen: FrozenCredentials) -> FrozenCredentials:
    """Return AWS credentials that can be sent.

    Raises:
        ConfigurationError: they are empty, or would break a header.
    """
    if not frozen.access_key or not frozen.secret_key:
        _refuse(_NO_CREDENTIALS)
    parts: dict[str, object] = {
        "access key id": frozen.access_key,
        "secret access key": frozen.secret_key,
        "session token": frozen.token or "-",
    }
    for name, value in parts.items():
        if not isinstance(value, str) or not _VISIBLE.fullmatch(value):
            _refuse(f"credentials: the {name} must be visible ASCII characters, without spaces and line breaks")
    return frozen


def _refuse(message: str) -> NoReturn:
    raise ConfigurationError(message)


def _parsed(date: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date or "")
        moment = moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.year in _YEARS else None
