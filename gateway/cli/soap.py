"""``soap``: the SOAP services that routes are offered as."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from typing import Annotated

import typer

from gateway.cli.output import DEFAULT, ConfigPath, err, out
from gateway.deployment import order_file, read_deployment
from gateway.offering import Offered
from gateway.runtime import check_stores
from gateway.snapshot import Snapshot, build

app = typer.Typer(no_args_is_help=True, help="The SOAP services that routes are offered as.")

HEADER = """\
# yaml-language-server: $schema=../docs/schema/soap.json
# The order of elements in the messages of /soap/{name}, as clients are compiled against it. Written by
# 'erp-gateway soap freeze {name}'; keep it with the route file. What is new goes last, what is gone keeps its place.
"""


@app.command()
def freeze(
    resources: Annotated[list[str] | None, typer.Argument(help="Resources; all that are offered when left out.")] = None,
    config: ConfigPath = DEFAULT,
) -> None:
    """Write down the order of elements as it is published now, so that it never changes under a client."""
    snapshot = build(read_deployment(config), check_stores(config))
    folder = snapshot.deployment.folder / snapshot.deployment.gateway.routes
    for name in resources or list(snapshot.soap):
        path = folder / order_file(name)
        content = written(name, _offered(snapshot, name))
        if path.is_file() and path.read_text("utf-8") == content:
            out.print(f"{path} is up to date", highlight=False)
            continue
        path.write_text(content, "utf-8")
        out.print(f"wrote {path}", highlight=False)


@app.command()
def wsdl(
    resource: Annotated[str, typer.Argument(help="A resource whose route file says 'soap:'.")],
    url: Annotated[str | None, typer.Option("--url", help="The gateway's public address; default: edge.public_url.")] = None,
    config: ConfigPath = DEFAULT,
) -> None:
    """Print the WSDL of a service, to be handed to who builds a client."""
    snapshot = build(read_deployment(config), check_stores(config))
    base = url or snapshot.public_url or f"http://{snapshot.deployment.gateway.edge.listen}"
    offered = _offered(snapshot, resource)
    sys.stdout.buffer.write(offered.service.wsdl(f"{base.rstrip('/')}{offered.path}"))


def _offered(snapshot: Snapshot, name: str) -> Offered:
    if name not in snapshot.soap:
        known = ", ".join(snapshot.soap) or "none; say 'soap: v1' in a route file"
        err.print(f"There is no SOAP service '{name}'. Known: {known}", style="red")
        raise typer.Exit(1)
    return snapshot.soap[name]


def written(name: str, offered: Offered) -> str:
    """The file that freezes the order of a service."""
    lines = [HEADER.format(name=name), "operations:\n"]
    for operation, messages in offered.service.frozen().items():
        lines.append(f"  {operation}:\n")
        for message, objects in messages.items():
            lines.append(f"    {message}:{'' if objects else ' {}'}\n")
            for path, names in objects.items():
                lines += _row(path, names)
    return "".join(lines)


def _row(path: str, names: list[str]) -> Iterator[str]:
    row = f"      {_plain(path)}: [{', '.join(map(_plain, names))}]"
    yield from (
        f"{line}\n" for line in textwrap.wrap(row, 130, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False)
    )


def _plain(text: str) -> str:
    """A YAML scalar that is a string."""
    return json.dumps(text) if text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n", "~") else text
