import pytest
from lxml import etree

LOCATION = "//*[local-name()='address']/@location"


def test_health(http):
    assert http.get("/health").json() == {"status": "up"}


@pytest.mark.parametrize("name", ["finance", "procurement"])
@pytest.mark.parametrize("query", ["wsdl", "WSDL"])
def test_the_wsdl_says_where_the_service_really_is(erp, http, name, query):
    answer = http.get(f"/soap/{name}?{query}")
    assert set(etree.fromstring(answer.content).xpath(LOCATION)) == {f"{erp.url}/soap/{name}"}


@pytest.mark.parametrize("path", ["/soap/nothing.xsd", "/soap/..%2f..%2fapp.xsd", "/soap/finance.wsdl", "/nothing"])
def test_nothing_else_is_served(http, path):
    assert http.get(path).status_code == 404


def test_a_service_address_without_wsdl_takes_posts_only(http):
    answer = http.get("/soap/finance")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_16_mib_is_refused(http, chunked):
    body = b" " * (16 * 1024 * 1024 + 1)
    content = iter([body]) if chunked else body
    answer = http.post("/soap/finance", content=content, headers={"content-type": "text/xml", "soapaction": '""'})
    assert answer.status_code == 413
