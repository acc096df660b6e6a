"""The two commands: what they print, what they refuse, and with which exit code."""

import io
import json
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from reporting.management.day_jobs import DayFailed, database_problem, paper_account
from risk.models import BurninDay
from tests.console_rows import build_day
from trading.market import instruments
from trading.models import Account, Instrument, VenueSession

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_remembered_instruments():
    instruments.spec_of.cache_clear()
    yield
    instruments.spec_of.cache_clear()


def minutes(day: str, count: int = 25) -> list[str]:
    """Minutes that go up by a rupee each, from 09:15 on, labelled by their end."""
    return [
        f"NIFTY,{day},{9 + (15 + n) // 60:02}:{(15 + n) % 60:02},{16999 + n},{17001 + n},{16998 + n},{17000 + n},0,0"
        for n in range(1, count + 1)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = minutes("20220314") + minutes("20220315")
    (tmp_path / "NIFTY.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    """Exit code and what went to standard output."""
    out = io.StringIO()
    try:
        call_command(*words, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def refusal(*words: str) -> tuple[int, str]:
    with pytest.raises(CommandError) as caught:
        call_command(*words, stdout=io.StringIO())
    return caught.value.returncode, str(caught.value)


def test_a_folder_that_is_none_is_refused(tmp_path):
    code, said = refusal("replay_day", "--data", str(tmp_path / "none"), "--date", "2022-03-15")
    assert code == 2
    assert said == f"{tmp_path / 'none'} is no folder: give --data the folder with the recorded minutes"


def test_a_folder_without_minutes_is_refused(tmp_path):
    code, said = refusal("replay_day", "--data", str(tmp_path), "--all")
    assert (code, "no .txt or .csv file with recorded minutes" in said) == (2, True)


def test_a_day_the_folder_does_not_hold_is_refused_with_its_range(folder):
    code, said = refusal("replay_day", "--data", str(folder), "--date", "2022-03-16")
    assert code == 2
    assert said.endswith("on 2022-03-16; it holds 2022-03-14 to 2022-03-15, 2 days of NIFTY")


def test_a_broken_line_is_named_with_its_number_and_why(folder):
    path = folder / "NIFTY.txt"
    lines = path.read_text().splitlines()
    lines[27] = lines[27].replace("17001", "abc", 1).replace("17002", "abc", 1).replace("17003", "abc", 1)
    path.write_text("\n".join(lines))
    code, said = refusal("replay_day", "--data", str(folder), "--date", "2022-03-15")
    assert code == 2
    assert said.startswith(f"{path}, line 28: 'abc' is no price")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--date", "15.3.2022"], "'15.3.2022' is no date: write it like 2022-03-15"),
        (["--all", "--jobs", "0"], "'0' is no number of processes: write 1 or more"),
        ([], "one of the arguments --date --all is required"),
        (["--all", "--date", "2022-03-15"], "not allowed with argument"),
    ],
)
def test_words_that_make_no_sense_are_refused(folder, words, said):
    assert said in refusal("replay_day", "--data", str(folder), *words)[1]


def test_a_live_account_is_never_replayed_into(folder):
    Account.objects.create(name="mine", broker_user="AB1234", mode="LIVE")
    code, said = refusal("replay_day", "--data", str(folder), "--date", "2022-03-15", "--account", "mine")
    assert code == 2
    assert said == "the account mine is LIVE: replay into a paper account, with --account"
    assert VenueSession.objects.count() == 0


def test_a_full_disk_is_called_a_full_disk(folder):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              RAISE EXCEPTION 'could not extend file "base/1": No space left on device' USING ERRCODE = '53100';
            END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON trading_venuesession EXECUTE FUNCTION disk_full();
            """
        )
    code, said = refusal("replay_day", "--data", str(folder), "--date", "2022-03-15")
    assert code == 2
    assert said.startswith("2022-03-15: the database has no disk space left (could not extend file")
    assert "Free some space on its disk and run the command again" in said


def test_a_database_that_went_away_is_told_from_a_full_disk():
    gone = OperationalError("server closed the connection unexpectedly\n\tThis probably means")
    gone.__cause__ = psycopg.OperationalError("server closed the connection unexpectedly")
    assert database_problem(gone) == (
        "the database failed (server closed the connection unexpectedly). See its log, then run the command "
        "again; finished days are kept"
    )


def test_a_day_in_which_little_happened_fails_by_name_and_is_stored(folder):
    code, shown = run("replay_day", "--data", str(folder), "--date", "2022-03-15")
    assert code == 3
    assert "FAILED  signals" in shown
    assert "No invariant was broken." in shown
    assert "The day had no trade." in shown
    assert BurninDay.objects.get().session.key == "replay-2022-03-15-1"


def test_all_days_come_out_as_json_one_verdict_each_in_order(folder):
    code, shown = run(
        "replay_day", "--data", str(folder), "--all", "--jobs", "1", "--json", "--account", "some"
    )
    days = json.loads(shown)["days"]
    assert code == 3
    assert [day["date"] for day in days] == ["2022-03-14", "2022-03-15"]
    assert [len(day["criteria"]) for day in days] == [8, 8]
    assert [(day["trades"], day["pnl_inr"], day["problems"]) for day in days] == [(0, 0, []), (0, 0, [])]
    assert {row.account.name for row in BurninDay.objects.all()} == {"some-1"}


def test_the_same_day_again_is_a_new_session_with_the_same_digest(folder):
    for _ in range(2):
        run("replay_day", "--data", str(folder), "--date", "2022-03-15", "--json")
    first, second = BurninDay.objects.order_by("pk")
    assert (first.session.key, second.session.key) == ("replay-2022-03-15-1", "replay-2022-03-15-2")
    assert first.digest == second.digest


def test_accounts_made_for_replays_never_share_a_broker_user():
    long = "a-very-long-name-for-a-replay"
    users = {paper_account(name).broker_user for name in ("replay", "replay-1", f"{long}-1", f"{long}-2")}
    assert len(users) == 4
    assert all(len(user) <= 20 for user in users)
    with pytest.raises(DayFailed, match="is LIVE"):
        Account.objects.filter(name="replay").update(mode="LIVE")
        paper_account("replay")


def test_without_any_session_the_report_says_how_to_get_one():
    code, said = refusal("burnin_report")
    assert code == 2
    assert said.startswith("There is no paper session yet: run `make paper`")


def test_the_newest_stored_verdict_is_reported():
    build_day(1)
    build_day(2)
    code, shown = run("burnin_report", "--json")
    found = json.loads(shown)
    assert code == 3
    assert (found["session"], found["trades"], found["pnl_inr"]) == ("run-2", 1, -4066.15)


def test_a_report_can_be_asked_for_by_account_session_and_date():
    build_day(1)
    build_day(2)
    assert json.loads(run("burnin_report", "--json", "--account", "paper-1")[1])["session"] == "run-1"
    assert json.loads(run("burnin_report", "--json", "--session", "run-1")[1])["account"] == "paper-1"
    assert json.loads(run("burnin_report", "--json", "--date", "2026-11-23")[1])["session"] == "run-2"


def test_what_is_not_there_is_named_beside_what_is():
    build_day(1)
    assert refusal("burnin_report", "--date", "2026-11-24") == (
        2,
        "There is no paper session for 2026-11-24; the newest is run-1 of account paper-1.",
    )
    assert refusal("burnin_report", "--account", "mine") == (
        2,
        "There is no paper account 'mine'; accounts: paper-1.",
    )


def test_a_session_without_a_verdict_is_judged_by_its_rows_alone():
    build_day(1)
    BurninDay.objects.all().delete()
    Instrument.objects.update(tradingsymbol="NIFTY26NOVFUT")
    code, shown = run("burnin_report")
    assert code == 3
    assert "flat_at_broker       the broker's books were not read" in shown
