"""The ``messages:`` part of ``gateway.yaml``: who is told that something waits for them, and through which channel.

A channel is a URL of Apprise: WeCom, DingTalk, Feishu, mail and many more. Such a URL holds a secret, so it is never shown,
neither by an error nor by Apprise's own log.
"""

from __future__ import annotations

import logging
import re
import warnings
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from gateway.config.values import Section, wrong

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset

About = Literal["ask", "remind", "escalate", "alarm"]
Language = Literal["en", "zh-CN"]

_EXAMPLES: Final = "such as wecombot://KEY, dingtalk://TOKEN, feishu://TOKEN or mailtos://USER:PASSWORD@HOST?to=ADDRESS"

for _name in ("apprise", "urllib3"):  # They log URLs, and what is wrong with them.
    logging.getLogger(_name).propagate = False
    logging.getLogger(_name).addHandler(logging.NullHandler())


@cache
def _asset() -> AppriseAsset:
    """How Apprise behaves here: nothing on disk, nothing fetched, no redirect, no thread of its own, no advertisement."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # One of its plugins imports imghdr.
        import apprise

        apprise.Apprise.instantiate("json://127.0.0.1")  # Loads the plugins, once.
    return apprise.AppriseAsset(
        app_id="ERP gateway",
        app_desc="ERP gateway",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        storage_mode="memory",
        service_timeout=0,
        allow_templates=False,
        timezone="UTC",
        language="en",
    )


def service(url: str) -> Apprise | None:
    """What delivers to a URL; ``None`` for one Apprise does not understand."""
    from apprise import Apprise

    found = Apprise(asset=_asset())
    return found if found.add(url) and len(found) == 1 else None


def _channel_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not text.isprintable() or service(text) is None:
        raise wrong("is no URL that Apprise understands", f"write one of its URLs, {_EXAMPLES}")
    return url


def _console_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isascii()
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", url):
        raise wrong(f"is {url!r}", "write where people reach the console, such as https://gateway.example.com")
    return url.rstrip("/")


ChannelUrl = Annotated[SecretStr, AfterValidator(_channel_url)]
ChannelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Channel(Section):
    """One place messages go to, such as a group of WeCom or a mail address."""

    url: ChannelUrl = Field(description="URL of Apprise, as `${env:NAME}` or `${file:path}`: it holds the channel's secret.")
    about: list[About] = Field(
        ["ask", "remind", "escalate"],
        min_length=1,
        description="What it is told: `ask`, `remind`, `escalate` (to approvers), `alarm` (to operators).",
    )
    roles: list[Name] = Field(
        [], description="Casbin roles it reaches: it hears of what waits for one of them. Without roles and people, of all."
    )
    people: list[Name] = Field([], description="People it reaches: it hears of what waits for one of them and is not theirs.")


class Messages(Section):
    """Who is told what. A message holds a link and nothing that could be misused: no account, no payee, no button."""

    console_url: Annotated[str, AfterValidator(_console_url)] | None = Field(
        None, description="Where links lead, as people reach the console; left out, its listener."
    )
    language: Language = Field("en", description="Language of messages: `en` or `zh-CN`.")
    channels: dict[ChannelName, Channel] = Field({}, description="Where messages go, by a name for logs and the audit chain.")
