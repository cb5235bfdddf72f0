"""The ``console:`` part of ``gateway.yaml``: where people work, how they sign in, and how long that lasts.

People sign in at the company's OpenID provider; everything its answer is checked against is pinned here. Only a deployment that
says ``demo: true`` on loopback may do without. Each field's description is its line in the reference.
"""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from gateway.config.identity import Algorithm, Leeway, Origin, SafeUrl
from gateway.config.values import Listen, Seconds, Section, written, wrong

MOST_FRESH = 3600.0


def _zone(text: Any) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (TypeError, ValueError, LookupError, OSError) as error:
        raise wrong(f"is {text!r}, which this machine does not know", "use a name such as Asia/Shanghai") from error


def _fresh(seconds: float) -> float:
    if not 1 <= seconds <= MOST_FRESH:
        raise wrong(f"is {seconds:g} s", "choose between 1s and 1h: it is how long a sign-in counts as being there in person")
    return seconds


Zone = Annotated[ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Asia/Shanghai"]})]


class SignIn(Section):
    """The OpenID provider people sign in at, such as Keycloak, Entra ID or WeCom behind one of them."""

    issuer: SafeUrl = Field(description="Its exact `iss`; its discovery document is found under it.")
    client_id: str = Field(min_length=1, description="What the provider calls the console; the `aud` of its ID tokens.")
    client_secret: SecretStr | None = Field(
        None, description="As `${file:path}` or `${env:NAME}`; left out for a public client, which PKCE protects."
    )
    scopes: list[str] = Field(["openid", "profile"], description="What is asked for; `openid` must be there.")
    algorithms: list[Algorithm] = Field(
        ["RS256", "PS256", "ES256"], min_length=1, description="The signature algorithms accepted of an ID token."
    )
    subject_claim: str = Field(
        "sub",
        min_length=1,
        description="The claim that names the person in policy rows. Must not be one people may change themselves.",
    )
    subject_prefix: str = Field(
        "", description="Put before the subject, so that its names cannot equal a satellite's or a role's."
    )
    name_claim: str = Field("name", min_length=1, description="The claim with the name that is shown; else the subject is.")
    tenant: str | None = Field(None, min_length=1, description="The tenant of all people; instead of a claim.")
    tenant_claim: str | None = Field(None, min_length=1, description="The claim that names the tenant (default `tenant`).")
    roles_claim: str = Field(
        "roles", min_length=1, description="The claim with the roles: a list, or names divided by spaces. `/a/b` looks inside."
    )
    leeway: Leeway = Field(written("30s"), description="Allowed difference between the clocks.")

    @model_validator(mode="after")
    def _consistent(self) -> SignIn:
        if "openid" not in self.scopes:
            raise wrong("asks for scopes without openid", "add 'openid' to 'scopes:'; without it there is no ID token")
        if self.tenant is not None and self.tenant_claim is not None:
            raise wrong("has both tenant and tenant_claim", "keep 'tenant:' for one tenant, or 'tenant_claim:' for several")
        return self


class Console(Section):
    """The internal port: where people decide, and health and metrics. Never give it to the outside."""

    listen: Listen = Field(written("127.0.0.1:8081"), description="Address and port.")
    public_url: Origin | None = Field(
        None, description="How people's browsers reach this port, when not by the address it listens on: an origin, no path."
    )
    sign_in: SignIn | None = Field(
        None, description="Where people sign in. Left out, nobody can, but for the demo's people under `demo: true`."
    )
    fresh: Annotated[Seconds, AfterValidator(_fresh)] = Field(
        written("5m"), description="Who approves has proved within this time to be there, or does so again."
    )
    idle: Seconds = Field(written("15m"), ge=60, description="A session ends when nothing was done for this long.")
    lifetime: Seconds = Field(written("8h"), ge=60, le=86400, description="A session ends after this time, whatever is done.")
    timezone: Zone | None = Field(None, description="The time zone of the times shown; left out, the machine's.")

    @model_validator(mode="after")
    def _reachable(self) -> Console:
        if self.sign_in is not None and self.public_url is None and not self.listen.loopback:
            raise wrong(
                f"listens on {self.listen} and does not say how browsers reach it",
                "add 'public_url: https://…', the origin people see; without it nobody's cookie or key can be trusted",
            )
        return self
