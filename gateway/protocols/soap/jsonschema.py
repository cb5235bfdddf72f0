"""JSON Schema (2020-12, as OpenAPI 3.1 uses it) of what operations take and give.

Requests are described as strictly as the encoder checks them. Answers are described as loosely as the decoder reads them: an
enumeration there is ``x-extensible-enum`` and lengths are left out, because an ERP's new code must not break a client's check.
Complex types become ``$defs``, so that recursion and size are no matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from gateway.protocols.soap import lexical
from gateway.protocols.soap.form import AnySlot, Block, Form, FormNode, Items, form_of, keys, nullable
from gateway.protocols.soap.model import (
    ANY_TYPE,
    ArrayType,
    Attribute,
    ComplexType,
    Contract,
    Element,
    Message,
    Operation,
    SimpleType,
    Type,
    local,
    namespace,
)

Schema = dict[str, Any]
Direction = Literal["request", "answer"]
Says = Literal["", "named", "either"]


def request_schema(contract: Contract, operation: Operation, *, ref: str = "#/$defs/") -> Schema:
    """The schema of the request value. ``ref`` is the prefix of references; the definitions are under ``$defs``."""
    return _Describer(contract, "request", ref, operation.input.encoded).message(operation.input)


def answer_schema(contract: Contract, operation: Operation, *, ref: str = "#/$defs/") -> Schema | None:
    """The schema of the answer value, None for a one-way operation."""
    output = operation.output
    return _Describer(contract, "answer", ref, output.encoded).message(output) if output else None


def fault_schemas(contract: Contract, operation: Operation, *, ref: str = "#/$defs/") -> dict[str, Schema]:
    """For each declared fault, by the key it has in a problem's ``fault.detail``, the schema of its value."""
    encoded = operation.output is not None and operation.output.encoded
    return {local(name): _Describer(contract, "answer", ref, encoded).root(e) for name, e in operation.faults.items()}


class _Describer:
    def __init__(self, contract: Contract, direction: Direction, ref: str, encoded: bool) -> None:
        self._contract = contract
        self._encoded = encoded
        self._answer = direction == "answer"
        self._ref = ref
        self._names: dict[str, str] = {}
        self._definitions: Schema = {}

    def message(self, message: Message) -> Schema:
        if message.keyed or not message.body:
            schema = self._closed({local(e.name): self._element(e) for e in message.body})
        else:
            schema = self._part(message.body[0])
        if message.headers:
            schema = self._with_headers(schema, message)
        if message.attachments and self._answer:
            schema = self._with_attachments(schema)
        return self._finished(schema)

    def _part(self, element: Element) -> Schema:
        """The one thing in the body. The wrapper of an encoded message is no accessor, so it is never nil."""
        type = self._contract.types[element.type]
        return self._complex(type) if self._encoded and isinstance(type, ComplexType) else self._element(element)

    def root(self, element: Element) -> Schema:
        return self._finished(self._element(element))

    def _finished(self, schema: Schema) -> Schema:
        return {**schema, "$defs": self._definitions} if self._definitions else schema

    def _closed(self, properties: Schema, required: Iterable[str] | None = None) -> Schema:
        needed = list(properties if required is None else required)
        return {
            "type": "object",
            "properties": properties,
            **({"required": needed} if needed else {}),
            "additionalProperties": False,
        }

    def _with_headers(self, schema: Schema, message: Message) -> Schema:
        headers = self._closed({local(e.name): self._element(e) for e in message.headers}, ())
        inner = self._inline(schema)
        if inner.get("type") != "object":
            return {"anyOf": [schema, self._closed({"$value": schema, "$headers": headers})]}
        return {**inner, "properties": {**inner["properties"], "$headers": headers}}

    def _with_attachments(self, schema: Schema) -> Schema:
        """An object gains a key; what is none is wrapped; what may be either is left open."""
        texts: Schema = {"id": {"type": "string"}, "contentType": {"type": "string"}}
        item = self._closed({**texts, "content": {"type": "string", "contentEncoding": "base64"}})
        own: Schema = {"$attachments": {"type": "array", "items": item}}
        inner = self._inline(schema)
        if inner.get("type") == "object":
            needed = [*inner.get("required", ()), "$attachments"]
            return {**inner, "properties": {**inner["properties"], **own}, "required": needed}
        if "type" in inner:
            return self._closed({"$value": schema, **own})
        return {"type": "object", "properties": own, "required": ["$attachments"]}

    def _inline(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        found: Schema = self._definitions[reference.removeprefix(self._ref)] if isinstance(reference, str) else schema
        return found

    # --- elements ----------------------------------------------------------------------------------------------------

    def _element(self, element: Element) -> Schema:
        type = self._contract.types[element.type]
        if isinstance(type, SimpleType):
            schema = self.simple(type)
        elif type.key == ANY_TYPE or (isinstance(type, ArrayType) and not self._encoded):
            schema = {"description": 'any value: a string, {"$type": …} or {"$xml": …}'}
        elif isinstance(type, ArrayType):
            schema = self._array(type)
        else:
            schema = self._complex(type)
        if element.fixed is not None and isinstance(type, SimpleType) and not self._answer:
            schema = {**schema, "description": f"always {element.fixed}"}
        if (element.nillable or self._encoded) and element.type != ANY_TYPE:
            schema = {"anyOf": [schema, *self._nil(type)]}
        if element.documentation:
            schema = {**schema, "description": element.documentation}
        if namespace(element.name):
            schema = {**schema, "xml": {"name": local(element.name), "namespace": namespace(element.name)}}
        return schema

    def _array(self, type: ArrayType) -> Schema:
        schema = self._element(Element("item", type.item))
        for _ in range(type.rank):
            schema = {"type": "array", "items": schema}
        return schema

    def _nil(self, type: Type) -> list[Schema]:
        null: Schema = {"type": "null"}
        if not isinstance(type, ComplexType) or self._encoded:
            return [null]
        derived = [self._contract.types[key] for key in self._contract.derived.get(type.key, ())]
        variants = [self._nil_object(t, t) for t in derived if isinstance(t, ComplexType) and not t.abstract]
        if type.attributes or type.any_attribute is not None:
            variants.insert(0, self._nil_object(type, None))
        return variants if any(attribute.required for attribute in type.attributes) else [null, *variants]

    def _nil_object(self, type: ComplexType, named: ComplexType | None) -> Schema:
        """A nil element with attributes, or of a type that has to be named."""
        form = form_of(type)
        attributes = form.attributes
        properties: Schema = {"$nil": {"const": True}} | ({"$type": {"const": type.key}} if named is not None else {})
        required = [*properties, *(key for key, attribute in attributes if attribute.required)]
        schema = self._closed(properties | {key: self._attribute(attribute) for key, attribute in attributes}, required)
        return self._decorated(schema, type, form, [])

    def _complex(self, type: ComplexType) -> Schema:
        derived = [self._contract.types[key] for key in self._contract.derived.get(type.key, ())]
        concrete = [t for t in derived if isinstance(t, ComplexType) and not t.abstract]
        if not concrete:
            return self._reference(type, "")
        variants = [] if type.abstract else [self._reference(type, "" if self._answer else "either")]
        variants += [self._reference(t, "named") for t in concrete]
        mapping = {t.key: self._reference(t, "named")["$ref"] for t in concrete}
        return {"oneOf": variants, "discriminator": {"propertyName": "$type", "mapping": mapping}}

    def _reference(self, type: ComplexType, says: Says) -> Schema:
        """A reference to a type's definition. ``says``: whether its values say their type, must, or may do ``either``."""
        key = f"{type.key} {says}"
        if key not in self._names:
            name = self._unused(re.sub(r"[^A-Za-z0-9._-]", "", local(type.key)) + (f".{says}" if says else ""))
            self._names[key] = name
            self._definitions[name] = {}
            self._definitions[name] = self._definition(type, says)
        return {"$ref": self._ref + self._names[key]}

    def _unused(self, name: str) -> str:
        name, count = name or "Type", 1
        candidate = name
        while candidate in self._definitions:
            count += 1
            candidate = f"{name}{count}"
        return candidate

    def _definition(self, type: ComplexType, says: Says) -> Schema:
        form = form_of(type)
        properties: Schema = {key: self._attribute(attribute) for key, attribute in form.attributes}
        required = [key for key, attribute in form.attributes if attribute.required]
        constraints: list[Schema] = []
        if says:
            properties["$type"] = {"const": type.key}
            required += ["$type"] if says == "named" else []
        if form.kind == "simple" and form.simple is not None:
            properties["$value"] = self.simple(form.simple)
            required.append("$value")
        elif form.root is not None:
            properties |= self._properties(form.root)
            more, constraints = self._rules(form.root)
            required += more
        schema = self._closed(properties, required)
        return self._decorated(schema, type, form, constraints)

    def _decorated(self, schema: Schema, type: ComplexType, form: Form, constraints: list[Schema]) -> Schema:
        if form.any_attribute is not None:
            schema["patternProperties"] = {"^@": {"type": "string"}}
            for key, attribute in form.attributes:
                if self.simple(attribute.type).get("type") != "string":
                    schema["patternProperties"] = {"^@": {}}
                    break
                del key
        if constraints:
            schema["allOf"] = constraints
        if type.documentation:
            schema["description"] = type.documentation
        return schema

    def _attribute(self, attribute: Attribute) -> Schema:
        facts: Schema = {"attribute": True, "name": local(attribute.name)}
        if namespace(attribute.name):
            facts["namespace"] = namespace(attribute.name)
        return {**self.simple(attribute.type), "xml": facts}

    # --- content -----------------------------------------------------------------------------------------------------

    def _properties(self, node: FormNode) -> Schema:
        if isinstance(node, Block):
            return {key: value for child in node.nodes for key, value in self._properties(child).items()}
        if isinstance(node, Items):
            return {node.key: self._items(node)}
        if isinstance(node, AnySlot):
            one: Schema = {"type": "object", "minProperties": 1, "maxProperties": 1}
            return {node.key: _array(one, node.wildcard.min, node.wildcard.max) if node.repeated else one}
        schema = self._element(node.element)
        return {node.key: _array(schema, node.min, node.max) if node.repeated else schema}

    def _items(self, node: Items) -> Schema:
        choices: list[Schema] = [self._closed({slot.key: self._element(slot.element)}) for slot in node.slots]
        if node.mixed:
            choices.append({"type": "string"})
        if node.wildcards:
            names = [slot.key for slot in node.slots]
            free: Schema = {"type": "object", "minProperties": 1, "maxProperties": 1}
            choices.append({**free, "propertyNames": {"not": {"enum": names}}} if names else free)
        return {"type": "array", "items": {"oneOf": choices} if choices else False}

    def _rules(self, node: FormNode) -> tuple[list[str], list[Schema]]:
        """Which keys a node requires, given that it has to be there, and what else must hold."""
        if isinstance(node, Block):
            return self._block_rules(node)
        always = self._answer and not isinstance(node, AnySlot) and (isinstance(node, Items) or node.repeated)
        if self._answer and isinstance(node, AnySlot) and node.repeated:
            always = True
        return ([node.key] if always or not nullable(node) else []), []

    def _block_rules(self, block: Block) -> tuple[list[str], list[Schema]]:
        if block.kind == "choice":
            return [], [self._choice(block)]
        required: list[str] = []
        constraints: list[Schema] = []
        for child in block.nodes:
            more, inner = self._rules(child)
            if block.kind == "all" and self._answer and nullable(child):
                more = []
            required += more
            constraints += inner
        if block.required:
            return required, constraints
        then: Schema = {**({"required": required} if required else {}), **({"allOf": constraints} if constraints else {})}
        return [], [{"if": _some(keys(block)), "then": then}] if then else []

    def _choice(self, block: Block) -> Schema:
        every = list(keys(block))
        options: list[Schema] = []
        alone = not any(isinstance(child, Block) for child in block.nodes)
        for child in block.nodes:
            own = list(keys(child))
            required, constraints = self._rules(child) if isinstance(child, Block) else ([child.key], [])
            option: Schema = {"required": required} if required else _some(own)
            if constraints:
                option["allOf"] = constraints
            others = [key for key in every if key not in own]
            if others and not alone:
                option["not"] = _some(others)
            options.append(option)
        if nullable(block):
            options.append({"not": _some(every)})
        return {"oneOf": options}

    # --- simple types ------------------------------------------------------------------------------------------------

    def simple(self, type: SimpleType) -> Schema:
        """The schema of the JSON value of a simple type."""
        if type.variety == "list":
            item = self.simple(type.item or SimpleType("string"))
            return {"type": "array", "items": item} | ({} if self._answer else _sizes(type, "Items"))
        if type.variety == "union":
            return {"type": "string"} if self._answer else {"anyOf": [self.simple(member) for member in type.members]}
        schema = _builtin(type, self._answer)
        if type.documentation:
            schema["description"] = type.documentation
        values = type.facets.enumeration
        if values is not None and schema.get("type") == "string":
            collapsed = [lexical.normalise(value, lexical.whitespace(type)) for value in values]
            schema["x-extensible-enum" if self._answer else "enum"] = collapsed
        return schema


def _array(schema: Schema, low: int, high: int | None) -> Schema:
    bounds = ({"minItems": low} if low else {}) | ({"maxItems": high} if high is not None else {})
    return {"type": "array", "items": schema, **bounds}


def _some(names: Iterable[str]) -> Schema:
    found = [{"required": [name]} for name in names]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _sizes(type: SimpleType, unit: str) -> Schema:
    f = type.facets
    low, high = (f.length, f.length) if f.length is not None else (f.min_length, f.max_length)
    return ({f"min{unit}": low} if low else {}) | ({f"max{unit}": high} if high is not None else {})


def _builtin(type: SimpleType, answer: bool) -> Schema:
    name = type.builtin
    if name == "boolean":
        return {"type": "boolean"}
    if name in lexical.INTEGERS:
        return _integer(type, answer)
    if name in ("float", "double"):
        special: Schema = {"enum": ["INF", "-INF", "NaN"]} if answer else {"type": "string"}
        return {"anyOf": [{"type": "number"}, special], "format": name}
    if name == "decimal":
        kinds: Any = "string" if answer else ["string", "integer"]
        return {"type": kinds, "pattern": r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)\s*$", "format": "decimal"} | _digits(type, answer)
    return _textual(type, answer)


def _digits(type: SimpleType, answer: bool) -> Schema:
    f = type.facets
    total = {"x-total-digits": f.total_digits} if f.total_digits is not None else {}
    fraction = {"x-fraction-digits": f.fraction_digits} if f.fraction_digits is not None else {}
    least = {"x-minimum": f.min_inclusive} if f.min_inclusive is not None else {}
    most = {"x-maximum": f.max_inclusive} if f.max_inclusive is not None else {}
    return {} if answer else {**total, **fraction, **least, **most}


def _integer(type: SimpleType, answer: bool) -> Schema:
    number = lexical.is_number(type)
    low, high = lexical.integer_range(type)
    bounds: Mapping[str, int] = {}
    if not answer:
        bounds = ({"minimum": low} if low is not None else {}) | ({"maximum": high} if high is not None else {})
    if answer:
        return {"type": "integer"} if number else {"type": "string", "pattern": r"^[+-]?\d+$", "format": type.builtin}
    return {"type": ["integer", "string"], "pattern": r"^\s*[+-]?\d+\s*$", "format": type.builtin, **bounds}


def _textual(type: SimpleType, answer: bool) -> Schema:
    schema: Schema = {"type": "string"}
    name = type.builtin
    if name == "base64Binary":
        schema["contentEncoding"] = "base64"
    elif name == "hexBinary":
        schema["contentEncoding"] = "base16"
    elif name == "dateTimeStamp":
        schema["format"] = "date-time"
    elif name not in lexical.TEXTUAL:
        schema["x-xsd-type"] = name
    if answer:
        return schema
    if name in lexical.TEXTUAL and lexical.whitespace(type) == "preserve":
        schema |= _sizes(type, "Length")
    patterns = [_ecma(alternatives) for alternatives in type.facets.patterns]
    usable = [pattern for pattern in patterns if pattern]
    if usable and lexical.whitespace(type) == "preserve":
        schema["pattern"] = usable[0]
        if len(usable) > 1:
            schema["allOf"] = [{"pattern": pattern} for pattern in usable[1:]]
    elif patterns:
        schema["x-pattern"] = [f"^(?:{'|'.join(alternatives)})$" for alternatives in type.facets.patterns]
    return schema


_FOREIGN = re.compile(r"\\[iIcCpP]|-\[|[$^]|\\[dDwW]")


def _ecma(alternatives: tuple[str, ...]) -> str | None:
    """XML Schema patterns as an ECMA 262 one, where both notations mean the same."""
    if any(_FOREIGN.search(pattern.replace("[^", "[")) for pattern in alternatives):
        return None
    return f"^(?:{'|'.join(alternatives)})$"
