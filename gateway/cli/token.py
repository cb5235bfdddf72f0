"""``token``: get an access token, and make the secrets and keys satellites prove themselves with."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from typing import Annotated

import orjson
import typer

from gateway.cli.output import DEFAULT, ConfigPath, err
from gateway.config.gateway import Gateway
from gateway.config.source import read_source, validate
from gateway.identity.hashes import hash_api_key, hash_secret, new_api_key, new_secret

app = typer.Typer(no_args_is_help=True, help="Get a token; make secrets and API keys for policies/satellites.yaml.")

TIMEOUT = 10.0


@app.command()
def get(
    client: Annotated[str, typer.Argument(help="The satellite's client id.")],
    secret: Annotated[str, typer.Option(envvar="ERP_GATEWAY_SECRET", prompt=True, hide_input=True, help="Its secret.")],
    url: Annotated[str | None, typer.Option(help="The gateway's address; default: the one in gateway.yaml.")] = None,
    config: ConfigPath = DEFAULT,
) -> None:
    """Ask a running gateway for an access token and print it."""
    base = url or _address(config)
    credentials = base64.b64encode(f"{client}:{secret}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's own
        f"{base}/oauth/token",
        data=b"grant_type=client_credentials",
        headers={"authorization": f"Basic {credentials}", "content-type": "application/x-www-form-urlencoded"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            print(orjson.loads(response.read())["access_token"])
    except urllib.error.HTTPError as error:
        err.print(f"The gateway answered {error.code}: {error.read().decode('utf-8', 'replace')}", style="red", markup=False)
        raise typer.Exit(1) from error
    except OSError as error:
        err.print(f"No gateway answers at {base}: {error}", style="red", markup=False)
        raise typer.Exit(1) from error


@app.command()
def secret() -> None:
    """Make a client secret: the secret for the satellite, and the hash for policies/satellites.yaml."""
    made = new_secret()
    print(f"secret, shown once, for the satellite:  {made}")
    print(f"hash, for policies/satellites.yaml:     secret: {hash_secret(made)}")


@app.command("api-key")
def api_key(client: Annotated[str, typer.Argument(help="The satellite's client id.")]) -> None:
    """Make an API key: the key for the satellite, and the hash for policies/satellites.yaml."""
    made = new_api_key(client)
    print(f"key, shown once, for the satellite:  {made}")
    print(f"hash, for policies/satellites.yaml:  api_keys: [{hash_api_key(made)}]")


def _address(config: ConfigPath) -> str:
    edge = validate(read_source(config, name=config.name), Gateway).edge
    return edge.public_url or f"http://{edge.listen}"
