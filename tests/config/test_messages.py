"""The ``messages:`` part of ``gateway.yaml``: what it takes, and that no mistake in it shows a secret."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.config.gateway import Gateway
from gateway.config.messages import Channel, Messages, service
from gateway.config.source import literal_secrets, parse_source, validate
from gateway.errors import ConfigError

KEY = "693a91f6-7aoc-4bc4-97a0-0ec2sifa5aaa"


def read(text: str, folder: Path = Path()) -> Gateway:
    upstreams = "upstreams: {erp: {url: 'http://127.0.0.1:9'}}\n"
    return validate(parse_source((upstreams + text).encode(), name="gateway.yaml", folder=folder), Gateway)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [str(finding) for finding in caught.value.findings]


def test_without_the_section_nobody_is_told() -> None:
    assert read("").messages == Messages(console_url=None, language="en", channels={})


def test_channels_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINANCE_WECOM", f"wecombot://{KEY}")
    (tmp_path / "dingtalk").write_text("dingtalk://abcdefghijklmnop\n")
    text = """
messages:
  console_url: https://gateway.example.com/
  language: zh-CN
  channels:
    finance: {url: "${env:FINANCE_WECOM}", roles: [finance-approver, cfo], people: [approver-a]}
    it: {url: "${file:dingtalk}", about: [alarm]}
"""
    messages = read(text, tmp_path).messages
    assert (messages.console_url, messages.language) == ("https://gateway.example.com", "zh-CN")
    finance, it = messages.channels["finance"], messages.channels["it"]
    assert finance.url.get_secret_value() == f"wecombot://{KEY}"
    assert (finance.about, finance.roles, finance.people) == (
        ["ask", "remind", "escalate"],
        ["finance-approver", "cfo"],
        ["approver-a"],
    )
    assert (it.about, it.roles, it.people) == (["alarm"], [], [])
    assert KEY not in repr(messages)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("messages: {chanels: {}}", "gateway.yaml:2: unknown key 'chanels'; did you mean 'channels'?"),
        ("messages: {language: de}", "gateway.yaml:2: 'language' is 'de'; use 'en' or 'zh-CN'"),
        ("messages:\n  channels:\n    it: {about: [alarm]}", "gateway.yaml:4: the key 'url' is missing; add 'url:'"),
        (
            "messages: {console_url: gateway.example.com}",
            "gateway.yaml:2: 'console_url' is 'gateway.example.com'; write where people",
        ),
        (
            "messages: {console_url: 'https://u:p@example.com'}",
            "gateway.yaml:2: 'console_url' is 'https://…@example.com'; write where",
        ),
        (
            "messages: {console_url: 'https://example.com/?a=b'}",
            "gateway.yaml:2: 'console_url' is 'https://example.com/?a=b'; write",
        ),
        ("messages: {console_url: 'https://[/'}", "gateway.yaml:2: 'console_url' is 'https://[/'; write where people"),
        ("messages: {channels: {it: {url: 'json://127.0.0.1', about: []}}}", "gateway.yaml:2: 'about' is a list; "),
        (
            "messages: {channels: {it: {url: 'json://127.0.0.1', about: [asks]}}}",
            "gateway.yaml:2: item 1 of 'about' is 'asks'; use",
        ),
        (
            "messages: {channels: {it: {url: 'json://127.0.0.1', rolls: []}}}",
            "gateway.yaml:2: unknown key 'rolls'; did you mean 'roles'",
        ),
        (
            "messages: {channels: {'a b': {url: 'json://127.0.0.1'}}}",
            "gateway.yaml:2: the name 'a b' cannot be used; it must match",
        ),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, finding: str) -> None:
    (found,) = errors(text)
    assert found.startswith(finding)


@pytest.mark.parametrize(
    "url", [KEY, f"wechat://{KEY}", f"https://example.com/{KEY}", "wecombot://", f"wecombot://{KEY}\\n", "", f"://{KEY}"]
)
def test_a_url_apprise_does_not_understand_is_told_without_showing_it(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    logged: list[logging.LogRecord] = []
    everything = logging.Handler()
    everything.emit = logged.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(everything)
    try:
        (found,) = errors(f'messages:\n  channels:\n    finance:\n      url: "{url}"')
    finally:
        logging.getLogger().removeHandler(everything)
    assert found.startswith(
        "gateway.yaml:5: 'url' has a value that cannot be used; write one of its URLs, such as wecombot://KEY"
    )
    assert KEY not in found + "".join(capfd.readouterr())
    assert [record for record in logged if record.name.startswith("apprise")] == []


def test_a_secret_in_the_file_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IT", f"wecombot://{KEY}")
    text = f"""
upstreams: {{erp: {{url: 'http://127.0.0.1:9'}}}}
messages:
  channels:
    it: {{url: "${{env:IT}}"}}
    finance:
      url: wecombot://{KEY}
"""
    source = parse_source(text.encode(), name="gateway.yaml", folder=Path())
    (warning,) = literal_secrets(source, validate(source, Gateway))
    assert str(warning) == "gateway.yaml:7: 'url' is a secret written into the file; use ${env:NAME} or ${file:path}"


def guide() -> list[str]:
    """The URLs of the guide's table, with keys as long as real ones."""
    page = (Path(__file__).parents[2] / "docs" / "guide" / "messages.md").read_text("utf-8")
    found = re.findall(r"`([a-z]+://[^` ]+)`", page)
    return [re.sub(r"\bKEY\b", KEY, url).replace("TOKEN", "abcdefghijklmnop").replace("SECRET", "SEC0123456789") for url in found]


def test_the_urls_of_the_guide_are_understood() -> None:
    urls = guide()
    assert len(urls) == 7
    for url in urls:
        assert service(url) is not None, url
        assert Channel.model_validate({"url": SecretStr(url)}).url.get_secret_value() == url


def test_apprise_keeps_to_itself() -> None:
    """No file, no redirect, no thread, no advertisement."""
    target = service("json://127.0.0.1")
    assert target is not None
    asset = target.asset
    assert (asset.http_redirects, asset.async_mode, asset._service_timeout) == (False, False, 0)
    assert str(asset.storage_mode.value) == "memory"
    assert (asset.image_url_mask, asset.image_url_logo, asset.app_url) == ("", "", "")
    assert not any(logging.getLogger(name).propagate for name in ("apprise", "urllib3"))
