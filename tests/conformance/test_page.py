from tests.conformance import page


def test_the_page_of_what_is_served_says_what_the_suite_drives():
    assert page.PAGE.read_text() == page.text(), "write it anew: python -m tests.conformance.page"
