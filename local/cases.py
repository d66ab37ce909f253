"""Recorded cases: the files of events/, expanded to whole events, seeds and expectations.

events/README.md describes the files. `make event` writes whole files, for people and for `sam local invoke`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keywright import clock, errors
from keywright.authorizers.session_token import LEEWAY_SECONDS
from keywright.domain import key_text, keyring
from keywright.store.usage import day_name
from local import github, identity_provider
from local.case_files import EVENTS, CaseError, case_files, merged, patch_of, read
from local.changes import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = Any

_ANSWER_FIELDS = {"headers", "data", "error", "pagination", "body"}
_LISTS = {"headers": "multiValueHeaders", "queryStringParameters": "multiValueQueryStringParameters"}
_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")
_DAY = re.compile(r"(today|day)([+-]\d+)?")
_NULL = "<null>"
_JSON_ATTRIBUTES = {
    "changes": (", ", ": "),
    "metadata": (",", ":"),
    "rate_limit": (",", ":"),
    "quota": (",", ":"),
    "leak": (",", ":"),
}
"""The attributes of items that hold JSON as text, with its separators."""
_SERIALIZER = TypeSerializer()
_ERRORS = {name: asdict(error) for name, error in vars(errors).items() if isinstance(error, errors.ErrorType)}
_SIGNERS = {
    "development": identity_provider.KEY,
    "stranger": Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a stranger's key").digest()),
}


@dataclass(frozen=True)
class Case:
    """A recorded case. A part that cannot be expanded raises CaseError.

    Attributes:
        file: events/<function>/<outcome>_<name>.json.
    """

    file: Path

    def __str__(self) -> str:
        return f"{self.function}-{self.name}"

    @property
    def function(self) -> str:
        """Return the function's folder name."""
        return self.file.parent.name

    @property
    def name(self) -> str:
        """Return the name of the file, without its suffix."""
        return self.file.stem

    @property
    def outcome(self) -> str:
        """Return what the name begins with: a status, or the outcome of a function without a caller."""
        return self.name.partition("_")[0]

    @property
    def status(self) -> int:
        """Return the status that the caller of the API sees."""
        return int(self.outcome)

    @property
    def is_request(self) -> bool:
        """Return whether the event is a request to the API, not a question to an authorizer or an event."""
        return "httpMethod" in self.event and "type" not in self.event

    @property
    def token(self) -> Json:
        """Return the parts of the event's session token, or None."""
        return self._content.get("token")

    @property
    def key(self) -> Json:
        """Return the parts of the event's API key, or None."""
        return self._content.get("key")

    # ---- Event

    @cached_property
    def event(self) -> dict[str, Json]:
        """Return the event of the invocation."""
        if "messages" in self._content:
            return {"Records": [self._message(name, patch) for name, patch in self._patch["messages"].items()]}
        if "records" in self._content:
            return {"Records": [self._stream_record(number, name) for number, name in enumerate(self.records)]}
        event: dict[str, Json] = self._filled(self._content["event"])
        for name, lists in _LISTS.items():
            if event.get(lists) == {}:
                event[lists] = event[name] and {field: [value] for field, value in event[name].items()}
        if isinstance(event.get("body"), dict | list):
            text = json.dumps(event["body"], ensure_ascii=False)
            event["body"] = base64.b64encode(text.encode()).decode() if event["isBase64Encoded"] else text
        return event

    def _github_signature(self) -> str:
        """Return the signature of the body by the development GitHub."""
        body = self._filled(self._content["event"]["body"])
        text = json.dumps(body, ensure_ascii=False) if isinstance(body, dict | list) else str(body)
        return github.sign(text.encode())

    def _message(self, name: str, patch: Json) -> Json:
        """Return a message of the queue, which holds an event of the bus."""
        message = self._filled(merged(read(self._events / "message.json"), patch), name)
        if isinstance(message["body"], dict):
            message["body"] = json.dumps(message["body"], ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.md5(message["body"].encode(), usedforsecurity=False).hexdigest()
        return {**message, "md5OfBody": digest}

    @cached_property
    def records(self) -> dict[str, Json]:
        """Return the items of the records of the stream, by name."""
        return {name: self._stored(item) for name, item in self._items("records").items()}

    def _stream_record(self, number: int, name: str) -> Json:
        """Return a record of the stream, which holds a new item."""
        record = self._filled(read(self._events / "stream_record.json"), name)
        item = {attribute: from_json(value) for attribute, value in self.records[name].items()}
        image = {attribute: _SERIALIZER.serialize(value) for attribute, value in item.items()}
        return merged(
            record,
            {
                "dynamodb": {
                    "Keys": {part: image[part] for part in ("pk", "sk")},
                    "NewImage": image,
                    "SequenceNumber": str(int(record["dynamodb"]["SequenceNumber"]) + number),
                    "SizeBytes": sum(len(f"{attribute}{value}".encode()) for attribute, value in item.items()),
                }
            },
        )

    # ---- Seed

    @cached_property
    def seed(self) -> dict[str, Json]:
        """Return the state before the invocation."""
        seed: dict[str, Json] = self._filled(self._content.get("seed", {}))
        if "environment" in seed:
            seed["environment"] = {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in seed["environment"].items()
            }
        return {**seed, "items": [self._stored(item) for item in self._seeded.values()]}

    @cached_property
    def _seeded(self) -> dict[str, Json]:
        """The items of the seed by name, with placeholders."""
        return self._items("seed", "items")

    def _items(self, part: str, field: str = "") -> dict[str, Json]:
        """Return items by name: those of items.json, patched, and new ones."""
        library = read(self._events / "items.json")
        items = {name: merged(library.get(name, {}), patch) for name, patch in _named(self._patch, part, field)}
        for name, item in items.items():
            if not item.keys() >= {"pk", "sk"}:
                place = ".".join(filter(None, (part, field, name)))
                raise CaseError(self.file, place, "not in events/items.json, and without pk and sk")
        return items

    def _seed_item(self, field: str, name: str) -> Json:
        if name not in self._seeded:
            raise CaseError(self.file, field, f"no item {name} in the seed: {', '.join(self._seeded) or 'empty'}")
        return self._seeded[name]

    def _stored(self, item: Json) -> Json:
        """Return an item as the table stores it."""
        item = self._filled(item)
        for name, separators in _JSON_ATTRIBUTES.items():
            if isinstance(item.get(name), dict):
                item[name] = json.dumps(item[name], ensure_ascii=False, separators=separators)
        return item

    # ---- Expectation

    @cached_property
    def expected(self) -> dict[str, Json]:
        """Return the expected outcome."""
        expected: dict[str, Json] = self._filled(self._content["expected"])
        if "answer" in expected:
            expected["answer"] = self._answer(expected["answer"])
        if "put_aside" in expected:
            expected["put_aside"] = [
                {"messageId": self._id_in_batch("expected.put_aside", name), "reason": reason}
                for name, reason in expected["put_aside"].items()
            ]
        return {
            **expected,
            "added": self._ordered(self._items("expected", "added").values()),
            "changed": self._ordered(
                merged(self._seed_item(f"expected.changed.{name}", name), patch)
                for name, patch in _named(self._patch, "expected", "changed")
            ),
            "removed": self._ordered(
                {part: self._seed_item("expected.removed", name)[part] for part in ("pk", "sk")}
                for name in expected.get("removed", [])
            ),
        }

    def _ordered(self, items: Iterable[Json]) -> list[Json]:
        """Return items ordered by key, or as written where only matchers differ."""
        stored = [self._stored(item) for item in items]
        return sorted(stored, key=lambda item: (item["pk"], item["sk"].partition("<")[0]))

    def _answer(self, answer: Json) -> Json:
        """Return an answer: to API Gateway with status and envelope, to a queue with the ids of its messages."""
        if "Records" in self.event:
            failed = [self._id_in_batch("expected.answer", name) for name in answer["batchItemFailures"]]
            return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
        if not self.is_request:
            return answer
        for name in answer.keys() - _ANSWER_FIELDS:
            known = ", ".join(sorted(_ANSWER_FIELDS))
            raise CaseError(self.file, f"expected.answer.{name}", f"unknown; known are {known}")
        return {"statusCode": self.status, "headers": answer["headers"], "body": self._body(answer)}

    def _body(self, answer: Json) -> Json:
        """Return the body of an answer, parsed."""
        if "body" in answer:
            return answer["body"]
        pagination = {"pagination": answer["pagination"]} if "pagination" in answer else {}
        if "error" in answer:
            return {"data": None, "error": self._error(answer["error"]), **pagination}
        if "data" in answer:
            return {"data": answer["data"], "error": None, **pagination}
        raise CaseError(self.file, "expected.answer", "one of data, error and body is required")

    def _error(self, error: Json) -> Json:
        """Return an error in an answer: one of keywright.errors, or one with another message and hint."""
        changes = {"code": error} if isinstance(error, str) else error
        if changes["code"] not in _ERRORS:
            raise CaseError(self.file, "expected.answer.error", f"keywright.errors has no {changes['code']}")
        catalogued, context = _ERRORS[changes["code"]], self.event["requestContext"]
        return {
            "code": catalogued["code"],
            "message": changes.get("message", catalogued["message"]),
            "hint": changes.get("hint", catalogued["hint"]),
            "docs": f"https://{context['domainName']}/{context['stage']}/docs#{catalogued['code']}",
        }

    def _id_in_batch(self, field: str, name: str) -> str:
        """Return what names a part of a batch: the id of a message, or the place of a record in its shard."""
        if "records" not in self._content:
            return self._message_id(field, name)
        if name not in self.records:
            raise CaseError(self.file, field, f"there is no record {name}")
        number: str = self.event["Records"][list(self.records).index(name)]["dynamodb"]["SequenceNumber"]
        return number

    def _message_id(self, field: str, name: str) -> str:
        if name not in self._content["messages"]:
            raise CaseError(self.file, field, f"there is no message {name}")
        return self._id(name)

    # ---- Content

    @property
    def _events(self) -> Path:
        return self.file.parents[1]

    @cached_property
    def _patch(self) -> Json:
        """The file on top of its bases."""
        return patch_of(self.file)

    @cached_property
    def _content(self) -> Json:
        return merged({}, self._patch)

    def _filled(self, value: Json, message: str = "") -> Json:
        """Return a value with placeholders replaced, inside a message of the batch if one is named."""
        if isinstance(value, dict):
            return {self._filled(name, message): self._filled(part, message) for name, part in value.items()}
        if isinstance(value, list):
            return [self._filled(part, message) for part in value]
        if not isinstance(value, str):
            return value
        if value == _NULL:
            return None
        return _PLACEHOLDER.sub(lambda match: str(self._filled(self._value(match[1], message), message)), value)

    def _value(self, name: str, message: str) -> Json:
        """Return the value of a placeholder: computed, repeated (`x * 3`), or that of another place."""
        computed: dict[str, Callable[[], Json]] = {
            "id": lambda: self._id(message),
            "event_id": lambda: self._id(message, "event"),
            "path": self._path,
            "session_token": lambda: session_token(self._place("token")),
            "session_known_until": lambda: self._place("token.claims.exp") + LEEWAY_SECONDS,
            "api_key": lambda: api_key(self._place("key")),
            "github_signature": self._github_signature,
        }
        if name in computed:
            return computed[name]()
        if day := _DAY.fullmatch(name):
            date = clock.now().date() + timedelta(days=int(day[2] or 0))
            return date.isoformat() if day[1] == "today" else day_name(date)
        return name[0] * int(name[4:]) if name[1:4] == " * " else self._place(name)

    def _place(self, name: str) -> Json:
        """Return the value at a place, such as event.requestContext.stage."""
        value: Json = {**self._content, "errors": _ERRORS}
        for part in name.split("."):
            if not isinstance(value, dict) or part not in value:
                raise CaseError(self.file, f"${{{name}}}", "there is no such value")
            value = value[part]
        return value

    def _id(self, *parts: str) -> str:
        """Return a UUID of version 4 that is always the same for this case."""
        text = "/".join((self.function, self.name, *filter(None, parts)))
        return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))

    def _path(self) -> str:
        parameters = self._place("event.pathParameters")
        return str(self._place("event.resource").format_map({} if parameters == _NULL else parameters))


def _named(patch: Json, part: str, field: str) -> Iterable[tuple[str, Json]]:
    """Return the objects of a part of a patch, or of a field of it, by name, without those that are removed."""
    within = patch.get(part) or {}
    named = (within.get(field) or {}) if field else within
    return [(name, value) for name, value in named.items() if value is not None]


def session_token(token: Json) -> str:
    """Return a signed session token."""
    return identity_provider.sign(token["header"], token["claims"], _SIGNERS[token["signer"]])


def api_key(key: Json) -> str:
    """Return the text of an API key."""
    payload = key_text.payload(
        pepper_version=key["pepper_version"],
        organization_id=uuid.UUID(key["organization_id"]),
        key_id=uuid.UUID(key["key_id"]),
        generation=key["generation"],
        secret=key["secret"].encode(),
    )
    return key_text.encode("kk_", payload, keyring.derive(key["pepper"].encode()).tag_key)


def read_cases(events: Path = EVENTS, function: str = "*") -> list[Case]:
    """Return the cases of one function or of all, ordered by name."""
    return [Case(file) for file in case_files(events, function)]


def recorded(path: Path) -> Case | None:
    """Return the case that a path names, with or without `.json`; None for the path of anything else."""
    path = path.resolve()
    file = path if path.suffix == ".json" else Path(f"{path}.json")
    return Case(file) if file in case_files() else None


def write(case: Case) -> Path:
    """Write event.json, seed.json and expected.json of a case into a folder of its name; return the folder."""
    folder = case.file.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, content in (("event", case.event), ("seed", case.seed), ("expected", case.expected)):
        (folder / f"{name}.json").write_text(f"{json.dumps(content, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    return folder


def main(names: list[str]) -> int:
    """Write the whole files of the named cases, or of all, or (`--missing`) of those that have none."""
    if names == ["--missing"]:
        for case in read_cases():
            if not (case.file.with_suffix("") / "event.json").is_file():
                write(case)
        return 0
    cases = [Case(EVENTS / f"{name}.json") for name in names] or read_cases()
    for case in cases:
        if not case.file.is_file():
            print(f"there is no case {case.function}/{case.name} in {EVENTS}", file=sys.stderr)
            return 1
        print(write(case).relative_to(EVENTS.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
