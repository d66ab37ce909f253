"""A deployer with only the policies of docs/iam.yaml, on an emulator that enforces policies.

With AUTH=true the emulator checks the requests of sam and of the deployer, but not those of CloudFormation on their
behalf; tests/iam compares these with the policies. It does not support iam:PermissionsBoundary and so refuses every new
role.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.intrinsics import REGION
from local.server import HOST
from tests.e2e import emulator
from tests.e2e.__main__ import ARCHITECTURE, AUDIENCE, DEPLOYED, PYTHON_VERSION, sam
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STACK = "keywright"
BUCKET = "aws-sam-cli-managed-default-of-this-test"
"""Created here: the bucket that sam creates denies plain HTTP, and the emulator has no other."""
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@dataclass(frozen=True, slots=True)
class Deployer:
    """Credentials of a deployer, for processes and for boto3."""

    environment: Mapping[str, str]
    boundary: str

    def client(self, service: str) -> Any:
        """Return an AWS client with these credentials."""
        client: Any = boto3.client  # its overloads name every service
        return client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Create the policies as an administrator, and a user with those of the deployer."""
    with emulator.running(tmp_path_factory.mktemp("emulator"), AUTH="true") as port:
        endpoint = {"AWS_ENDPOINT_URL": f"http://{HOST}:{port}"}
        root = Deployer({**endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}, "")
        cloudformation, iam = root.client("cloudformation"), root.client("iam")
        body = (ROOT / "docs" / "iam.yaml").read_text(encoding="utf-8")
        cloudformation.create_stack(StackName="keywright-iam", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        cloudformation.get_waiter("stack_create_complete").wait(StackName="keywright-iam", WaiterConfig={"Delay": 1})
        (stack,) = cloudformation.describe_stacks(StackName="keywright-iam")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        root.client("s3").create_bucket(Bucket=BUCKET)
        iam.create_user(UserName="deployer")
        for name in ("DeployerPolicyArn", "DeployerDataPolicyArn"):
            iam.attach_user_policy(UserName="deployer", PolicyArn=outputs[name])
        key = iam.create_access_key(UserName="deployer")["AccessKey"]
        keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        yield Deployer({**endpoint, **keys}, outputs["BoundaryArn"])


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository's samconfig.toml, with an existing bucket."""
    path: Path = tmp_path_factory.mktemp("config") / "samconfig.toml"
    shipped = (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    path.write_text(shipped.replace("resolve_s3 = true", f's3_bucket = "{BUCKET}"'), encoding="utf-8")
    return path


def test_the_stack_is_deployed_and_deleted(deployer: Deployer, config_file: Path) -> None:
    """The policies allow every request of sam, from the first deployment to the deletion."""
    parameters = {
        "OidcIssuer": "https://issuer.example/",
        "OidcAudience": AUDIENCE,
        "PythonRuntime": f"python{PYTHON_VERSION}",
        "Architecture": ARCHITECTURE,
        "PermissionsBoundaryArn": deployer.boundary,
    }
    client = deployer.client("cloudformation")

    sam(
        *("deploy", "--template-file", str(DEPLOYED), "--config-file", str(config_file), "--stack-name", STACK),
        *("--no-confirm-changeset", "--parameter-overrides"),
        *(f"{name}={value}" for name, value in parameters.items()),
        **deployer.environment,
    )
    statuses = [stack["StackStatus"] for stack in client.describe_stacks(StackName=STACK)["Stacks"]]
    client.list_change_sets(StackName=STACK)
    sam(
        *("delete", "--stack-name", STACK, "--config-file", str(config_file), "--no-prompts", "--region", REGION),
        **deployer.environment,
    )

    assert ["CREATE_COMPLETE"] == statuses
    with pytest.raises(ClientError, match="does not exist"):
        client.describe_stacks(StackName=STACK)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("create_role", {"RoleName": "keywright-mallory", "AssumeRolePolicyDocument": TRUST}),
        ("create_user", {"UserName": "keywright-mallory"}),
        ("attach_user_policy", {"UserName": "deployer", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("create_policy_version", {"PolicyDocument": TRUST, "SetAsDefault": True}),
        ("update_assume_role_policy", {"RoleName": "keywright-CreateApiKeyRole", "PolicyDocument": TRUST}),
        ("delete_role_permissions_boundary", {"RoleName": "keywright-CreateApiKeyRole"}),
    ],
)
def test_an_attack_is_denied(deployer: Deployer, operation: str, parameters: dict[str, object]) -> None:
    """The policies deny every step of a privilege escalation."""
    arguments = {**parameters, **({"PolicyArn": deployer.boundary} if operation == "create_policy_version" else {})}

    with pytest.raises(ClientError) as denied:
        getattr(deployer.client("iam"), operation)(**arguments)

    assert "AccessDenied" == denied.value.response["Error"]["Code"]
