"""The operator's policies allow what the command line does, and the pepper only to those who may rotate keys."""

from __future__ import annotations

import pytest

from tests.support.iam_policies import ACCOUNT, STACK, Request, allows, statements

OPERATOR, PEPPER = statements("Operator"), statements("OperatorPepper")
API = f"arn:aws:execute-api:eu-central-1:{ACCOUNT}:a1b2c3d4e5/v1"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret"
TABLE = f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/{STACK}-Table-1A2B"
READING_BUCKETS = ("s3:ListBucket", "s3:ListBucketVersions")
READING = Request("secretsmanager:GetSecretValue", f"{SECRET}:Pepper-1A2B3C4D5E6F-a1b2c3")


def test_operators_verify_keys() -> None:
    """`keys verify` may ask the verify route, and no other."""
    assert allows(OPERATOR, Request("execute-api:Invoke", f"{API}/POST/auth/api-keys/verify"))
    assert not allows(OPERATOR, Request("execute-api:Invoke", f"{API}/POST/auth/api-keys"))
    assert not allows(
        OPERATOR, Request("execute-api:Invoke", f"{API.replace(ACCOUNT, '999999999999')}/POST/auth/api-keys/verify")
    )


def test_only_the_second_policy_reads_the_pepper() -> None:
    """The pepper with write access to the table makes valid keys."""
    assert not allows(OPERATOR, READING)
    assert allows(PEPPER, READING)


@pytest.mark.parametrize(
    "request_",
    [
        Request("secretsmanager:GetSecretValue", f"{SECRET}:Other-a1b2c3"),
        Request("secretsmanager:PutSecretValue", READING.resource),
        Request("dynamodb:PutItem", TABLE),
    ],
    ids=str,
)
def test_the_second_policy_does_nothing_else(request_: Request) -> None:
    """It neither changes the pepper nor reads another secret."""
    assert not allows(PEPPER, request_)


def test_operators_read_the_archive_and_never_write_to_it() -> None:
    """`audit verify` lists versions and reads objects; with write access as well, an operator could rebuild both."""
    bucket = f"arn:aws:s3:::{STACK}-auditarchivebucket-1a2b3c4d5e6f"
    name = f"{bucket}/audit/000000000001.jsonl"

    assert [] == [action for action in READING_BUCKETS if not allows(OPERATOR, Request(action, bucket))]
    assert allows(OPERATOR, Request("s3:GetObject", name))
    assert not [
        action
        for action in (
            "PutObject",
            "DeleteObject",
            "DeleteObjectVersion",
            "PutBucketPolicy",
            "PutLifecycleConfiguration",
        )
        if allows(OPERATOR, Request(f"s3:{action}", name)) or allows(OPERATOR, Request(f"s3:{action}", bucket))
    ]
