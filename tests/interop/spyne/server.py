# ruff: noqa: N805  (what spyne hands to an operation is its context)
"""spyne as a server, ``server.py PORT Store`` in SOAP 1.1 or ``Store12`` in SOAP 1.2; lxml validates requests by the contract."""

from __future__ import annotations

import sys
from decimal import Decimal as Number
from wsgiref.simple_server import WSGIRequestHandler, make_server

from spyne import (
    AnyDict,
    AnyXml,
    Application,
    Array,
    Boolean,
    ByteArray,
    ComplexModel,
    Date,
    DateTime,
    Decimal,
    Double,
    Duration,
    Enum,
    Fault,
    Integer,
    Integer32,
    Integer64,
    Iterable,
    Service,
    Time,
    Unicode,
    XmlAttribute,
    rpc,
)
from spyne.protocol.soap import Soap11, Soap12
from spyne.server.wsgi import WsgiApplication

NS = "urn:interop:spyne"
NAME = sys.argv[2]
Unit = Enum("PC", "KG", type_name="Unit")


class Part(ComplexModel):
    __namespace__ = NS
    id = Unicode(min_occurs=1, nillable=False)


class Bolt(Part):
    __namespace__ = NS
    length = Decimal


class Values(ComplexModel):
    __namespace__ = NS
    text = Unicode(min_occurs=1)
    amount = Decimal
    huge = Integer
    large = Integer64
    number = Integer32
    yes = Boolean
    ratio = Double
    day = Date
    hour = Time
    moment = DateTime(timezone=None)
    span = Duration
    data = ByteArray
    unit = Unit
    maybe = Unicode
    code = Unicode(max_len=4, pattern="[A-Z]*")
    tags = Unicode(max_occurs="unbounded")
    names = Array(Unicode)
    grid = Array(Array(Integer32))
    part = Part
    parts = Array(Part)
    version = XmlAttribute(Integer32)


class Session(ComplexModel):
    __namespace__ = NS
    user = Unicode


class Turn(ComplexModel):
    __namespace__ = NS
    count = Integer32


class OutOfStock(Fault):
    """Its fields are in the contract. What a fault carries is its ``detail``, which says everything by name once more."""

    __namespace__ = NS
    sku = Unicode
    missing = Decimal

    def __init__(self, sku: str, missing: Number) -> None:
        detail = {f"{{{NS}}}sku": sku, f"{{{NS}}}missing": str(missing)}
        super().__init__("Client.OutOfStock", "only ten left", detail={f"{{{NS}}}OutOfStock": detail})
        self.sku = self.missing = None


class Store(Service):
    __service_name__ = NAME

    @rpc(Values, _returns=Values)
    def echo(ctx, values):
        return values

    @rpc(Values, _returns=Unicode)
    def describe(ctx, values):
        names = [name for name in Values.get_flat_type_info(Values) if getattr(values, name) is not None]
        return "".join(f"{name}={seen(getattr(values, name))}\n" for name in names)

    @rpc(Part, Integer32, _returns=Iterable(Part))
    def repeat(ctx, part, times):
        return [part] * times

    @rpc(Unicode, Decimal, _returns=[Unicode, Decimal], _out_variable_names=["sku", "left"], _throws=OutOfStock)
    def reserve(ctx, sku, quantity):
        if sku == "broken":
            raise ValueError("the shelf is empty")
        if sku == "unknown":
            raise Fault("Client.Unknown", "no such sku", "urn:store")
        if quantity > 10:
            raise OutOfStock(sku, quantity - 10)
        return sku, 10 - quantity

    @rpc(AnyXml, _returns=AnyXml)
    def anything(ctx, xml):
        return xml

    @rpc(AnyDict, _returns=AnyDict)
    def mapping(ctx, values):
        return values


class Guarded(Service):
    __in_header__ = Session
    __out_header__ = Turn

    @rpc(_returns=Unicode)
    def whoami(ctx):
        ctx.out_header = Turn(count=7)
        return ctx.in_header.user if ctx.in_header else None


def seen(value):
    if isinstance(value, Part):
        return f"{type(value).__name__}{{{value.id}, {getattr(value, 'length', None)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(seen, value))}]"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return ascii(value)


def application():
    protocol = Soap12 if NAME == "Store12" else Soap11
    return Application(
        [Store, Guarded], NS, name=NAME, in_protocol=protocol(validator="lxml"), out_protocol=protocol(polymorphic=True)
    )


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]), WsgiApplication(application()), handler_class=Quiet) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        server.serve_forever()
