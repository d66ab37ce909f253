"""JavaScript modules joined into one, so that a page needs one request and no build step.

Each module gets a scope: a function that returns its exports. It understands the few forms of `import` and `export`
that the console's modules and libraries use, and refuses all others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keywright.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_NAME = r"[A-Za-z_$][\w$]*"
_NAMES = rf"\s*{_NAME}(?:\s+as\s+{_NAME})?(?:\s*,\s*{_NAME}(?:\s+as\s+{_NAME})?)*\s*,?\s*"

_IMPORT = re.compile(rf'import(?: (?P<default>{_NAME})| \{{(?P<names>{_NAMES})\}}) from "(?P<source>[^"\n]+)";\n')
_EXPORT = re.compile(rf"^export (?=(?:(?:async )?function|const|class) (?P<name>{_NAME})\b)", re.MULTILINE)
_COMMENT = re.compile(r"\s+|//[^\n]*|/\*.*?\*/", re.DOTALL)
_LOCAL = re.compile(r"\./[a-z][a-z0-9_-]*\.js")
_FORBIDDEN = re.compile(r"(?:^|;)[ \t]*(?:import|export)\b|\bimport\s*[.(]", re.MULTILINE)

_LIBRARY_IMPORT = re.compile(rf'import\{{(?P<names>{_NAMES})\}}from"(?P<source>[^"]+)";')
_LIBRARY_EXPORTS = re.compile(rf"export\{{(?P<names>{_NAMES})\}};?\s*\Z")
_LIBRARY_DEFAULT = re.compile(r"\bexport default (?=function\()")
_WORD = re.compile(r"(?<![.\w$])(?:import|export)\b")

_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*\n?", re.MULTILINE)
_SCOPE = "module$"
"""Beginning of the names of the scopes. No module can have a name with it."""
_ENTRY = "./main.js"


class JavaScriptError(Exception):
    """A module cannot be joined. The message names it and the reason."""


@immutable
class _Module:
    """A module, taken apart.

    Attributes:
        imports: the names that are imported from each source, as (exported name, local name).
        exports: the local name of each exported name.
        code: the rest, without imports and exports.
    """

    imports: Mapping[str, tuple[tuple[str, str], ...]]
    exports: Mapping[str, str]
    code: str


def join(modules: Path, libraries: Mapping[str, Path], licenses: Iterable[Path]) -> str:
    """Return one module with main.js, everything that it imports, and licenses as comments at the top.

    Args:
        modules: the folder of main.js.
        libraries: the files of libraries, by the names that modules import them by.
        licenses: the files with the licenses of the libraries.

    Raises:
        JavaScriptError: a module has a form of import or export that is not understood, imports what does not exist,
            or imports itself through others.
    """
    parsed: dict[str, _Module] = {}
    _add(_ENTRY, modules, libraries, parsed, ())
    names = {source: _SCOPE + re.sub(r"[^a-z0-9]", "_", _bare(source)) for source in parsed}
    if len(set(names.values())) < len(names):
        raise JavaScriptError("two modules have names that differ in punctuation only")
    comments = [_comment(file) for file in licenses]
    return "".join([*comments, *(_scope(names, source, module) for source, module in parsed.items())])


def _add(
    source: str, modules: Path, libraries: Mapping[str, Path], parsed: dict[str, _Module], importers: tuple[str, ...]
) -> None:
    """Add a module after everything that it imports."""
    if source in importers:
        raise JavaScriptError(f"modules import each other: {' > '.join([*importers, source])}")
    if source in parsed:
        return
    if source in libraries:
        module = _parse_library(source, libraries[source].read_text(encoding="utf-8"))
    elif _LOCAL.fullmatch(source) and (modules / source).is_file():
        module = _parse(source, (modules / source).read_text(encoding="utf-8"))
    else:
        raise JavaScriptError(
            f"there is no module {source}, which {importers[-1] if importers else 'is the first'} imports"
        )
    for imported, names in module.imports.items():
        _add(imported, modules, libraries, parsed, (*importers, source))
        for name, _ in names:
            if name not in parsed[imported].exports:
                raise JavaScriptError(f"{source} imports {name}, which {imported} does not export")
    parsed[source] = module


def _parse(source: str, text: str) -> _Module:
    """Take one of our modules apart: imports at the top, and exports at the beginning of a line."""
    imports: dict[str, tuple[tuple[str, str], ...]] = {}
    position = 0
    while match := _IMPORT.match(text, position) or _COMMENT.match(text, position):
        position = match.end()
        if match.re is not _IMPORT:
            continue
        if match["source"] in imports:
            raise JavaScriptError(f"{source} imports {match['source']} twice")
        imports[match["source"]] = (("default", match["default"]),) if match["default"] else _pairs(match["names"])
    body = text[position:]
    exports = {match["name"]: match["name"] for match in _EXPORT.finditer(body)}
    return _Module(imports, exports, _checked(source, _EXPORT.sub("", body), _FORBIDDEN))


def _parse_library(source: str, text: str) -> _Module:
    """Take a minified library apart: imports at its beginning, and its exports in one place."""
    code = _SOURCE_MAP.sub("", text)
    imports: dict[str, tuple[tuple[str, str], ...]] = {}
    while match := _LIBRARY_IMPORT.match(code):
        imports[match["source"]] = _pairs(match["names"])
        code = code[match.end() :]
    if match := _LIBRARY_EXPORTS.search(code):
        exports = {exported: local for local, exported in _pairs(match["names"])}
        code = code[: match.start()]
    elif _LIBRARY_DEFAULT.search(code):
        exports = {"default": "default$"}
        code = _LIBRARY_DEFAULT.sub(";const default$=", code, count=1)
    else:
        raise JavaScriptError(f"{source} exports nothing in a form that is understood")
    return _Module(imports, exports, _checked(source, code, _WORD))


def _pairs(names: str) -> tuple[tuple[str, str], ...]:
    """Return the names of `a, b as c` in pairs: (a, a), (b, c)."""
    parts = [re.split(r"\s+as\s+", item.strip()) for item in names.split(",") if item.strip()]
    return tuple((part[0], part[-1]) for part in parts)


def _checked(source: str, code: str, forbidden: re.Pattern[str]) -> str:
    """Return code in which nothing is left that only the beginning of a module can have."""
    if match := forbidden.search(code):
        line = code[match.start() :].strip().partition("\n")[0]
        raise JavaScriptError(f"{source} has a form of import or export that is not understood: {line[:80]}")
    if _SCOPE in code:
        raise JavaScriptError(f"{source} has a name with {_SCOPE}, which is kept for scopes")
    return code


def _bare(source: str) -> str:
    return source.removeprefix("./").removesuffix(".js")


def _scope(names: Mapping[str, str], source: str, module: _Module) -> str:
    lines = [f"const {names[source]} = (() => {{"]
    for imported, pairs in module.imports.items():
        bound = ", ".join(name if name == local else f"{name}: {local}" for name, local in pairs)
        lines.append(f"const {{ {bound} }} = {names[imported]};")
    lines.append(module.code.strip("\n"))
    returned = ", ".join(name if name == local else f"{name}: {local}" for name, local in module.exports.items())
    lines.extend((f";return {{ {returned} }};", "})();", ""))
    return "\n".join(lines)


def _comment(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if "*/" in text:
        raise JavaScriptError(f"{file.name} would end its comment")
    return f"/*! The license of {file.stem}:\n\n{text.strip()}\n*/\n"
