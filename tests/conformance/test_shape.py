import pytest

from tests.conformance.shape import differences

ORDER = {"order_id": "1", "price": 1, "quantity": 5, "tag": None, "placed": "2026-11-23 10:00:00", "meta": {}}


def test_an_answer_of_the_same_shape_has_no_differences():
    assert differences([ORDER], ORDER | {"price": 1.5, "order_id": "x", "tag": "any"}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order_id": 1}, "answer.order_id is number, the samples have text"),
        ({"price": "1"}, "answer.price is text, the samples have number"),
        ({"price": None}, "answer.price is null"),
        ({"price": True}, "answer.price is boolean, the samples have number"),
        ({"quantity": 5.5}, "answer.quantity is 5.5, and the samples have whole numbers"),
        ({"placed": "10:00:00"}, "answer.placed is '10:00:00', and the samples have '2026-11-23 10:00:00'"),
        ({"other": 1}, "answer.other is unknown to the samples"),
    ],
)
def test_what_differs_is_told_with_its_place(change, words):
    assert differences([ORDER], ORDER | change) == [words]


def test_a_missing_field_and_one_deep_in_a_list_are_told():
    assert differences([{"a": 1, "b": 2}], {"a": 1}) == ["answer.b is missing"]
    sample = {"data": {"NSE:INFY": {"depth": [{"price": 1}]}}}
    value = {"data": {"NSE:TCS": {"depth": [{"price": 2}, {"price": "2"}]}}}
    assert differences([sample], value) == [
        "answer.data.NSE:TCS.depth[].price is text, the samples have number"
    ]


def test_a_row_without_names_has_a_type_at_each_place():
    sample = [["2019-12-04T09:15:00+0530", 12009.9, 5]]
    assert differences([sample], [["2026-11-23T09:15:00+0530", 1, 2]]) == []
    assert differences([sample], [["2026-11-23T09:15:00+0530", 1]]) == ["answer[] has 2 places"]
    assert differences([sample], [[5, 1, 2]]) == ["answer[][0] is number, the samples have text"]


def test_a_field_that_only_some_samples_have_may_be_missing():
    assert differences([[{"a": 1, "b": 2}, {"a": 1}]], [{"a": 5}]) == []
