"""POST /v1/auth/api-keys/verify-batch: verify API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.warm_up import warm_up

wait_until_warm = warm_up()  # while the rest is imported

from keywright.api.endpoint import endpoint
from keywright.api.request import BackendRequest, backend
from keywright.api.schemas import VerifyApiKeys
from keywright.domain import key_hash
from keywright.keys import introspect, retired_secrets, usage
from keywright.keys.meter import SHUTDOWN_SECONDS
from keywright.shutdown import before_shutdown

if TYPE_CHECKING:
    from keywright.api.schemas import VerifiedApiKeys

key_hash.load()
before_shutdown(lambda: usage.meter().flush_all(retired_secrets.meter(), seconds=SHUTDOWN_SECONDS))


@endpoint("verify_api_keys", body=VerifyApiKeys, caller=backend)
def handler(request: BackendRequest[VerifyApiKeys]) -> VerifiedApiKeys:
    """Verify up to 100 keys for a backend, each as `POST /v1/auth/api-keys/verify` does.

    The results are in the order of the keys. If the keys could not be read, the answer is 503, and none has been used.
    A key that could not be decided after that has the code `SERVICE_UNAVAILABLE`: ask again for this key. The others
    have been used.
    """
    return introspect.verify_all(request.body)


wait_until_warm()
