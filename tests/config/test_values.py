"""Durations, sizes and addresses: what people write, and what they must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.config.values import Address, Bytes, Listen, Seconds

seconds: TypeAdapter[float] = TypeAdapter(Seconds)
size: TypeAdapter[int] = TypeAdapter(Bytes)
listen: TypeAdapter[Address] = TypeAdapter(Listen)


@pytest.mark.parametrize(
    ("text", "value"), [("250ms", 0.25), ("30s", 30), ("1.5m", 90), ("2min", 120), ("24h", 86400), ("1d", 86400), ("5 s", 5)]
)
def test_durations(text: str, value: float) -> None:
    assert seconds.validate_python(text) == value


@pytest.mark.parametrize("value", ["", "5", 5, "s", "5 weeks", "-1s", "٣s", "1e3s", "9" * 400 + "s", "5s\n", None, True, "5  s"])
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        seconds.validate_python(value)
    (error,) = caught.value.errors()
    assert error["ctx"]["remedy"] == "write a number with a unit (ms, s, m, min, h, d), such as 30s"


@pytest.mark.parametrize(("text", "value"), [("512B", 512), ("64KiB", 65536), ("1.5MiB", 1572864), ("1GiB", 2**30)])
def test_sizes(text: str, value: int) -> None:
    result = size.validate_python(text)
    assert result == value
    assert isinstance(result, int)


@pytest.mark.parametrize("value", [1024, "1MB", "1 mib", "9" * 400 + "GiB"])
def test_what_is_no_size(value: object) -> None:
    with pytest.raises(ValidationError, match="is "):
        size.validate_python(value)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:80", "::1", 80, True),
        ("[::]:80", "::", 80, False),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("127.example.com:80", "127.example.com", 80, False),
        ("gateway.internal:65535", "gateway.internal", 65535, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    address = listen.validate_python(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)
    assert str(address) == text


@pytest.mark.parametrize("value", [8080, "8080", ":80", "host:", "host:65536", "host:-1", "::1:80", "a b:1", "host:٨٠", "[x]:1"])
def test_what_is_no_address(value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        listen.validate_python(value)
    assert caught.value.errors()[0]["ctx"]["remedy"] == "write host:port, such as 127.0.0.1:8080"


@given(st.text(st.characters(exclude_categories=["Nd"])) | st.integers() | st.floats() | st.none() | st.binary())
def test_anything_else_is_an_error_of_the_value(value: object) -> None:
    for adapter in (seconds, size, listen):
        with pytest.raises(ValidationError, match="wrong_value"):
            adapter.validate_python(value)
