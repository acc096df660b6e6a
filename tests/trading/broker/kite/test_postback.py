import pytest

from trading.broker.kite.postback import is_genuine

# printf '2203030003089322022-03-03 09:24:25s3cret' | sha256sum
PAYLOAD = {
    "order_id": "220303000308932",
    "order_timestamp": "2022-03-03 09:24:25",
    "checksum": "f5fd86c28fa03c4d9548e151f35890723a26368dd0f9fce6ad86065a44d6cb82",
}


def test_a_postback_with_kites_checksum_is_genuine():
    assert is_genuine(PAYLOAD, "s3cret")


@pytest.mark.parametrize(
    "payload",
    [
        PAYLOAD | {"order_id": "220303000308933"},
        PAYLOAD | {"order_timestamp": "2022-03-03 09:24:26"},
        PAYLOAD | {"checksum": ""},
        PAYLOAD | {"checksum": None},
        PAYLOAD | {"order_id": 220303000308932},
        {},
    ],
)
def test_a_postback_altered_or_incomplete_is_not(payload):
    assert not is_genuine(payload, "s3cret")


def test_without_a_secret_nothing_is_genuine():
    assert not is_genuine(PAYLOAD, "")
