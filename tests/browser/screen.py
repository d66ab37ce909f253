"""A page as a person uses it: elements by role and name, fields by label, through shadow roots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser.webdriver import wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.webdriver import Browser, Element

_HERE = Path(__file__).parent
_FIND = (_HERE / "find.js").read_text(encoding="utf-8")
_EVERYWHERE = (_HERE / "everywhere.js").read_text(encoding="utf-8")
_TEXT = (_HERE / "text.js").read_text(encoding="utf-8")
_FOCUSED = """let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element;"""


@dataclass(frozen=True, slots=True)
class Screen:
    """A page, or a part of one. Names that end in `…` match the beginning of a name.

    Attributes:
        within: the part; None for the page.
    """

    browser: Browser
    within: Element | None = None

    def all(self, role: str, name: str | None = None) -> list[Element]:
        """Return the elements with a role and a name that are there now."""
        elements: list[Element] = self.browser.run(_FIND, role, name, self.within)
        return elements

    def names(self, role: str, name: str | None = None) -> list[str]:
        """Return the names of the elements with a role and a name that are there now."""
        names: list[str] = self.browser.run(
            f"return (function () {{ {_FIND} }})(...arguments).map((element) => element.computedName.trim())",
            role,
            name,
            self.within,
        )
        return names

    def shows(self, role: str, name: str | None = None) -> bool:
        """Return whether an element is there now."""
        return bool(self.all(role, name))

    def find(self, role: str, name: str | None = None) -> Element:
        """Wait for an element, of which there must be one."""
        elements: list[Element] = wait(lambda: self.all(role, name), f"{role} {name}", self.text)
        assert 1 == len(elements), f"{len(elements)} times {role} {name}"
        return elements[0]

    def part(self, role: str, name: str | None = None) -> Screen:
        """Wait for a part of the page, such as a dialog or a row; return it."""
        return Screen(self.browser, self.find(role, name))

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition returns a true value."""
        wait(condition, "the condition holds", self.text)

    def wait_gone(self, role: str, name: str | None = None) -> None:
        """Wait until an element is not there any more."""
        wait(lambda: not self.all(role, name), f"{role} {name} goes away")

    def click(self, role: str, name: str) -> None:
        """Click on an element."""
        self.browser.click_element(self.find(role, name))

    def field(self, label: str) -> Element:
        """Wait for the field with a label."""
        return self.find("field", label)

    def fill(self, label: str, text: str) -> None:
        """Replace the text of a field by typing."""
        self.browser.type_into(self.field(label), text)

    def set(self, label: str, value: str) -> None:
        """Set the value of a date or time, which people type as their language writes it, and leave the field."""
        self.browser.run(
            """const [field, value] = arguments;
            field.focus();
            Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, value);
            for (const type of ["input", "change"]) {
              field.dispatchEvent(new Event(type, { bubbles: true, composed: true }));
            }""",
            self.field(label),
            value,
        )
        self.browser.press("Shift+Tab")

    def choose(self, label: str, option: str) -> None:
        """Choose an option of a list."""
        self.choose_in(self.field(label), option)

    def choose_in(self, field: Element, option: str) -> None:
        """Choose an option of a list that was found."""
        options = self.browser.run(
            "return [...arguments[0].options].filter((option) => option.label.trim() === arguments[1])", field, option
        )
        assert 1 == len(options), f"{len(options)} options {option}"
        self.browser.click_element(options[0])

    def tick(self, *labels: str) -> None:
        """Click on check boxes or radio buttons."""
        for label in labels:
            self.browser.click_element(self.field(label))

    def value(self, label: str) -> Any:
        """Return the value of a field; of a check box or radio button, whether it is ticked."""
        return self.browser.run(
            """const [{ type, checked, value }] = arguments;
            return ["checkbox", "radio"].includes(type) ? checked : value""",
            self.field(label),
        )

    def attribute(self, element: Element, name: str) -> str | None:
        """Return an attribute of an element."""
        value: str | None = self.browser.run("return arguments[0].getAttribute(arguments[1])", element, name)
        return value

    def text(self) -> str:
        """Return the visible text, with single spaces."""
        return str(self.browser.run(_TEXT, self.within))

    def wait_for_text(self, *parts: str) -> None:
        """Wait until the visible text has all of these parts."""

        def has_all() -> bool:
            text = self.text()
            return all(part in text for part in parts)

        wait(has_all, f"the texts {parts}", self.text)

    def focused(self) -> tuple[str, str]:
        """Return role and name of the element that has the focus."""
        role, name = self.browser.run(
            f"const element = (() => {{ {_FOCUSED} }})();"
            'return [element?.computedRole || element?.tagName || "", (element?.computedName || "").trim()];'
        )
        return role, name

    def tab_to(self, role: str, name: str, *, limit: int = 60) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(limit):
            if self.focused() == (role, name):
                return
            self.browser.press("Tab")
        raise AssertionError(f"Tab does not lead to {role} {name}")

    def kept(self) -> dict[str, str]:
        """Return everything that the page and the browser keep of it, as text, by place."""
        kept: dict[str, str] = self.browser.run(_EVERYWHERE)
        return {**kept, "history": "\n".join(self.browser.history())}
