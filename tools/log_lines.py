"""The lines that Lambda and API Gateway add to the logs, as this template makes them; for their size.

Lambda's are those of its JSON format at the default level INFO (Lambda Developer Guide, "Log-level filtering"; Lambda
Telemetry API, "Event schema definitions"). Whether a request without a trace has the field `tracing` is not documented;
it is counted always. API Gateway's is the format of the template's access log.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from local.intrinsics import mapping, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.intrinsics import Json

_TIME = "2026-11-29T12:34:56.789Z"
_REQUEST_ID = "7d2b8f4e-0000-4000-8000-000000000000"
_TRACE_ID = "1-6352a70e-1e2c502e358361800241fd45"
_FUNCTION = "keywright-VerifyApiKey-1A2B3C4D5E6F"
_VALUES = {
    "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    "xrayTraceId": _TRACE_ID,
    "requestTimeEpoch": "1795989186544",
    "identity.sourceIp": "203.0.113.7",
    "httpMethod": "POST",
    "resourcePath": "/auth/api-keys/verify",
    "status": "200",
    "responseLatency": "16",
    "integration.status": "200",
    "integration.latency": "12",
}
"""Of a verification by POST. Variables without a value become a hyphen."""


def lambda_lines(memory_mb: int) -> list[str]:
    """Return the lines of an invocation.

    Args:
        memory_mb: of the function.
    """
    tracing = {
        "spanId": "24cd7d670fa455f0",
        "type": "X-Amzn-Trace-Id",
        "value": f"Root={_TRACE_ID};Parent=35465b3a9e2f7c6a;Sampled=0",
    }
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{_FUNCTION}"
    metrics = {
        "durationMs": 6.123,
        "billedDurationMs": 7,
        "memorySizeMB": memory_mb,
        "maxMemoryUsedMB": 96,
    }
    return [
        _line(
            "platform.start",
            {"requestId": _REQUEST_ID, "functionArn": arn, "version": "$LATEST", "tracing": tracing},
        ),
        _line(
            "platform.report",
            {"requestId": _REQUEST_ID, "metrics": metrics, "tracing": tracing, "status": "success"},
        ),
    ]


def cold_start_line(memory_mb: int) -> str:
    """Return the line of a cold start.

    Args:
        memory_mb: of the function.
    """
    return _line(
        "platform.initStart",
        {
            "initializationType": "on-demand",
            "phase": "init",
            "runtimeVersion": "python:3.13.v50",
            "runtimeVersionArn": f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}",
            "functionName": _FUNCTION,
            "functionVersion": "$LATEST",
            "instanceId": f"2026/11/29/{_FUNCTION}[$LATEST]{'0' * 32}",
            "instanceMaxMemory": memory_mb * 2**20,
        },
    )


def access_line(api: Mapping[str, Json]) -> str:
    """Return the line of a verification by POST in the access log.

    Args:
        api: the properties of the API.
    """
    line_format = text(mapping(api["AccessLogSetting"], "AccessLogSetting")["Format"], "Format")
    return re.sub(r"\$context\.([A-Za-z.]+)", lambda match: _VALUES.get(match[1], "-"), line_format)


def _line(event: str, record: Mapping[str, object]) -> str:
    return json.dumps({"time": _TIME, "type": event, "record": record}, separators=(",", ":"))
