"""Lets functions in the containers of `sam local` use the running service.

SAM CLI gives every container the AWS credentials and the region of the shell, and --env-vars cannot change them
(samcli/local/lambdafn/env_vars.py: only variables of the template). So the path of the endpoint identifies the function
instead of the access key. It ends with a secret, because the endpoint may be open to a network.

usage: python -m local.sam DIRECTORY PYTHON_VERSION ARCHITECTURE

Adapts what `sam build` has written to a directory: adds what `sam local start-api` needs to ask the authorizers, and
makes the platform the default. `make build-local` runs it.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from local.intrinsics import REGION, Json, load_template, mapping
from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from local.iam import AccessKey, Iam

CONTAINER_HOST = "host.docker.internal"
"""The name of this machine in containers: of Docker Desktop, or with `--add-host host.docker.internal:host-gateway`."""

_SCOPE = re.compile(r"\bCredential=[^/, ]+/([^/, ]+)/[^/, ]+/")


def endpoint(iam: Iam, keys: Mapping[str, AccessKey], secret: str, aws: WSGIApplication) -> WSGIApplication:
    """Return an application that forwards the requests of containers to AWS, each with its function's role.

    Args:
        iam: checks each request.
        keys: access key of each function, by logical id.
        secret: the end of every path.
        aws: answers the requests that are allowed.
    """
    guarded = iam.guard(aws)
    callers = {_path(name, secret): key for name, key in keys.items()}

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        caller = callers.get(environ["PATH_INFO"])
        if caller is None:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        signed = _SCOPE.sub(rf"Credential={caller.access_key}/\1/{REGION}/", environ.get("HTTP_AUTHORIZATION", ""))
        return guarded({**environ, "PATH_INFO": "/", "HTTP_AUTHORIZATION": signed}, start_response)

    return application


def variables(environment: Mapping[str, str], functions: Iterable[str], port: int, secret: str) -> str:
    """Return the content of a file for `sam local --env-vars`.

    Args:
        environment: variables of all functions.
        functions: logical ids.
        port: port of the endpoint.
        secret: the end of every path.
    """
    url = f"http://{CONTAINER_HOST}:{port}"
    own = {name: {"AWS_ENDPOINT_URL": f"{url}{_path(name, secret)}"} for name in functions}
    return json.dumps({"Parameters": dict(environment), **own}, indent=2) + "\n"


def _path(function: str, secret: str) -> str:
    return f"/{function}/{secret}"


def adapt(document: dict[str, Json], python_version: str, architecture: str) -> None:
    """Change a template for `sam local`.

    SAM CLI 1.170 ignores the authorizers of an API without a definition (samcli/lib/providers/sam_api_provider.py). Of
    a function's methods for one path it keeps one authorizer at random (api_collector.py), so preflights, which have
    none, are left out.
    """
    parameters = mapping(document.get("Parameters"), "Parameters")
    mapping(parameters["PythonRuntime"], "PythonRuntime")["Default"] = f"python{python_version}"
    mapping(parameters["Architecture"], "Architecture")["Default"] = architecture
    for name, resource in mapping(document.get("Resources"), "Resources").items():
        declared = mapping(resource, name)
        properties = mapping(declared.get("Properties"), name)
        if declared.get("Type") == "AWS::Serverless::Function" and "Events" in properties:
            properties["Events"] = {
                event: content
                for event, content in mapping(properties["Events"], name).items()
                if not _is_preflight(content)
            }
        if declared.get("Type") != "AWS::Serverless::Api":
            continue
        properties["DefinitionBody"] = {"openapi": "3.0.1", "paths": {}}
        for authorizer in mapping(mapping(properties["Auth"], name)["Authorizers"], name).values():
            settings = mapping(authorizer, name)
            identity = mapping(settings.get("Identity"), name)
            if settings.get("FunctionPayloadType") == "REQUEST" and "Headers" not in identity:
                settings["Identity"] = {**identity, "Headers": ["x-api-key"]}


def _is_preflight(event: Json) -> bool:
    return mapping(mapping(event, "Events").get("Properties"), "Events").get("Method") == "OPTIONS"


def main(directory: Path, python_version: str, architecture: str) -> None:
    """Adapt the template of a directory, and put the settings of SAM CLI beside it, where it looks for them."""
    template = directory / "template.yaml"
    document = load_template(template)
    adapt(document, python_version, architecture)
    template.write_text(json.dumps(document, indent=1), encoding="utf-8")
    shutil.copy(ROOT / "samconfig.toml", directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
