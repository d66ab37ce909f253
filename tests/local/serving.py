"""A sample project of a template and functions, and a gateway that serves it."""

from __future__ import annotations

import json
import ssl
import textwrap
from typing import TYPE_CHECKING

import httpx

from local.functions import Functions
from local.gateway import Gateway, channel_for
from local.iam import Iam
from local.lambda_api import LambdaApi
from local.server import HOST, Server, port_of, reserve
from local.sigv4 import SigningCredential

if TYPE_CHECKING:
    from pathlib import Path

    from local.template import Stack

ANSWER_SECONDS = 60
"""Timeout of a request. Requests are fast, but a test must not fail on a busy machine."""

PLAIN_HTTP = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""No certificates, as nothing is encrypted: a client would read those of this machine, in 20 ms for each test."""

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  OidcIssuer: {Type: String}
  OidcAudience: {Type: String}
  OrganizationClaim: {Type: String, Default: org_id, AllowedPattern: '[a-z_]+'}
  PublicUrl: {Type: String, Default: '', MaxLength: 40}
  Permissions: {Type: String, Default: 'things:read,things:write'}
Globals:
  Function:
    Handler: handler.handler
    Timeout: 7
    MemorySize: 512
    Environment:
      Variables: {TABLE_NAME: !Ref Table, PEPPER_SECRET_ID: !Ref Pepper, OIDC_ISSUER: !Ref OidcIssuer}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      Auth:
        DefaultAuthorizer: Session
        Authorizers:
          Session:
            FunctionArn: !GetAtt Authorize.Arn
            Identity: {ValidationExpression: '^Bearer [a-z0-9_-]+$', ReauthorizeEvery: 300}
          Asked:
            FunctionPayloadType: REQUEST
            FunctionArn: !GetAtt Authorize.Arn
            Identity: {Headers: [x-api-key], ReauthorizeEvery: 0}
          Fresh:
            FunctionPayloadType: TOKEN
            FunctionArn: !GetAtt Authorize.Arn
            Identity: {Header: X-Token, ReauthorizeEvery: 0}
      GatewayResponses:
        DEFAULT_4XX:
          ResponseParameters: {Headers: {cache-control: "'no-store'"}}
          ResponseTemplates: {application/json: '{"default": "4xx", "type": "$context.error.responseType"}'}
        DEFAULT_5XX:
          StatusCode: 500
          ResponseTemplates: {application/json: '{"default": "5xx"}'}
        UNAUTHORIZED:
          StatusCode: 401
          ResponseParameters:
            Headers:
              www-authenticate: "'Bearer'"
              x-request-id: context.requestId
              x-origin: method.request.header.Origin
          ResponseTemplates:
            application/json: >-
              {"message": $context.error.messageString, "path": "$context.path", "id": "$context.requestId",
              "agent": "$context.identity.userAgent", "docs": "https://docs.example/$context.stage#x"}
        ACCESS_DENIED:
          StatusCode: 403
          ResponseParameters: {Headers: {x-reason: context.authorizer.reason, x-missing: context.authorizer.missing}}
          ResponseTemplates:
            application/json: >-
              {"type": "$context.error.responseType", "reason": "$context.authorizer.reason",
              "missing": "$context.authorizer.missing", "who": "$context.authorizer.principalId",
              "details": $context.authorizer.details, "truth": $context.authorizer.truth}
        INVALID_SIGNATURE:
          StatusCode: 401
          ResponseTemplates: {application/json: '{"signature": "$context.error.responseType"}'}
        MISSING_AUTHENTICATION_TOKEN:
          StatusCode: 404
          ResponseTemplates: {application/json: '{"missing": true}'}
        REQUEST_TOO_LARGE:
          StatusCode: 413
          ResponseTemplates: {application/json: '{"large": true}'}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: sk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}, {AttributeName: sk, KeyType: RANGE}]
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: true
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}
  Pepper:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        SecretStringTemplate: '{"current": 1}'
        GenerateStringKey: '1'
        PasswordLength: 40
        ExcludePunctuation: true
  Authorize:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/authorize}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/echo
      Events:
        Create: {Type: Api, Properties: {Path: /things, Method: post}}
        Open: {Type: Api, Properties: {Path: /open, Method: ANY, Auth: {Authorizer: NONE}}}
        Asked: {Type: Api, Properties: {Path: /asked, Method: get, Auth: {Authorizer: Asked}}}
        Get: {Type: Api, Properties: {Path: '/things/{id}', Method: get, Auth: {Authorizer: NONE}}}
        Current: {Type: Api, Properties: {Path: /things/current, Method: get, Auth: {Authorizer: NONE}}}
        Files: {Type: Api, Properties: {Path: '/files/{path+}', Method: get, Auth: {Authorizer: NONE}}}
        Fresh: {Type: Api, Properties: {Path: /fresh, Method: get, Auth: {Authorizer: Fresh}}}
        AskedForOne: {Type: Api, Properties: {Path: '/asked/{id}', Method: get, Auth: {Authorizer: Asked}}}
        Signed: {Type: Api, Properties: {Path: '/signed/{path+}', Method: ANY, Auth: {Authorizer: AWS_IAM}}}
        SignedAsItself:
          Type: Api
          Properties: {Path: /signed, Method: post, Auth: {Authorizer: AWS_IAM, InvokeRole: NONE}}
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Say:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/say
      Events:
        Say: {Type: Api, Properties: {Path: /say, Method: post, Auth: {Authorizer: NONE}}}
        Signed: {Type: Api, Properties: {Path: /say/signed, Method: post, Auth: {Authorizer: AWS_IAM}}}
Outputs:
  Echo: {Value: !GetAtt Echo.Arn}
"""

# Answers with its event.
ECHO = """
import json

def handler(event, context):
    body = {
        "event": event,
        "function": context.function_name,
        "milliseconds": context.get_remaining_time_in_millis(),
    }
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
"""

# Answers with the body of its event, or raises without one.
SAY = """
import json

def handler(event, context):
    if event["body"] is None:
        raise RuntimeError("no body")
    return json.loads(event["body"])
"""

# The token selects the outcome. Percent-encoding allows characters that a header cannot have.
AUTHORIZE = """
import json
from urllib.parse import unquote

asked = []

def handler(event, context):
    asked.append(event)
    token = event.get("authorizationToken") or event["headers"]["x-api-key"]
    word = unquote(token.removeprefix("Bearer "))
    if word == "unauthorized":
        raise Exception("Unauthorized")
    if word == "crash":
        raise RuntimeError("identity provider is down")
    if word == "surrogate":
        word = chr(0xD800)
    if word == "malformed":
        return {"policyDocument": {}}
    stage = event["methodArn"].split("/")[0] + "/v1/"
    statements = {
        "allow": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": stage + "*"}],
        "deny": [
            {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": stage + "*"},
            {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": stage + "POST/*"},
        ],
    }
    return {
        "principalId": "someone",
        "policyDocument": {"Version": "2012-10-17", "Statement": statements.get(word, [])},
        "context": {
            "organizationId": "o-1", "number": 1, "truth": True, "reason": word, "details": json.dumps({"word": word}),
        },
    }
"""


def write_project(directory: Path) -> None:
    """Write the sample template and its functions to a directory."""
    (directory / "template.yaml").write_text(TEMPLATE)
    for name, code in {"echo": ECHO, "say": SAY, "authorize": AUTHORIZE}.items():
        add_function(directory, name, code)


def add_function(project: Path, name: str, code: str) -> None:
    """Write the handler.py of a function."""
    directory = project / "functions" / name
    directory.mkdir(parents=True)
    (directory / "handler.py").write_text(textwrap.dedent(code))


class Served:
    """A gateway and Lambda's Invoke, which serve a project over HTTP.

    Attributes:
        lines: the lines announced to the terminal.
        now: the clock of the authorizer cache, in seconds.
        credential: the access key for routes with AWS_IAM.
        asked: the events that the authorizer function received.
    """

    def __init__(self, stack: Stack) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        self.credential = SigningCredential.generate()
        functions = Functions.load(stack, Iam())
        listener = reserve(0)
        gateway = Gateway(
            api=stack.api,
            invoke=functions.invoke,
            credential=self.credential,
            domain=f"{HOST}:{port_of(listener)}",
            port=port_of(listener),
            announce=self.lines.append,
            clock=lambda: self.now,
        )
        self.asked: list[dict[str, object]] = functions.handlers["Authorize"].__globals__["asked"]
        invocations = LambdaApi(stack, functions.invoke, self.credential, port_of(listener), self.lines.append)
        application = invocations.in_front_of(gateway)
        self.server = Server(application, listener, threads=4, channel=channel_for(gateway))
        self.client = httpx.Client(base_url=self.server.url, timeout=ANSWER_SECONDS, trust_env=False, verify=PLAIN_HTTP)

    def post(self, path: str, token: str) -> httpx.Response:
        """Send a POST request with a bearer token."""
        return self.client.post(path, headers={"Authorization": f"Bearer {token}"})

    def say(self, answer: object) -> httpx.Response:
        """Make the function behind /say return an answer."""
        return self.client.post("/v1/say", content=json.dumps(answer))

    def stop(self) -> None:
        """Stop the server and close the client."""
        self.client.close()
        self.server.stop()
