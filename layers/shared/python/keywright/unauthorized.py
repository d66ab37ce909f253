"""How a Lambda authorizer says 401."""

from __future__ import annotations


class Unauthorized(Exception):  # noqa: N818 - API Gateway looks for exactly this message
    """API Gateway answers 401 when an authorizer fails with the message "Unauthorized", and only then."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")
