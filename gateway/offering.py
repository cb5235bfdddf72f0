"""Routes offered as SOAP: which, by the route files' ``soap:``, and whether each of them has a form in XML.

A route that was asked for and cannot be offered is an error at its line; an order of elements nobody has frozen is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.config.source import Place
from gateway.deployment import Findings, Resource, order_file
from gateway.errors import ConfigError
from gateway.protocols.facade import Inexpressible, Offer, Service, require_expressible
from gateway.routing import Route
from gateway.stages.record import Record
from gateway.upstreams.rest import PassThrough
from gateway.upstreams.soap import SoapOperation

PATH = "/soap"


@dataclass(frozen=True, slots=True)
class Offered:
    """A service with the routes its operations end in, by their names. Immutable."""

    service: Service
    routes: Mapping[str, Route]

    @property
    def path(self) -> str:
        return f"{PATH}/{self.service.name}"


SoapServices = Mapping[str, Offered]
"""Services by the name of their resource."""


def soap_services(resources: Sequence[Resource], routes: Sequence[Route], findings: Findings) -> SoapServices:
    """The services of a deployment; what is wrong with them is added to the findings."""
    found: dict[str, Offered] = {}
    for resource in resources:
        own = [route for route in routes if route.soap == resource.model.resource]
        if own:
            service = findings.attempt(_service, resource, own, findings)
            if service is not None:
                found[resource.model.resource] = service
    return MappingProxyType(found)


def _service(resource: Resource, routes: Sequence[Route], findings: Findings) -> Offered:
    """Raises ``ConfigError`` for every route that has no form in XML."""
    name, version = resource.model.resource, resource.model.soap or ""
    orders = {key: entry.model_dump() for key, entry in resource.order.operations.items()} if resource.order else {}
    own = Findings()
    offers = [own.attempt(_offer, resource, route) for route in routes]
    own.raise_if_any()
    service = Service(name, version, [offer for offer in offers if offer is not None], orders)
    if service.missing:
        lacks = f"{service.missing[0]}{f' and {len(service.missing) - 1} more' if len(service.missing) > 1 else ''}"
        what = f"the order of elements at {PATH}/{name} is not frozen: {order_file(name)} lacks {lacks}"
        remedy = f"run 'erp-gateway soap freeze {name}' and keep the file with the deployment"
        findings.warnings.append(resource.source.finding(("soap",), what, remedy))
    return Offered(service, MappingProxyType({route.operation.partition(".")[2]: route for route in routes}))


def _offer(resource: Resource, route: Route) -> Offer:
    """One route as an offer. Raises ``ConfigError`` at its own line when it does not fit."""
    name = route.operation.partition(".")[2]
    place: Place = ("operations", name)
    try:
        offer = _described(route, name)
        require_expressible(offer)
    except Inexpressible as error:
        remedy = "say 'soap: false' for it, or give it field tables whose every row has a type"
        raise ConfigError(
            [resource.source.finding(place, f"{route.operation} cannot be offered as SOAP: {error}", remedy)]
        ) from error
    return offer


def _described(route: Route, name: str) -> Offer:
    """Raises ``Inexpressible`` for a route that passes bodies unread."""
    call, body = route.call, route.method not in ("GET", "DELETE")
    if isinstance(call, PassThrough):
        raise Inexpressible("its bodies pass through unread")
    request, answer = call.request_schema(), call.answer_schema()
    silent = isinstance(call, SoapOperation) or route.status == 204
    if (request is None and body) or (answer is None and not silent):
        raise Inexpressible(f"its {'answer' if request is not None or not body else 'request'} has no field table")
    path = tuple(re.findall(r"\{(\w+)\}", route.template))
    recorded = any(isinstance(stage, Record) for stage in route.stages)
    return Offer(name, path, request, answer, body, recorded, route.summary)
