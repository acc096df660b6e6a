"""`manage.py audit_export`: whole days as JSON lines, and what it refuses."""

import io
import json
from datetime import datetime

import pytest
from django.core.management import CommandError, call_command

from risk.models import AuditEntry
from tests.audit_rows import unstamped
from trading.core.session import IST
from trading.models import Account

pytestmark = pytest.mark.django_db


@pytest.fixture
def days() -> None:
    """An entry in the last second of 20 November, two on the 21st, one at 00:00 of the 22nd."""
    account = Account.objects.create(name="paper", broker_user="AB1234")
    with unstamped():
        AuditEntry.objects.bulk_create(
            AuditEntry(
                at=datetime.fromisoformat(f"2021-11-{moment}").replace(tzinfo=IST),
                actor="asha",
                address="203.0.113.9",
                action="pause",
                subject=f"number {number}",
                account=account,
                words="lunch · ₹",
            )
            for number, moment in enumerate(
                ["20 23:59:59.999", "21 00:00:00", "21 23:59:59.999", "22 00:00:00"], start=1
            )
        )


def export(*words: str) -> tuple[list[dict[str, object]], str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("audit_export", *words, stdout=out, stderr=err)
    return [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue().strip()


def refusal(*words: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as caught:
        call_command("audit_export", *words, stdout=io.StringIO(), stderr=io.StringIO())
    return caught.value.returncode, str(caught.value)


def test_whole_days_are_exported_oldest_first_both_ends_included(days):
    found, said = export("--from", "2021-11-21", "--to", "2021-11-21")
    assert [line["subject"] for line in found] == ["number 2", "number 3"]
    assert said == "2 entries of 2021-11-21 to 2021-11-21"
    found, _ = export("--from", "2021-11-20", "--to", "2021-11-22")
    assert [line["subject"] for line in found] == ["number 1", "number 2", "number 3", "number 4"]


def test_a_line_has_every_column_by_name(days):
    (line, _), _ = export("--from", "2021-11-21", "--to", "2021-11-21")
    assert line.pop("id") == AuditEntry.objects.get(subject="number 2").pk
    assert line == {
        "at": "2021-11-21T00:00:00.000+05:30", "actor": "asha", "address": "203.0.113.9", "action": "pause",
        "outcome": "done", "subject": "number 2", "before": None, "after": None, "words": "lunch · ₹",
        "account": "paper",
    }  # fmt: skip


def test_a_file_is_written_once_and_never_over(days, tmp_path):
    file = tmp_path / "audit.jsonl"
    export("--from", "2021-11-20", "--to", "2021-11-22", "--output", str(file))
    assert [json.loads(line)["subject"] for line in file.read_text().splitlines()] == [
        f"number {number}" for number in (1, 2, 3, 4)
    ]
    code, said = refusal("--from", "2021-11-20", "--to", "2021-11-22", "--output", str(file))
    assert (code, "File exists" in said) == (2, True)
    assert len(file.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "2021-11-22", "--to", "2021-11-21"), "--to 2021-11-21 is before --from 2021-11-22"),
        (("--from", "2021-11-20", "--to", "2021-11-21", "--output", "/no/such/folder/file"), "No such file"),
        (("--from", "21.11.2021", "--to", "2021-11-21"), "'21.11.2021' is no date"),
        (("--to", "2021-11-21"), "--from"),
    ],
)
def test_what_cannot_be_done_is_refused_with_exit_code_two(words, said):
    code, text = refusal(*words)
    assert said in text
    assert code in {1, 2}  # argparse's own errors leave the shell with 2; call_command says 1


def test_a_day_without_entries_is_an_empty_export():
    assert export("--from", "2020-01-01", "--to", "2020-01-02") == (
        [],
        "0 entries of 2020-01-01 to 2020-01-02",
    )
