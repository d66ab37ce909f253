"""AWS credentials, regions and the clock that requests are signed with. botocore is loaded by the first signature."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NoReturn, Protocol

from keywright_client.answers import Lost
from keywright_client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.session import Session

    from keywright_client.addresses import Address

_GREATEST_SKEW = timedelta(minutes=4)
"""AWS refuses signatures that are five minutes old. Below this, the refusal has another cause."""

_YEARS = range(2000, 9999)
"""Of the dates of servers. At the ends of the calendar, a difference would not fit."""
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
    """

    def __init__(
        self,
        service: str,
        region: str | None,
        credentials: AwsCredentials | None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._service = service
        self._region = region
        self._credentials = credentials
        self._now = now
        self._offset = timedelta(0)
        self._session: Session | None = None
        self._lock = threading.Lock()

    @property
    def blocks(self) -> bool:
        """Whether `load` may read files or ask the network, rather than return at once."""
        if self._region is None or self._credentials is None:
            return True
        refresh_needed = getattr(self._credentials, "refresh_needed", None)
        if refresh_needed is not None:
            return bool(refresh_needed())
        return not type(self._credentials).__module__.startswith("botocore.")

    def load(self) -> Loaded | Lost:
        """Return credentials and region, or why they could not be refreshed, which may pass.

        Raises:
            ConfigurationError: there is no region, or there are no credentials.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only signatures need it

        region, credentials = self._find()
        try:
            frozen = credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            # Its message may quote the output of a credential process.
            return Lost(f"the AWS credentials cannot be refreshed ({type(error).__name__})")
        if not frozen.access_key or not frozen.secret_key:
            _refuse(_NO_CREDENTIALS)
        return Loaded(frozen, region)

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

    def _find(self) -> tuple[str, AwsCredentials]:
        if self._region is None or self._credentials is None:
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only signatures need it

            with self._lock:
                try:
                    self._region = self._region or self._find_region()
                    self._credentials = self._credentials or self._find_credentials()
                except (BotoCoreError, ClientError) as error:
                    reason = type(error).__name__
                else:
                    reason = ""
            if reason:
                raise ConfigurationError(f"credentials: AWS configuration is not usable ({reason})")
        if self._region is None:
            _refuse("region: pass region, or set AWS_REGION, AWS_DEFAULT_REGION or the region of the AWS profile")
        if self._credentials is None:
            _refuse(_NO_CREDENTIALS)
        return self._region, self._credentials

    def _find_region(self) -> str | None:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return region or self._aws().get_config_variable("region")

    def _find_credentials(self) -> AwsCredentials | None:
        return self._aws().get_credentials()

    def _aws(self) -> Session:
        if self._session is None:
            from botocore.session import Session as NewSession  # noqa: PLC0415 - a fifth of a second, for few

            self._session = NewSession()
        return self._session


def _refuse(message: str) -> NoReturn:
    raise ConfigurationError(message)


def _parsed(date: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date or "")
        moment = moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.year in _YEARS else None
