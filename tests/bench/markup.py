"""Reads HTML into elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str, kind: str = "") -> list[Element]:
        """Return all such elements inside, of a class if one is given."""
        found = []
        for child in self.children:
            if child.name == name and (not kind or kind in child.kinds):
                found.append(child)
            found += child.all(name, kind)
        return found

    @property
    def kinds(self) -> list[str]:
        return self.attributes.get("class", "").split()

    @property
    def whole_text(self) -> str:
        return self.text + "".join(child.whole_text for child in self.children)


class Reader(HTMLParser):
    """Reads HTML whose elements are closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].text += data


def read(text: str) -> Element:
    reader = Reader()
    reader.feed(text)
    reader.close()
    (root,) = reader.open
    return root


def every(root: Element) -> list[Element]:
    return [each for child in root.children for each in (child, *every(child))]
