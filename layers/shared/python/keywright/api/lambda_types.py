"""Types of Lambda events and results, with the fields that Keywright uses.

Sources: Amazon API Gateway Developer Guide, "Input format of a Lambda function for proxy integration" and "Input to an
API Gateway Lambda authorizer"; AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", "Handling errors for an
SQS event source" and "Using AWS Lambda with Amazon DynamoDB".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NotRequired, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping


class Identity(TypedDict):
    """The caller's address and IAM identity. The identity is absent or null on routes that AWS_IAM does not protect."""

    sourceIp: str
    accountId: NotRequired[str | None]
    caller: NotRequired[str | None]
    userArn: NotRequired[str | None]


class RequestContext(TypedDict):
    """The context of a request. `authorizer` is absent on routes without an authorizer."""

    requestId: str
    stage: str
    domainName: str
    identity: Identity
    authorizer: NotRequired[dict[str, str]]


class ProxyEvent(TypedDict):
    """A request. Header names have the case that the client sent."""

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


class DirectAnswer(TypedDict):
    """The answer to a caller that invokes a function itself.

    `data` and `error` are those of the envelope; `headers` are those that depend on the answer.
    """

    status: int
    headers: dict[str, str]
    data: dict[str, object] | None
    error: dict[str, str | None] | None


class HttpApiRequest(TypedDict):
    """The request to an HTTP API, in the context of payload 2.0."""

    sourceIp: str


class AuthorizerRequestContext(TypedDict):
    """The context of a request that an authorizer is asked about: `identity`, or `http` in payload 2.0."""

    identity: NotRequired[Identity]
    http: NotRequired[HttpApiRequest]


class TokenAuthorizerEvent(TypedDict):
    """The event of a TOKEN authorizer.

    `methodArn` is `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`.
    """

    type: str
    authorizationToken: str
    methodArn: str


class AuthorizerEvent(TypedDict):
    """The event of a TOKEN or REQUEST authorizer, from a REST API or an HTTP API.

    `version` is 1.0 or 2.0 from an HTTP API and absent from a REST API. Payload 2.0 has `routeArn` instead of
    `methodArn`, in the same format. A TOKEN authorizer gets no context of the request.
    """

    type: str
    version: NotRequired[str]
    authorizationToken: NotRequired[str]
    headers: NotRequired[dict[str, str] | None]
    methodArn: NotRequired[str]
    routeArn: NotRequired[str]
    requestContext: NotRequired[AuthorizerRequestContext]


class Statement(TypedDict):
    """One statement of an IAM policy. A condition maps an operator to a key, and this to its values."""

    Action: str
    Effect: str
    Resource: str | list[str]
    Condition: NotRequired[dict[str, dict[str, list[str]]]]


class PolicyDocument(TypedDict):
    """An IAM policy."""

    Version: str
    Statement: list[Statement]


class AuthorizerAnswer(TypedDict):
    """The result of a Lambda authorizer. Functions receive `context` as `requestContext.authorizer`.

    `usageIdentifierKey` is an API key of API Gateway: that of the usage plan that the request counts for.
    """

    principalId: str
    policyDocument: PolicyDocument
    context: dict[str, str]
    usageIdentifierKey: NotRequired[str]


class SimpleAnswer(TypedDict):
    """The simple response of a Lambda authorizer to an HTTP API with payload 2.0."""

    isAuthorized: bool
    context: dict[str, str]


class LambdaContext(Protocol):
    """The part of Lambda's context object that Keywright uses."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends this invocation."""
        ...


class QueueMessage(TypedDict):
    """A message of a queue. The body is an event of the event bus, as JSON."""

    messageId: str
    body: str


class QueueEvent(TypedDict):
    """A batch of messages."""

    Records: list[QueueMessage]


class ChangedItem(TypedDict):
    """A change in a stream: the item after it, in DynamoDB's JSON, and the place in its shard.

    `ApproximateCreationDateTime` is the time of the change by DynamoDB's clock, in seconds.
    """

    SequenceNumber: str
    NewImage: Mapping[str, Any]
    ApproximateCreationDateTime: NotRequired[float]


class StreamRecord(TypedDict):
    """A change of an item, as Lambda reads it from the stream of a table."""

    eventSource: NotRequired[str]
    dynamodb: ChangedItem


class StreamEvent(TypedDict):
    """A batch of changes, in the order of their shard."""

    Records: list[StreamRecord]


class BatchItemFailure(TypedDict):
    """A message to retry, or the place in a shard from which to go on."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """The result of a batch. Messages of a queue that are not listed are deleted; a stream goes on at the place."""

    batchItemFailures: list[BatchItemFailure]
