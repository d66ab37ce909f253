"""The shapes of the events that functions get and of their answers, with the fields that Keywright uses.

Sources: Amazon API Gateway Developer Guide, "Input format of a Lambda function for proxy integration" and "Input to an
API Gateway Lambda authorizer"; AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" and "Handling errors for an
SQS event source".
"""

from __future__ import annotations

from typing import NotRequired, Protocol, TypedDict


class Identity(TypedDict):
    """Where the caller is, and who it is to IAM: absent or null on routes that are not behind AWS_IAM."""

    sourceIp: str
    accountId: NotRequired[str | None]
    caller: NotRequired[str | None]
    userArn: NotRequired[str | None]


class RequestContext(TypedDict):
    """What API Gateway knows of a request. `authorizer` is absent on routes without one."""

    requestId: str
    stage: str
    domainName: str
    identity: Identity
    authorizer: NotRequired[dict[str, str]]


class ProxyEvent(TypedDict):
    """A request. Header names come as the client wrote them."""

    httpMethod: str
    headers: dict[str, str] | None
    pathParameters: NotRequired[dict[str, str] | None]
    queryStringParameters: NotRequired[dict[str, str] | None]
    body: str | None
    isBase64Encoded: bool
    requestContext: RequestContext


class ProxyAnswer(TypedDict):
    """A response."""

    statusCode: int
    headers: dict[str, str]
    body: str


class TokenAuthorizerEvent(TypedDict):
    """The question to a TOKEN authorizer.

    `methodArn` is `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`.
    """

    type: str
    authorizationToken: str
    methodArn: str


class AuthorizerEvent(TypedDict):
    """The question to an authorizer, of type TOKEN or REQUEST, from a REST API or an HTTP API.

    `version` is 1.0 or 2.0 from an HTTP API and absent from a REST API. Payload 2.0 has `routeArn`, in the form of
    `methodArn`, in its place.
    """

    type: str
    version: NotRequired[str]
    authorizationToken: NotRequired[str]
    headers: NotRequired[dict[str, str] | None]
    methodArn: NotRequired[str]
    routeArn: NotRequired[str]


class Statement(TypedDict):
    """One statement of an IAM policy."""

    Action: str
    Effect: str
    Resource: str | list[str]


class PolicyDocument(TypedDict):
    """An IAM policy."""

    Version: str
    Statement: list[Statement]


class AuthorizerAnswer(TypedDict):
    """The answer of a Lambda authorizer; `context` reaches the function as `requestContext.authorizer`."""

    principalId: str
    policyDocument: PolicyDocument
    context: dict[str, str]


class SimpleAnswer(TypedDict):
    """The simple answer to an HTTP API with payload 2.0."""

    isAuthorized: bool
    context: dict[str, str]


class LambdaContext(Protocol):
    """What Keywright uses of Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends this invocation."""
        ...


class QueueMessage(TypedDict):
    """A message, as far as Keywright reads it. The body is what the event bus has put there: an event as JSON."""

    messageId: str
    body: str


class QueueEvent(TypedDict):
    """A batch of messages."""

    Records: list[QueueMessage]


class BatchItemFailure(TypedDict):
    """A message that has to come again."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """What became of a batch: whatever is not named is done, and leaves the queue."""

    batchItemFailures: list[BatchItemFailure]
