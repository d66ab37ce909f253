"""The commands of `scanning`: rules for scanners of leaked keys, and the check of the checksum behind them."""

# no future annotations: typer evaluates those of the commands
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from keywright.domain import key_text
from keywright.operators import scanning
from keywright.settings import KEY_PREFIX
from keywright_admin import terminal
from keywright_admin.command import NAME, OfflineCommand, answer, command
from keywright_admin.deployment import URL
from keywright_admin.failures import ExitCode, UsageError
from keywright_admin.output import CheckedTexts, FoundKey, GitHubPattern, ScanningRules
from keywright_admin.terminal import Column

scanning_commands = typer.Typer(help="Print rules for scanners of leaked secrets, and check what they found.")


def parse_prefix(text: str) -> str:
    """Parse the prefix of keys.

    Raises:
        BadParameter: no deployment can have this prefix.
    """
    if not KEY_PREFIX.fullmatch(text):
        raise typer.BadParameter("a prefix has 2 to 20 lower-case letters, digits and underscores, as kk_")
    return text


PrefixOption = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        metavar="PREFIX",
        parser=parse_prefix,
        help="Beginning of the keys, such as kk_, instead of that of a deployment.",
    ),
]


class Scanner(StrEnum):
    """What a rule is for."""

    GITLEAKS = "gitleaks"
    TRUFFLEHOG = "trufflehog"
    GITHUB = "github"


@command(
    scanning_commands,
    "rules",
    "scanning rules --prefix kk_",
    "scanning rules gitleaks --prefix kk_ > .gitleaks.toml",
    "scanning rules github --stack keywright",
    cls=OfflineCommand,
)
def _rules(
    context: typer.Context,
    scanner: Annotated[
        Scanner | None, typer.Argument(help="Print the configuration for it. Default: explain what a key looks like.")
    ] = None,
    prefix: PrefixOption = None,
) -> None:
    """Print what finds keys in other text: a regular expression, the checksum, and rules for scanners."""
    rules = rules_of(_required(prefix))
    text = {
        None: _explanation,
        Scanner.GITLEAKS: lambda rules: rules.gitleaks,
        Scanner.TRUFFLEHOG: lambda rules: rules.trufflehog,
        Scanner.GITHUB: _github_form,
    }[scanner]
    answer(context, rules, lambda: _print(text(rules)))


@command(
    scanning_commands,
    "check",
    "scanning check --prefix kk_ < app.log",
    "scanning check --prefix kk_ < gitleaks.json",
    cls=OfflineCommand,
)
def _check(context: typer.Context, prefix: PrefixOption = None) -> None:
    """Check the checksums in a text, or in a JSON report of gitleaks or TruffleHog, from standard input.

    Keys are shown with their last four characters only. Exits with 7 if there are any.
    """
    key_prefix = _required(prefix)
    found = list(dict.fromkeys(_found(terminal.read_text(), key_prefix)))
    keys = [each for each in found if scanning.is_key(each.text)]
    output = CheckedTexts(
        keys=[FoundKey(place=each.place, hint=key_text.hint(each.text, key_prefix)) for each in keys],
        others=len({each.text for each in found} - {each.text for each in keys}),
    )
    answer(context, output, lambda: _print_checked(output))
    if keys:
        raise typer.Exit(ExitCode.FOUND)


def _required(prefix: str | None) -> str:
    prefix = prefix or os.environ.get("KEY_PREFIX")
    if not prefix:
        raise UsageError("no prefix: pass --prefix PREFIX, --stack NAME or --local, or set KEY_PREFIX")
    return parse_prefix(prefix)


def _print(text: str) -> None:
    for line in text.splitlines():
        terminal.print_line(line)


# ---- Rules ---------------------------------------------------------------------------------------------------

MINIMUM_ENTROPY = 4
"""Shannon entropy of the characters of a text, in bits. Keys have more than 4.5; `kk_0ExxxxXXXX...` has less than 4."""

_GITLEAKS = """\
# gitleaks cannot compute the checksum of a key. Pipe its report to
# `{name} scanning check --prefix {prefix}`.
[extend]
useDefault = true

[[rules]]
id = "keywright-api-key"
description = "Keywright API key ({prefix})"
regex = '''{pattern}'''
secretGroup = 1
entropy = {entropy}
keywords = ["{prefix}"]
"""

_TRUFFLEHOG = """\
# TruffleHog cannot compute the checksum of a key. Pipe its report to
# `{name} scanning check --prefix {prefix}`.
# There is no `verify`: TruffleHog cannot sign a request as AWS does.
detectors:
  - name: KeywrightApiKey
    keywords:
      - '{prefix}'
    regex:
      key: '{pattern}'
    entropy: {entropy}
"""

_EXPLANATION = """\
A key has {characters} characters: the prefix {prefix}, 86 of base62, and a checksum of 6.
This regular expression, of RE2, finds it; the key is group 1:

{pattern}

The checksum is the CRC-32 of all characters before it, prefix included (that
of gzip and PNG), in base62 with leading zeros. CRC-32 of 123456789 is CBF43926
in hex, and 3jZRME in base62. In Python:

{snippet}
A text with the right checksum is a key of this prefix, or was made up on
purpose: by chance, one of 57 billion has it. Only the service knows whether it
is in use: `keys verify`.

Scanners find texts by the expression, and cannot compute the checksum:

  {name} scanning rules gitleaks     .gitleaks.toml
  {name} scanning rules trufflehog   a custom detector
  {name} scanning rules github       GitHub's partner program
  {name} scanning check              checks what they found
"""

SNIPPET = """\
import string, zlib
B62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
def has_right_checksum(key):
    crc = zlib.crc32(key[:-6].encode("ascii"))
    return key[-6:] == "".join(B62[crc // 62**n % 62] for n in range(6))[::-1]
"""

_GITHUB = """\
For GitHub's secret scanning partner program, send to secret-scanning@github.com
(GitHub Docs, "Secret scanning partner program"):

secret type
  {name}
regular expression
  {pattern}
checksum
  CRC-32 of all characters before it, in the last six ones as base62
  (0-9A-Za-z): `scanning rules` has code to send along
test account
  a user of your identity provider in an organization without customers' data,
  with the role admin, so that GitHub can create keys
endpoint
  {endpoint}

For private repositories, a custom pattern (in the settings of a repository or
an organization on GitHub, under Advanced Security) has the same expression as
its "Secret format". Leave "Before secret" and "After secret" as they are.
"""


def rules_of(prefix: str) -> ScanningRules:
    """Return everything that finds keys of a prefix; of the selected deployment, the endpoint for reports too."""
    values = {"name": NAME, "prefix": prefix, "pattern": scanning.pattern(prefix), "entropy": MINIMUM_ENTROPY}
    url = os.environ.get(URL)
    return ScanningRules(
        prefix=prefix,
        characters=len(prefix) + key_text.TEXT_CHARACTERS,
        pattern=scanning.pattern(prefix),
        gitleaks=_GITLEAKS.format(**values),
        trufflehog=_TRUFFLEHOG.format(**values),
        github=GitHubPattern(
            name=f"{prefix}api_key",
            pattern=scanning.key_pattern(prefix),
            endpoint=f"{url.rstrip('/')}/leaks/github" if url else None,
        ),
    )


def _explanation(rules: ScanningRules) -> str:
    snippet = "".join(f"  {line}\n" for line in SNIPPET.splitlines())
    return _EXPLANATION.format(name=NAME, snippet=snippet, **rules.model_dump())


def _github_form(rules: ScanningRules) -> str:
    form = rules.github
    endpoint = form.endpoint or "the address of the API with /leaks/github; --stack NAME names it"
    return _GITHUB.format(name=form.name, pattern=form.pattern, endpoint=endpoint)


# ---- The check -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """A text with the form of a key, and where a scanner found it."""

    place: str
    text: str


def _found(content: str, prefix: str) -> Iterator[_Found]:
    """Find texts in a report: gitleaks writes a list, TruffleHog a line for each finding. Else in lines of text."""
    for finding in _findings(content):
        for field in _strings(finding):
            for text, _ in scanning.find(field, prefix):
                yield _Found(_place(finding), text)


def _strings(value: object) -> Iterator[str]:
    """Find every string in JSON: a key may be in another field than the secret, such as the line around it."""
    left = [value]
    while left:  # without recursion: JSON may be nested as deeply as its parser allows
        match left.pop():
            case str() as text:
                yield text
            case dict() as fields:
                left += fields.values()
            case list() as items:
                left += items


def _findings(content: str) -> Sequence[dict[str, Any]]:
    lines = content.split("\n")
    for documents in ([content], [line for line in lines if line.strip()]):
        try:
            loaded = [json.loads(document) for document in documents]
        except (ValueError, RecursionError):
            continue
        findings = loaded[0] if len(loaded) == 1 and isinstance(loaded[0], list) else loaded
        if findings and all(isinstance(each, dict) and ("Secret" in each or "Raw" in each) for each in findings):
            return list(findings)
    return [{"Secret": line, "StartLine": number} for number, line in enumerate(lines, 1)]


def _place(finding: dict[str, Any]) -> str:
    """Return file and line; gitleaks has them in the finding, TruffleHog in metadata of the kind of source."""
    metadata = finding.get("SourceMetadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("Data"), dict):
        finding = next((each for each in metadata["Data"].values() if isinstance(each, dict)), {})
    file, line = finding.get("File") or finding.get("file"), finding.get("StartLine") or finding.get("line")
    return ":".join(str(part) for part in (file, line) if part) if file else f"line {line}" if line else "-"


def _print_checked(output: CheckedTexts) -> None:
    terminal.print_table(
        [Column("key"), Column("place", is_text=True)], [(key.hint, key.place) for key in output.keys], "No keys."
    )
    if output.others:
        terminal.print_line(f"{output.others} more with the form of a key and a wrong checksum.")
