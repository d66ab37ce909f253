"""Joining JavaScript modules: scopes, names, order, and the refusal of everything that is not understood.

tests/browser/test_console_script.py runs joined modules.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from keywright.api.javascript import JavaScriptError, join

if TYPE_CHECKING:
    from pathlib import Path


def joined(folder: Path, libraries: dict[str, str] | None = None, **modules: str) -> str:
    """Join modules, whose names are those of the arguments."""
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    files = {}
    for number, (name, text) in enumerate((libraries or {}).items()):
        files[name] = folder / f"library{number}.mjs"
        files[name].write_text(text, encoding="utf-8")
    return join(folder, files, [])


def test_a_module_is_a_scope_that_returns_its_exports(tmp_path: Path) -> None:
    """Imports become names of the scope, and exports its result; modules come after those that they import."""
    text = joined(
        tmp_path,
        main='import { a, b as c } from "./x.js";\n\nexport const d = a + c;\n',
        x="const secret = 1;\nexport const a = secret;\nexport function b() {}\n",
    )

    assert text == (
        "const module$x = (() => {\n"
        "const secret = 1;\nconst a = secret;\nfunction b() {}\n"
        ";return { a, b };\n})();\n"
        "const module$main = (() => {\n"
        "const { a, b: c } = module$x;\n"
        "const d = a + c;\n"
        ";return { d };\n})();\n"
    )


def test_each_form_of_export(tmp_path: Path) -> None:
    """Functions, constants and classes are exported."""
    module = (
        "export function a() {}\nexport async function b() {}\nexport const c = 1;\nexport class D {}\n"
        "const hidden = 2;\n"
    )
    text = joined(tmp_path, main=module)

    assert "export " not in text
    assert ";return { a, b, c, D };" in text


def test_a_module_is_joined_once(tmp_path: Path) -> None:
    """A module that two others import has one scope, before both."""
    text = joined(
        tmp_path,
        main='import { b } from "./b.js";\nimport { c } from "./c.js";\n',
        b='import { d } from "./d.js";\nexport const b = d;\n',
        c='import { d } from "./d.js";\nexport const c = d;\n',
        d="export const d = 1;\n",
    )

    assert ["d", "b", "c", "main"] == re.findall(r"const module\$(\w+) = \(", text)


def test_comments_may_stand_before_and_between_imports(tmp_path: Path) -> None:
    """The head of a module is comments, empty lines and imports."""
    text = joined(
        tmp_path,
        main='/**\n * The views: import { nothing }.\n */\n\n// One.\nimport {\n  a,\n} from "./x.js";\n/* Two. */\n'
        'import { b } from "./y.js";\n\n/** Three. */\nexport const c = a + b;\n',
        x="export const a = 1;\n",
        y="export const b = 1;\n",
    )

    assert "const { a } = module$x;\nconst { b } = module$y;\nconst c = a + b;" in text


def test_words_in_comments_and_texts_stay(tmp_path: Path) -> None:
    """The words import and export can be in comments, texts and names."""
    module = (
        "/**\n * Import a key; the export is\n * export const in words.\n */\n"
        'const texts = ["import x", `Please export ${1} import`];\nconst imported = 1, exports = texts.import;\n'
    )

    assert module.partition("*/\n")[2] in joined(tmp_path, main=module)


@pytest.mark.parametrize(
    "module",
    [
        'import * as x from "./x.js";',
        'import "./x.js";',
        "import { a } from './x.js';",
        'import { a } from "./x.js"',
        'import { a } from "./x.js"; import { b } from "./x.js";',
        'import d, { a } from "./x.js";',
        'import a from "./x.js" with { type: "json" };',
        'const y = 1;\nimport { a } from "./x.js";',
        'const x = await import("./x.js");',
        "const url = import.meta.url;",
        "export let a = 1;",
        "export var a = 1;",
        "export default function () {}",
        "export { a };",
        'export { a } from "./x.js";',
        'export * from "./x.js";',
        "export const { a } = {};",
        "export const [a] = [];",
        "export function* a() {}",
        "const b = 1;\n  export const a = 1;",
        "f(); export const a = 1;",
        "{\n  export const a = 1;\n}",
    ],
)
def test_other_forms_are_refused(tmp_path: Path, module: str) -> None:
    """A form of import or export that is not understood is refused, with the name of the module."""
    with pytest.raises(JavaScriptError, match=r"^\./main\.js has a form of import or export that is not understood: "):
        joined(tmp_path, main=f"{module}\n", x="export const a = 1;\nexport const b = 1;\n")


@pytest.mark.parametrize(
    ("imported", "reason"),
    [
        ('{ a } from "./z.js"', "there is no module ./z.js, which ./main.js imports"),
        ('{ a } from "z"', "there is no module z, which ./main.js imports"),
        ('{ a } from "../x.js"', "there is no module ../x.js, which ./main.js imports"),
        ('{ a } from "./folder/x.js"', "there is no module ./folder/x.js, which ./main.js imports"),
        ('{ a } from "https://cdn.example.com/x.js"', "there is no module https://cdn.example.com/x.js, which"),
        ('{ b } from "./x.js"', "./main.js imports b, which ./x.js does not export"),
        ('x from "./x.js"', "./main.js imports default, which ./x.js does not export"),
        ('{ toString } from "./x.js"', "./main.js imports toString, which ./x.js does not export"),
        ('{ a } from "./x.js";\nimport { a as b } from "./x.js"', "./main.js imports ./x.js twice"),
    ],
)
def test_what_is_imported_exists(tmp_path: Path, imported: str, reason: str) -> None:
    """A module or a name that does not exist is refused: the browser would find it only when it is used."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.js").write_text("export const a = 1;\n", encoding="utf-8")

    with pytest.raises(JavaScriptError, match=re.escape(reason)):
        joined(tmp_path, main=f"import {imported};\n", x="export const a = 1;\n")


def test_circles_are_refused(tmp_path: Path) -> None:
    """Modules that import each other are refused: one would run before what it imports."""
    with pytest.raises(JavaScriptError, match=re.escape("modules import each other: ./main.js > ./x.js > ./main.js")):
        joined(
            tmp_path,
            main='import { a } from "./x.js";\nexport const b = 1;\n',
            x='import { b } from "./main.js";\nexport const a = 1;\n',
        )


def test_a_module_cannot_name_the_scope_of_another(tmp_path: Path) -> None:
    """A name like that of a scope is refused: it would hide the scope."""
    with pytest.raises(JavaScriptError, match=re.escape("./main.js has a name with module$")):
        joined(tmp_path, main="const module$x = 1;\n")


def test_names_of_scopes_do_not_collide(tmp_path: Path) -> None:
    """Two modules whose scopes would have one name are refused."""
    with pytest.raises(JavaScriptError, match="differ in punctuation only"):
        joined(
            tmp_path,
            {"a/b": "export{n as b};"},
            main='import { a } from "./a-b.js";\nimport { b } from "a/b";\n',
            **{"a-b": "export const a = 1;\n"},
        )


def test_the_forms_of_libraries(tmp_path: Path) -> None:
    """A minified library has its imports at its beginning, and its exports in one place."""
    text = joined(
        tmp_path,
        {
            "a": "var n=1,t=2;export{n as One,t};\n//# sourceMappingURL=a.mjs.map\n",
            "b": 'import{One as r}from"a";var n=r;export{n as two};\n',
            "c": "var n=3;export default function(t){return n}\n",
        },
        main='import { One, t } from "a";\nimport { two } from "b";\nimport c from "c";\n',
    )

    assert "const module$a = (() => {\nvar n=1,t=2;\n;return { One: n, t };\n})();\n" in text
    assert "const module$b = (() => {\nconst { One: r } = module$a;\nvar n=r;\n;return { two: n };\n})();\n" in text
    assert "var n=3;;const default$=function(t){return n}\n;return { default: default$ };" in text
    assert "const { One, t } = module$a;\nconst { two } = module$b;\nconst { default: c } = module$c;\n" in text
    assert "sourceMappingURL" not in text


@pytest.mark.parametrize(
    "library",
    [
        "var n=1;",
        "var n=1;export{n as a};var t=2;export{t as b};",
        'var n=1;import{x}from"y";export{n as a};',
        'var n=import("y");export{n as a};',
        "var n=1;export default n;",
        "var n=1;export default class{}",
        "export default function(){};export default function(){}",
        'export*from"y";export{n as a};',
        "export const a=1;",
    ],
)
def test_other_forms_of_libraries_are_refused(tmp_path: Path, library: str) -> None:
    """A library with other imports or exports is refused, so an update that brings them is noticed."""
    with pytest.raises(JavaScriptError, match=r"(not|nothing in a form that is) understood"):
        joined(tmp_path, {"a": library}, main='import { a } from "a";\n')


def test_licenses_stand_at_the_top(tmp_path: Path) -> None:
    """The licenses are comments that minifiers keep."""
    (tmp_path / "main.js").write_text("const a = 1;\n", encoding="utf-8")
    (tmp_path / "x.LICENSE").write_text("\nDo as you please.\n\n", encoding="utf-8")

    text = join(tmp_path, {}, [tmp_path / "x.LICENSE"])

    assert text.startswith("/*! The license of x:\n\nDo as you please.\n*/\nconst module$main = ")


def test_a_license_cannot_end_its_comment(tmp_path: Path) -> None:
    """A license that would end its comment is refused."""
    (tmp_path / "main.js").write_text("const a = 1;\n", encoding="utf-8")
    (tmp_path / "x.LICENSE").write_text("*/ alert(1) /*", encoding="utf-8")

    with pytest.raises(JavaScriptError, match=r"x\.LICENSE would end its comment"):
        join(tmp_path, {}, [tmp_path / "x.LICENSE"])
