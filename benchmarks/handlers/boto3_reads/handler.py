"""A function that reads a secret and two items with boto3: what a verification waits for, and nothing else."""

from __future__ import annotations

import os
from typing import Any

import boto3

SECRETS_MANAGER = boto3.client("secretsmanager")
DYNAMODB = boto3.client("dynamodb")


def handler(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Read, and return an empty answer.

    Args:
        event: the parameters of BatchGetItem.
    """
    SECRETS_MANAGER.get_secret_value(SecretId=os.environ["PEPPER_SECRET_ID"])
    DYNAMODB.batch_get_item(**event)
    return {}
