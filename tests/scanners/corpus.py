"""Files with keys in them, as people commit them by mistake, and files with tokens that are none."""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keywright.domain import key_text, keyring
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PREFIX = "kk_"
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
TOKENS_OF_A_FILE = 500
"""About 50 KB: gitleaks may cut a key in two in files of more than 100 KB."""
_TAG_KEY = keyring.derive(b"a pepper of no deployment, for tests of scanners").tag_key

# Each file has these lines, with a key in place of ~.
_FORMS: dict[str, list[str]] = {
    "py": [
        'API_KEY = "~"',
        "client = Client(key='~', timeout=3)",
        "curl = 'curl -H x-api-key:~ https://api.example.com'",
        'body = "first line\\n~\\n"',
        'KEYS = ["~","~"]',
    ],
    "js": [
        "const key = `~`;",
        "fetch(url, {headers: {'x-api-key': '~'}});",
        "//~",
        "export const tsv = 'id\\t~\\tname';",
        "const redirect = 'https://example.com/?next=%2F%3Fkey%3D~%26page%3D2';",
    ],
    "env": ["KEYWRIGHT_API_KEY=~", 'export KEY="~"', "KEY='~' # production", "KEYS=~,~", "OLD=~"],
    "yaml": [
        "api_key: ~",
        'key: "~"',
        "- '~'",
        "env: {KEY: ~}",
        "args: [--key, ~]",
        "url: https://user:~@example.com/",
    ],
    "json": [
        '{"key":"~"}',
        '{"nested": "{\\"key\\":\\"~\\"}"}',
        '{"html": "\\u003c~\\u003e"}',
        '["~","~"]',
        '{"~": true}',
    ],
    "xml": ["<key>~</key>", '<add key="ApiKey" value="~"/>', "<![CDATA[~]]>", "<a b='~'/>", "<!--~-->"],
    "md": ["The key is `~`.", "**~**", "_~_", "[try it](https://api.example.com/?key=~)", "    x-api-key: ~", "> ~"],
    "toml": ['key = "~"', "key = '~'", "keys = ['~', '~']", "# ~", '"~" = 1'],
    "sh": [
        'curl -H "x-api-key: ~" https://api.example.com/',
        "export KEY=~",
        "KEY=~ ./run",
        "./run --key=~;",
        "echo $'\\n~'",
    ],
    "csv": ["1,~,active", '2,"~","active"', "~,3", "4;~;", "5\t~\t"],
    "log": [
        "2026-01-02T12:34:56Z GET /items?key=~ 200",
        "x-api-key: ~",
        "key=~, user=1",
        "(~)",
        'GET "/items?key=~&page=2" 401',
    ],
    "tf": ['variable "key" { default = "~" }', 'key = "~"', "key=<<EOF\n~\nEOF", "/* ~ */", 'value = "${x}~"'],
}
FORMATS = tuple(_FORMS)


@dataclass(frozen=True, slots=True)
class Planted:
    """A key in a file."""

    path: Path
    line: int
    key: str


def new_key(draw: random.Random, prefix: str = PREFIX) -> str:
    """Return a key of a random organization."""
    payload = key_text.payload(
        pepper_version=draw.choice([1, 2, 255]),
        organization_id=uuid.UUID(bytes=draw.randbytes(16), version=5),
        key_id=uuid.UUID(
            int=0x01980000_0000_7000_8000_000000000000 + (draw.getrandbits(40) << 80) + draw.getrandbits(62)
        ),
        generation=draw.choice([0, 0, 1, 65535]),
        secret=draw.randbytes(key_text.SECRET_BYTES),
    )
    return key_text.encode(prefix, payload, _TAG_KEY)


def plant_keys(folder: Path, number: int, seed: int = 1) -> list[Planted]:
    """Write at least so many keys into files of every format; return where they are."""
    draw = random.Random(seed)  # noqa: S311 - reproducible
    planted: list[Planted] = []
    files = 0
    while len(planted) < number:
        ending = FORMATS[files % len(FORMATS)]
        path = folder / f"file{files:05}.{ending}"
        files += 1
        text = ""
        for form in _FORMS[ending]:
            text += "".join(f"{line}\n" for line in _other_lines(draw))
            first, *others = form.split("~")
            text += first
            for other in others:
                planted.append(Planted(path, text.count("\n") + 1, new_key(draw)))
                text += planted[-1].key + other
            text += "\n"
        path.write_text(text, encoding="utf-8")
    return planted


def _other_lines(draw: random.Random) -> Iterator[str]:
    """Yield lines without a key, some with other tokens."""
    yield "# " + " ".join("".join(draw.choices(string.ascii_lowercase, k=6)) for _ in range(draw.randint(1, 8)))
    yield f"id: {uuid.UUID(bytes=draw.randbytes(16), version=4)}"
    if draw.random() < 0.3:
        yield f"kk_{''.join(draw.choices(BASE62, k=20))} {draw.randbytes(32).hex()}"


def _base62(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(BASE62, k=length))


BEGINNING = "beginning of a key"
KINDS: dict[str, Callable[[random.Random], str]] = {
    # With the prefix.
    BEGINNING: lambda draw: f"{PREFIX}0{draw.choice('EFGHIJKLMNOPQRS')}{_base62(draw, 90)}",
    "length of a key": lambda draw: PREFIX + _base62(draw, 92),
    "one character more or fewer": lambda draw: f"{PREFIX}0E{_base62(draw, draw.choice([89, 91]))}",
    "other lengths": lambda draw: PREFIX + _base62(draw, draw.randint(8, 128)),
    "behind a longer word": lambda draw: f"{_base62(draw, 8)}{PREFIX}0E{_base62(draw, 90)}",
    # Without it.
    "no prefix": lambda draw: _base62(draw, draw.choice([92, 95])),
    "near 92 characters": lambda draw: _base62(draw, draw.randint(80, 104)),
    "other prefix": lambda draw: f"{draw.choice(['sk_', 'kw_', 'k_', 'KK_', 'kk-', 'key_'])}0E{_base62(draw, 90)}",
    "UUID": lambda draw: str(uuid.UUID(bytes=draw.randbytes(16), version=4)),
    "SHA-256": lambda draw: draw.randbytes(32).hex(),
    "base64": lambda draw: base64.b64encode(draw.randbytes(draw.choice([32, 64, 69]))).decode(),
    "session token": lambda draw: ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg":"RS256"}', json.dumps({"sub": draw.randbytes(9).hex()}).encode(), draw.randbytes(256))
    ),
    "other services": lambda draw: draw.choice(["ghp_", "sk_live_", "xoxb-", "glpat-", "npm_"]) + _base62(draw, 36),
    "integrity": lambda draw: "sha512-" + base64.b64encode(draw.randbytes(64)).decode(),
}
_SHARES = {BEGINNING: 1, "session token": 2}
"""Of 99 tokens; other kinds have 8 each."""
_LINES = ['token = "{}"', "TOKEN={}", "token: {}", "<token>{}</token>", "https://example.com/?token={}&page=2", "`{}`"]


def write_tokens(folder: Path, number: int, seed: int = 2) -> dict[str, int]:
    """Write so many random tokens, one to a line; return how many there are of each kind."""
    draw = random.Random(seed)  # noqa: S311 - reproducible
    kinds = draw.choices(list(KINDS), weights=[_SHARES.get(kind, 8) for kind in KINDS], k=number)
    for start in range(0, number, TOKENS_OF_A_FILE):
        lines = (draw.choice(_LINES).format(KINDS[kind](draw)) for kind in kinds[start : start + TOKENS_OF_A_FILE])
        (folder / f"tokens{start // TOKENS_OF_A_FILE:05}.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    return {kind: kinds.count(kind) for kind in KINDS}


def repository_files() -> list[Path]:
    """Return the files of this repository, without those that its commands make."""
    folders = [ROOT / ".ci", *(path for path in ROOT.iterdir() if not path.name.startswith("."))]
    files = [path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("*"))]
    return sorted(
        path
        for path in [ROOT / ".gitleaks.toml", *files]
        if path.is_file()
        and "__pycache__" not in path.parts
        and not (path.is_relative_to(ROOT / "events") and len(path.relative_to(ROOT).parts) > 3)
    )
