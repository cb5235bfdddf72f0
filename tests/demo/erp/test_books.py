import pytest

from gateway.demo.erp.books import Books, Refusal, is_date, knows_payee, knows_sku, knows_supplier


def test_the_master_data_ends_where_it_says():
    assert knows_sku("000000")
    assert knows_sku("000999")
    assert not any(map(knows_sku, ("001000", "999", "00012", "00000x", "٠٠٠٠٠٠")))
    assert knows_supplier("00001000")
    assert knows_supplier("00001999")
    assert not any(map(knows_supplier, ("00000999", "00002000", "1000")))
    assert knows_payee("00004000")
    assert knows_payee("00004999")
    assert not any(map(knows_payee, ("00003999", "00005000")))


def test_a_date_is_a_day_of_the_calendar():
    assert is_date("29/02/2028")
    assert not is_date("29/02/2026")
    assert not is_date("31/04/2026")
    assert not is_date("01/01/0000")


def test_numbers_follow_each_other_and_documents_are_found_by_either_number():
    books = Books(100)
    books.book("A", "XBLNR", lambda number: {"BELNR": number})
    books.book("B", "XBLNR", lambda number: {"BELNR": number})
    assert books.find("100") == {"BELNR": "100"}
    assert books.find_external("B") == {"BELNR": "101"}
    assert books.find("102") is None
    assert books.find_external("C") is None


def test_a_duplicate_is_refused_with_the_number_already_there_and_takes_no_number():
    books = Books(100)
    books.book("A", "XBLNR", lambda number: {"BELNR": number})
    with pytest.raises(Refusal) as refused:
        books.book("A", "XBLNR", lambda number: {"BELNR": number})
    assert (refused.value.code, refused.value.field, refused.value.number) == ("DUPLICATE", "XBLNR", "100")
    assert books.book("B", "XBLNR", lambda number: {"BELNR": number}) == {"BELNR": "101"}


def test_duplicates_can_be_allowed():
    books = Books(100, duplicates=True)
    books.book("A", "XBLNR", lambda number: {"BELNR": number})
    assert books.book("A", "XBLNR", lambda number: {"BELNR": number}) == {"BELNR": "101"}
    assert books.find_external("A") == {"BELNR": "101"}


def test_bounded_books_forget_the_oldest_first():
    books = Books(100, limit=2)
    for external in "ABC":
        books.book(external, "XBLNR", lambda number: {"BELNR": number})
    assert books.find("100") is None
    assert books.find_external("A") is None
    assert books.find_external("C") == {"BELNR": "102"}


def test_forgetting_an_allowed_duplicate_keeps_the_newer_one():
    books = Books(100, limit=1, duplicates=True)
    books.book("A", "XBLNR", lambda number: {"BELNR": number})
    books.book("A", "XBLNR", lambda number: {"BELNR": number})
    assert books.find_external("A") == {"BELNR": "101"}
