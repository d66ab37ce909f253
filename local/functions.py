"""Runs the functions of the template in this process, as Lambda would."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local import credentials
from local.intrinsics import Json, TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.iam import AccessKey, Iam
    from local.template import Function, Stack

_LOG = logging.getLogger(__name__)


class FunctionError(Exception):
    """A function raised an exception, or its answer is not JSON.

    Attributes:
        message: text of the exception, which Lambda reports as errorMessage.
        kind: name of its class, which Lambda reports as errorType.
    """

    def __init__(self, message: str, kind: str = "Exception") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The context object of one invocation.

    Source: AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Python function information".
    """

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    timeout_seconds: int
    aws_request_id: str
    function_version: str = "$LATEST"
    log_stream_name: str = "local"
    client_context: None = None
    identity: None = None
    _started: float = field(default_factory=time.monotonic)

    @property
    def log_group_name(self) -> str:
        """The default name in Lambda. The local service logs all functions to one file."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda would end the invocation; here it may run longer."""
        elapsed_seconds = time.monotonic() - self._started
        return max(0, int((self.timeout_seconds - elapsed_seconds) * 1000))


@dataclass(frozen=True, slots=True)
class Functions:
    """The imported functions of a template, by logical id.

    Attributes:
        keys: access key of each function's role.
    """

    handlers: Mapping[str, Callable[[Json, LambdaContext], Json]]
    definitions: Mapping[str, Function]
    keys: Mapping[str, AccessKey]

    @classmethod
    def load(cls, stack: Stack, iam: Iam) -> Functions:
        """Import every function. As in Lambda, its environment must be set before.

        Raises:
            TemplateError: a handler is missing.
        """
        sys.path[:0] = [str(layer) for layer in stack.layers if str(layer) not in sys.path]
        handlers = {name: _load(function) for name, function in stack.functions.items()}
        credentials.sign_as_the_running_function()
        keys = {name: iam.assume_role(function, function.environment) for name, function in stack.functions.items()}
        return cls(handlers, stack.functions, keys)

    def invoke(self, logical_id: str, event: Json, request_id: str | None = None) -> Json:
        """Invoke a function with an event and return its answer.

        Both are converted to JSON and back, as in Lambda.

        Args:
            logical_id: of the function.
            event: any JSON value.
            request_id: of the invocation; a new one by default.

        Raises:
            FunctionError: the function raised an exception, or its answer is not JSON.
        """
        function = self.definitions[logical_id]
        context = LambdaContext(
            function_name=function.name,
            invoked_function_arn=function.arn,
            memory_limit_in_mb=function.memory_mib,
            timeout_seconds=function.timeout_seconds,
            aws_request_id=request_id or str(uuid.uuid4()),
        )
        try:
            received = json.loads(json.dumps(event))
            with credentials.running_with(self.keys[logical_id]):
                answer: Json = json.loads(json.dumps(self.handlers[logical_id](received, context)))
        except Exception as error:
            message = str(error)
            if message != "Unauthorized":  # how an authorizer denies access; not a failure
                _LOG.exception("%s raised", logical_id)
            raise FunctionError(message, type(error).__name__) from error
        return answer


def _load(function: Function) -> Callable[[Json, LambdaContext], Json]:
    """Import a handler under a unique module name: the files of all functions have the same name."""
    place = f"Resources.{function.logical_id}"
    path = function.directory.joinpath(*function.module.split(".")).with_suffix(".py")
    if not path.is_file():
        raise TemplateError(f"{place}: there is no file {path}")
    specification = importlib.util.spec_from_file_location(f"lambda_function_{function.logical_id}", path)
    if specification is None or specification.loader is None:
        raise TemplateError(f"{place}: {path} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses and pydantic look up their module
    specification.loader.exec_module(module)
    handler: Callable[[Json, LambdaContext], Json] | None = getattr(module, function.attribute, None)
    if handler is None:
        raise TemplateError(f"{place}: {path} has no {function.attribute}")
    return handler
