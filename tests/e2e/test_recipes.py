"""The recipes, deployed to an emulator with the commands of docs/recipes.md: an event goes in, and comes out.

The emulator has no retries of targets, no dead letters of rules, no rate of an API destination and no mail, does not
compress what Firehose writes, and does not enforce roles here.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from standardwebhooks.webhooks import Webhook

from local.intrinsics import REGION
from local.server import HOST
from tests.e2e import emulator
from tests.e2e.__main__ import sam
from tests.e2e.differences import is_refused
from tests.support.environment import ROOT
from tests.support.recipes import EVENTS, REQUIRED, recipe
from tests.support.webhook_receiver import receiving, write_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.webhook_receiver import Receiver

SECONDS = 60
"""For an event to come out."""
BUS = "keywright-events"
BUCKET = "of-this-test"
"""Created here: the bucket that sam creates denies plain HTTP, and the emulator has no other."""
(EVENT, *_) = EVENTS["api_key.leak_reported"]


@dataclass(frozen=True, slots=True)
class Account:
    """An emulated account with a bus of events, and what listens for the recipes."""

    endpoint: str
    certificate: Path
    deployed: dict[str, dict[str, str]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return an AWS client."""
        client: Any = boto3.client  # its overloads name every service
        return client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name=REGION,
        )

    def deploy(self, name: str, template: Path | None = None, **parameters: str) -> dict[str, str]:
        """Deploy a recipe, and return its outputs and the physical ids of its resources.

        Args:
            name: the recipe.
            template: a file in place of the recipe's.
            parameters: of the template.
        """
        values = {"EventBusName": BUS, **REQUIRED[name], **parameters}
        sam(
            "deploy",
            *("--template-file", str(template or ROOT / "examples" / name / "template.yaml")),
            *("--stack-name", f"keywright-{name}"),
            *("--s3-bucket", BUCKET),
            *("--capabilities", "CAPABILITY_IAM"),
            *("--parameter-overrides", *(f"{key}={value}" for key, value in values.items())),
            AWS_ENDPOINT_URL=self.endpoint,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
        cloudformation = self.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=f"keywright-{name}")["Stacks"]
        resources = cloudformation.describe_stack_resources(StackName=f"keywright-{name}")["StackResources"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]} | {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources
        }

    def publish(self, event: dict[str, Any] = EVENT) -> None:
        """Put an event on the bus, as publish_events does."""
        entry = {
            "EventBusName": BUS,
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
        }
        assert 0 == self.client("events").put_events(Entries=[entry])["FailedEntryCount"]


def eventually(look: Callable[[], Any]) -> Any:
    """Return what is found, at the latest after a minute."""
    end = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An emulator whose functions and API destinations trust the receivers of this module."""
    certificate = write_certificate(tmp_path_factory.mktemp("certificate"))
    with emulator.running(tmp_path_factory.mktemp("emulator"), SSL_CERT_FILE=str(certificate)) as port:
        account = Account(f"http://{HOST}:{port}", certificate)
        account.client("events").create_event_bus(Name=BUS)
        account.client("s3").create_bucket(Bucket=BUCKET)
        yield account


@pytest.fixture
def receiver(account: Account) -> Iterator[Receiver]:
    """A receiver that answers 200."""
    with receiving(account.certificate) as receiver:
        yield receiver


def test_webhook(account: Account, receiver: Receiver, tmp_path: Path) -> None:
    """GIVEN the recipe WHEN a receiver fails once THEN the event comes again five seconds later, with its signature.

    The secret is stored here: the emulator generates one with punctuation, although the template excludes it. It cannot
    create alarms over several metrics.
    """
    receiver.answers = [500, 200]
    template = json.loads(json.dumps(recipe("webhook").template))
    resources = template["Resources"]
    template["Resources"] = {name: item for name, item in resources.items() if not is_refused(item)}
    resources["Function"]["Properties"]["CodeUri"] = str(ROOT / "examples" / "webhook")
    (tmp_path / "template.json").write_text(json.dumps(template), encoding="utf-8")
    stack = account.deploy("webhook", tmp_path / "template.json", Url=f"{receiver.url}/hook")
    secrets_manager = account.client("secretsmanager")
    for secret in (b"p" * 48, b"s" * 48):
        text = base64.b64encode(secret).decode()
        secrets_manager.put_secret_value(SecretId=stack["SigningSecretArn"], SecretString=text)

    account.publish()

    _, delivery = eventually(lambda: receiver.deliveries[1:] and receiver.deliveries)
    content = Webhook(f"whsec_{text}").verify(delivery.body, dict(delivery.headers))
    assert EVENT["detail"] == content["data"]


def test_slack(account: Account, receiver: Receiver, tmp_path: Path) -> None:
    """GIVEN the recipe with a receiver in the place of Slack WHEN a key has leaked THEN it gets the message.

    The emulator's CloudFormation knows neither API destinations nor connections: they are created as the template says.
    """
    slack = recipe("slack")
    events = account.client("events")
    connection = events.create_connection(Name="slack", **slack.properties("Connection"))["ConnectionArn"]
    destination = slack.properties("Destination") | {"ConnectionArn": connection, "InvocationEndpoint": receiver.url}
    arn = events.create_api_destination(Name="slack", **destination)["ApiDestinationArn"]
    text = json.dumps(slack.template)
    for attribute in ("Arn", "ArnForPolicy"):
        text = text.replace(json.dumps({"Fn::GetAtt": ["Destination", attribute]}), json.dumps(arn))
    template = json.loads(text)
    del template["Resources"]["Connection"], template["Resources"]["Destination"]
    (tmp_path / "template.json").write_text(json.dumps(template), encoding="utf-8")
    account.deploy("slack", tmp_path / "template.json")

    account.publish()

    (delivery,) = eventually(lambda: receiver.deliveries)
    message = json.loads(delivery.body)
    assert {"text"} == message.keys()
    assert EVENT["detail"]["targetId"] in message["text"]
    assert "keywright" == delivery.headers["x-sent-by"]


def test_mail(account: Account) -> None:
    """GIVEN the recipe with a queue beside the address WHEN a key has leaked THEN the queue gets the mail."""
    stack = account.deploy("mail")
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="mails")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.client("sns").subscribe(TopicArn=stack["TopicArn"], Protocol="sqs", Endpoint=arn)

    account.publish()

    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    text = json.loads(message["Body"])["Message"]
    assert 4 == len(text.splitlines())
    assert EVENT["detail"]["targetId"] in text


def test_siem(account: Account) -> None:
    """GIVEN the recipe WHEN Firehose gets a leak THEN the bucket has the finding, by date, in one line.

    Streams of Firehose are no targets of rules in the emulator.
    """
    stack = account.deploy("siem")
    s3, firehose = account.client("s3"), account.client("firehose")

    firehose.put_record(DeliveryStreamName=stack["Stream"], Record={"Data": json.dumps(EVENT).encode()})

    (item,) = eventually(lambda: s3.list_objects_v2(Bucket=stack["BucketName"]).get("Contents"))
    assert item["Key"].startswith(time.strftime("ocsf/%Y/%m/", time.gmtime()))
    assert item["Key"].endswith(".json.gz")
    (line,) = s3.get_object(Bucket=stack["BucketName"], Key=item["Key"])["Body"].read().splitlines()
    assert EVENT["detail"]["id"] == json.loads(line)["finding_info"]["uid"]
