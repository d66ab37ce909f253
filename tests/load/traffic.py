"""Callers that send one request after the other, each over one connection, and check every answer."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.api.deployment import AUDIT_LOGS, CREATE, CURRENT, KEY, ROTATE, VERIFY
from tests.api.signing import signed
from tests.load.books import Books, Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ANSWER_SECONDS = 60
"""A request waits behind those of all other connections."""
MOST_KEYS = 25
"""Limit for the keys of a caller, which keeps lists and memory bounded."""
UNANSWERED = 503
MOST_ATTEMPTS = 30
"""Limit of attempts on a 503; more are a violation."""
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Figures:
    """Answers of all callers.

    Attributes:
        answers: number of answers, by operation and status.
        seconds: duration of each answer, by operation.
        violations: unexpected answers.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, operation: str, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._lock:
            self.answers[operation, status] += 1
            self.seconds.setdefault(operation, []).append(seconds)

    def violated(self, what: str) -> None:
        """Record a violation."""
        with self._lock:
            self.violations.append(what)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service."""

    status: int
    headers: Mapping[str, str]
    content: dict[str, Any]

    @property
    def code(self) -> str:
        """Return the error's code; OK for a success."""
        error = self.content["error"]
        return "OK" if error is None else str(error["code"])


class Caller:
    """An admin of an organization, and a backend that verifies its keys.

    Args:
        stack: the content of stack.json.
        token: a session token.
        books: record of this caller's answers.
        figures: record of all callers' answers.
        seed: seed of its random choices.
    """

    def __init__(self, stack: Mapping[str, Any], token: str, books: Books, figures: Figures, seed: int) -> None:
        address = urlsplit(stack["base_url"])
        self._base, self._path = stack["base_url"], address.path
        self._iam = stack["iam"]
        self._session = {"authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection(address.netloc, timeout=ANSWER_SECONDS)
        self._books, self._figures = books, figures
        self._random = random.Random(seed)  # noqa: S311 - a seed that can be repeated
        self._keys: list[Key] = []

    def run(self, begin: threading.Barrier, seconds: float) -> None:
        """Send requests until the time is over, then check every key. Never raises: violations are recorded."""
        acts: list[Callable[[], None]] = [
            self._verify,
            self._current,
            self._forged,
            self._create,
            self._update,
            self._rotate,
            self._delete,
            self._get,
            self._list,
            self._list_audit_logs,
        ]
        weights = [40, 12, 8, 10, 8, 4, 4, 6, 5, 3]
        begin.wait()
        ends_at = time.monotonic() + seconds
        try:
            while time.monotonic() < ends_at:
                self._random.choices(acts, weights)[0]()
            for key in self._keys:
                # A use whose write failed is written with the next one.
                for _ in range(2 + key.unanswered_uses):
                    self._verified(key)
        except Exception as error:  # noqa: BLE001 - recorded for the main thread
            self._figures.violated(f"{type(error).__name__}: {error}")
        finally:
            self._connection.close()

    def _create(self) -> None:
        if len(self._keys) >= MOST_KEYS:
            self._delete()
            return
        name, repeat = self._name(), {"idempotency-key": str(uuid.UUID(int=self._random.getrandbits(128)))}
        body = {"name": name, "permissions": ["sessions:read"]}
        created = self._until_answered("create", "POST", CREATE, body, repeat)
        key = Key(created["id"], created["key"], name)
        self._keys.append(key)
        self._books.keys[key.id] = key
        self._books.changes["api_key.created"] += 1
        is_trusted = self._random.random() < 0.8
        if not is_trusted and created != self._until_answered("create again", "POST", CREATE, body, repeat):
            self._figures.violated(f"key {key.id} was created twice with one Idempotency-Key")

    def _update(self) -> None:
        for key in self._some_key():
            name, is_enabled = self._name(), self._random.random() < 0.7
            answer = self._ask("update", "PATCH", KEY.format(id=key.id), {"name": name, "enabled": is_enabled})
            if answer.status == UNANSWERED:
                shown = self._until_answered("get", "GET", KEY.format(id=key.id))
                if (shown["name"], shown["enabled"]) != (name, is_enabled):
                    return
            else:
                self._expect(answer, "OK", "update")
                changed = answer.content["data"]["apiKey"]
                if (changed["id"], changed["name"], changed["enabled"]) != (key.id, name, is_enabled):
                    self._figures.violated(f"the answer to the change of key {key.id} shows another key")
            key.name, key.enabled = name, is_enabled
            self._books.names.append(name)
            self._books.changes["api_key.updated"] += 1

    def _rotate(self) -> None:
        for key in self._some_key():
            repeat = {"idempotency-key": str(uuid.UUID(int=self._random.getrandbits(128)))}
            before = key.text
            rotated = self._until_answered("rotate", "POST", ROTATE.format(id=key.id), None, repeat)
            if (rotated["apiKey"]["id"], rotated["apiKey"]["hint"][-4:]) != (key.id, rotated["key"][-4:]):
                self._figures.violated(f"the answer to the rotation of key {key.id} shows another key")
            key.text = rotated["key"]
            key.generation += 1
            self._books.changes["api_key.rotated"] += 1
            # Without a grace period the previous text ends with the answer.
            if self._refused(before):
                key.retired_uses += 1
            else:
                key.unanswered_retired_uses += 1

    def _delete(self) -> None:
        for key in self._some_key():
            answer = self._ask("delete", "DELETE", KEY.format(id=key.id))
            is_told = answer.status != UNANSWERED
            for _ in range(MOST_ATTEMPTS):
                if answer.status != UNANSWERED:
                    break
                answer = self._ask("delete", "DELETE", KEY.format(id=key.id))
            if is_told or answer.code != "API_KEY_NOT_FOUND":  # or an unanswered request has deleted it
                self._expect(answer, "OK", "delete")
            text, key.text = key.text, ""
            self._keys.remove(key)
            self._books.changes["api_key.deleted"] += 1
            self._refused(text)

    def _verify(self) -> None:
        for key in self._some_key():
            self._verified(key)

    def _verified(self, key: Key) -> None:
        answer = self._ask_as_backend(key.text)
        if answer.status == UNANSWERED:
            key.unanswered_uses += 1
            return
        code = answer.content["data"]["code"]
        if code != key.code:
            self._figures.violated(f"key {key.id} was {code} where it has to be {key.code}")
        key.uses += code == "VALID"

    def _refused(self, text: str) -> bool:
        """Verify a text that has to be refused; return whether there was an answer."""
        answer = self._ask_as_backend(text)
        if answer.status == UNANSWERED:
            return False
        if answer.content["data"]["code"] != "NOT_FOUND":
            self._figures.violated(f"a text that was rotated or deleted was {answer.content['data']['code']}")
        return True

    def _forged(self) -> None:
        for key in self._some_key():
            place = self._random.randrange(len(key.text) - 60, len(key.text))
            letter = self._random.choice(_LETTERS.replace(key.text[place], ""))
            self._refused(key.text[:place] + letter + key.text[place + 1 :])

    def _current(self) -> None:
        for key in self._some_key():
            answer = self._ask("current", "GET", CURRENT, headers={"x-api-key": key.text})
            if answer.status == UNANSWERED:
                key.unanswered_uses += 1
                return
            self._expect(answer, "OK" if key.enabled else "UNAUTHORIZED", "current")
            key.uses += key.enabled

    def _get(self) -> None:
        for key in self._some_key():
            answer = self._ask("get", "GET", KEY.format(id=key.id))
            if answer.status != UNANSWERED:
                self._expect(answer, "OK", "get")
                shown = answer.content["data"]
                if (shown["name"], shown["enabled"]) != (key.name, key.enabled):
                    self._figures.violated(f"key {key.id} is shown as it was not left")

    def _list(self) -> None:
        answer = self._ask("list", "GET", f"{CREATE}?limit=50")
        if answer.status != UNANSWERED:
            self._expect(answer, "OK", "list")

    def _list_audit_logs(self) -> None:
        answer = self._ask("audit logs", "GET", f"{AUDIT_LOGS}?limit=50")
        if answer.status != UNANSWERED:
            self._expect(answer, "OK", "audit logs")

    def _some_key(self) -> Iterable[Key]:
        """Return one of the caller's keys in a list; an empty one without keys."""
        return [self._random.choice(self._keys)] if self._keys else []

    def _name(self) -> str:
        return f"load {self._random.getrandbits(64):016x}"

    def _until_answered(
        self, operation: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Repeat a request on a 503, as callers with an Idempotency-Key do; return the data."""
        for _ in range(MOST_ATTEMPTS):
            answer = self._ask(operation, method, path, body, headers)
            if answer.status != UNANSWERED:
                break
            time.sleep(1)  # as retry-after says
        self._expect(answer, "OK", operation)
        data: dict[str, Any] = answer.content["data"]
        return data

    def _expect(self, answer: Answer, code: str, operation: str) -> None:
        if answer.code != code:
            raise AssertionError(f"{operation} was answered {answer.status} {answer.code}, and not {code}")

    def _ask_as_backend(self, text: str) -> Answer:
        body = json.dumps({"key": text}).encode()
        return self._send("verify", "POST", VERIFY, body, signed(self._base + VERIFY, body, self._iam))

    def _ask(
        self, operation: str, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json"} if content else {}
        who = {} if headers and "x-api-key" in headers else self._session
        return self._send(operation, method, path, content, {**sent, **who, **(headers or {})})

    def _send(self, operation: str, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        started = time.monotonic()
        self._connection.request(method, self._path + path, body, dict(headers))
        response = self._connection.getresponse()
        content = json.loads(response.read())
        self._figures.add(operation, response.status, time.monotonic() - started)
        answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
        if response.status >= 500 and (response.status, answer.code) != (UNANSWERED, "SERVICE_UNAVAILABLE"):
            raise AssertionError(f"{operation} was answered {response.status} {answer.code}")
        return answer
