"""Random documents of a random schema, spelt in as many ways as XML allows."""

from __future__ import annotations

from random import Random

from tests.fuzz.schemas import Any, Complex, Element, Group, Schema, T, U
from tests.fuzz.texts import Simple

_DEEP = 5
_MANY = 3_000
"""Elements after which a document has only what it must have: a type that holds itself several times would never end."""
_PREFIX = {T: "t", U: "u", "": ""}
_UNKNOWN = [
    '<o:free xmlns:o="urn:o">x</o:free>',
    '<free xmlns="urn:o" a="x"><in xmlns="">x &amp; y</in></free>',
    '<o:free xmlns:o="urn:o" xmlns:p="urn:p" p:a="1"><p:b>p:c</p:b>x</o:free>',
]


class Instances:
    """Makes documents of the element ``Root``."""

    def __init__(self, schema: Schema, seed: int) -> None:
        self._schema = schema
        self._random = Random(seed)
        self._left = 0

    def document(self) -> str:
        self._left = _MANY
        return self._element(self._schema.elements["Root"], 0)

    def _element(self, element: Element, depth: int) -> str:
        r = self._random
        self._left -= 1
        if element.ref:
            element = self._schema.elements[r.choice([element.name, *self._schema.heads.get(element.name, ())])]
        name = f"{_PREFIX[element.namespace]}:{element.name}" if element.namespace else element.name
        if element.type == "":
            return self._any_type(name, element.nillable)
        if isinstance(element.type, Simple):
            if element.nillable and r.random() < 0.2:
                return f'<{name} xsi:nil="{r.choice(["true", "1"])}"/>'
            return f"<{name}>{self._text(element.type.make(r))}</{name}>"
        type, named = self._actual(element.type)
        attributes = named + self._attributes(type)
        if element.nillable and r.random() < 0.2:
            return f'<{name}{attributes} xsi:nil="true"/>'
        content = self._content(type, depth + 1)
        return f"<{name}{attributes}/>" if not content and r.random() < 0.5 else f"<{name}{attributes}>{content}</{name}>"

    def _actual(self, declared: Complex | str) -> tuple[Complex, str]:
        """The type an element has, and the ``xsi:type`` that says so."""
        if isinstance(declared, Complex):
            return declared, ""
        type = self._schema.types[declared]
        choices = [t for t in self._schema.types.values() if self._derives(t, declared) and not t.abstract]
        actual = self._random.choice(choices)
        return actual, "" if actual is type else f' xsi:type="t:{actual.name}"'

    def _derives(self, type: Complex, base: str) -> bool:
        return type.name == base or bool(type.base and self._derives(self._schema.types[type.base], base))

    def _lineage(self, type: Complex) -> list[Complex]:
        return [*self._lineage(self._schema.types[type.base]), type] if type.base else [type]

    def _attributes(self, type: Complex) -> str:
        r = self._random
        parts = []
        for attribute in (a for each in self._lineage(type) for a in each.attributes):
            if attribute.required or r.random() < 0.5:
                name = f"u:{attribute.name}" if attribute.namespace else attribute.name
                parts.append(f' {name}="{_escaped(attribute.type.make(r), attribute=True)}"')
        if any(each.any_attribute for each in self._lineage(type)) and r.random() < 0.5:
            parts.append(' o:free="x y"')
        r.shuffle(parts)
        return "".join(parts)

    def _content(self, type: Complex, depth: int) -> str:
        r = self._random
        if type.simple is not None:
            return self._text(type.simple.make(r))
        pieces = [piece for each in self._lineage(type) if each.content for piece in self._group(each.content, depth)]
        if any(each.mixed for each in self._lineage(type)):
            mixed = [text for piece in pieces for text in (self._loose(), piece)]
            return "".join([*mixed, self._loose()])
        gap = r.choice(["", "", "", "\n  ", "<!-- c -->"])
        return gap.join(["", *pieces, ""]) if pieces else ""

    def _loose(self) -> str:
        return self._random.choice(["", "x ", " y&amp;", "\n"])

    def _group(self, group: Group, depth: int) -> list[str]:
        pieces: list[str] = []
        for _ in range(self._count(group.low, group.high, depth)):
            items = list(group.items)
            if group.kind == "all":
                self._random.shuffle(items)
            if group.kind == "choice":
                items = [self._random.choice(self._shallow(items, depth))]
            for item in items:
                pieces += self._particle(item, depth)
        return pieces

    def _shallow(self, items: list[Element | Any | Group], depth: int) -> list[Element | Any | Group]:
        """The branches of a choice that do not lead deeper, where deep enough."""
        flat = [item for item in items if isinstance(item, Element) and isinstance(item.type, Simple)]
        return flat if self._ending(depth) and flat else items

    def _particle(self, item: Element | Any | Group, depth: int) -> list[str]:
        if isinstance(item, Group):
            return self._group(item, depth)
        times = self._count(item.low, item.high, depth)
        if isinstance(item, Element):
            return [self._element(item, depth) for _ in range(times)]
        return [self._wild(item) for _ in range(times)]

    def _count(self, low: int, high: int | None, depth: int) -> int:
        if self._ending(depth):
            return low
        return self._random.randint(low, min(low + 3, high if high is not None else low + 3))

    def _ending(self, depth: int) -> bool:
        return depth > _DEEP or self._left < 0

    def _wild(self, item: Any) -> str:
        if self._random.random() < 0.5:
            return self._random.choice(_UNKNOWN)
        return self._element(self._schema.elements[self._random.choice(["ga", "gb"])], 9)

    def _any_type(self, name: str, nillable: bool) -> str:
        r = self._random
        forms = [
            f"<{name}>x y</{name}>",
            f"<{name}/>",
            f'<{name} xsi:type="xs:int">{r.randint(-9, 9)}</{name}>',
            f'<{name} xsi:type="xs:string"> x </{name}>',
            f'<{name} xsi:type="xs:dateTime">2026-01-31T24:00:00Z</{name}>',
            f"<{name}>{r.choice(_UNKNOWN)}</{name}>",
            f"<{name}>x{r.choice(_UNKNOWN)}y</{name}>",
        ]
        return f'<{name} xsi:nil="true"/>' if nillable and r.random() < 0.2 else r.choice(forms)

    def _text(self, text: str) -> str:
        if text and self._random.random() < 0.1 and "]]>" not in text and "\r" not in text:
            return f"<![CDATA[{text}]]>"
        return _escaped(text)


def _escaped(text: str, attribute: bool = False) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;").replace("\r", "&#13;")
    return text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;") if attribute else text
