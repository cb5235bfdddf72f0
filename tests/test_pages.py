"""Templates in each language, and addresses of static files."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from gateway.pages import address, environments

CATALOGUE = """\
msgid ""
msgstr ""
"Language: zh_CN\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Amount"
msgstr "金额"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("{% trans %}Amount{% endtrans %}: {{ amount }}")
    catalogue = tmp_path / "locale" / "zh_CN" / "LC_MESSAGES" / "messages.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(CATALOGUE)
    return tmp_path


def test_a_page_is_written_in_each_language_and_escaped(site: Path) -> None:
    made = {tag: env.get_template("page.html").render(amount="<b>1</b>") for tag, env in environments(site).items()}
    assert made == {"en": "Amount: &lt;b&gt;1&lt;/b&gt;", "zh-CN": "金额: &lt;b&gt;1&lt;/b&gt;"}


def test_every_value_passes_what_finalizes_it(site: Path) -> None:
    template = environments(site, lambda value: f"[{value}]")["en"].get_template("page.html")
    assert template.render(amount=1) == "[Amount]: [1]"


def test_a_name_nobody_gave_is_an_error(site: Path) -> None:
    with pytest.raises(UndefinedError):
        environments(site)["en"].get_template("page.html").render()


def test_an_address_changes_with_its_file_only(tmp_path: Path) -> None:
    file = tmp_path / "style.css"
    file.write_text("a {}")
    first = address("/static", file)
    assert first.startswith("/static/style.css?")
    assert address("/static", file) == first
    file.write_text("b {}")
    assert address("/static", file) != first
