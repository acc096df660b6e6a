"""The audit: what the database writes down by itself, in whose name, and that it stays."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.utils.module_loading import import_string

from risk import audit, state
from risk.models import AuditEntry
from tests.audit_rows import as_in_production
from tests.console_rows import MORNING, build_day
from trading import keys
from trading.core.enums import AuditAction, PauseReason, Scope
from trading.models import Account, ApiKey, KiteLogin, UniverseRow

pytestmark = pytest.mark.django_db

#: written too often, or by the machine from elsewhere: their own events and the logs tell of them
NOT_WATCHED = {
    "risk_ruletally", "trading_dayminutes",
    "oco_daystep", "oco_ocogroup", "oco_ocoleg", "risk_auditentry", "trading_command", "trading_decision",
    "trading_fill", "trading_instrument", "trading_lease", "trading_order", "trading_orderevent", "trading_signal",
    "trading_trade", "trading_venuesession",
}  # fmt: skip


@pytest.fixture
def account() -> Account:
    return Account.objects.create(name="paper", broker_user="AB1234")


def newest() -> AuditEntry:
    return AuditEntry.objects.order_by("-id")[0]


def told(entry: AuditEntry) -> tuple[object, ...]:
    return (entry.action, entry.subject, entry.before, entry.after)


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_changed_row_is_told_by_its_changed_columns_before_and_after(account):
    Account.objects.filter(pk=account.pk).update(mode="LIVE")
    assert told(newest()) == ("changed", "account paper", {"mode": "PAPER"}, {"mode": "LIVE"})
    assert newest().account_id == account.pk


def test_a_new_row_is_told_whole_and_a_removed_one_as_it_was(account):
    row = UniverseRow.objects.create(account=account, name="INFY", exclusion="PRICE", why="too dear")
    values = {
        "id": row.pk, "account_id": account.pk, "name": "INFY", "is_watched": True, "exclusion": "PRICE",
        "why": "too dear", "changed_by": "",
    }  # fmt: skip
    assert told(newest()) == ("added", "watched instrument INFY", None, values)
    row.delete()
    assert told(newest()) == ("removed", "watched instrument INFY", values, None)
    assert newest().account_id == account.pk


def test_a_row_that_is_saved_as_it_was_is_no_entry(account):
    row = UniverseRow.objects.create(account=account, name="INFY")
    count = AuditEntry.objects.count()
    account.save()
    row.save()
    assert AuditEntry.objects.count() == count


def test_what_the_orm_never_sees_is_written_down_in_the_database_roles_name(account):
    sql("SELECT set_config('application_name', 'psql', false)")
    sql("UPDATE trading_account SET mode = 'LIVE'")
    role = connection.settings_dict["USER"]
    assert told(newest()) == ("changed", "account paper", {"mode": "PAPER"}, {"mode": "LIVE"})
    assert newest().actor == f"database role {role}"


def test_a_process_is_named_as_it_calls_itself(account):
    sql("SELECT set_config('application_name', 'aitrapp: manage.py universe by asha', false)")
    state.turn_off(account.pk, PauseReason.RISK, by="loop", why="test", now=MORNING)
    assert (newest().actor, newest().action) == ("manage.py universe by asha", "added")


def test_secrets_are_never_copied_but_their_change_is_told(account):
    build_day(7)
    keys.create_key("script", [Scope.READ])
    keys.create_key("script", [Scope.READ, Scope.LIVE])
    digest = ApiKey.objects.get(name="script").digest
    assert newest().before == {"digest": "…", "scopes": ["read"]}
    assert newest().after == {"digest": "…", "scopes": ["live", "read"]}
    user = User.objects.create_user("asha", password="a long secret word")
    assert newest().after["password"] == "…"
    user.set_password("another long secret word")
    user.save()
    assert told(newest()) == ("changed", "user asha", {"password": "…"}, {"password": "…"})
    everything = " ".join(str(row) for row in AuditEntry.objects.values_list("before", "after"))
    for secret in (digest, user.password, f"{7:064}", KiteLogin.objects.get().sealed_token + "'"):
        assert secret not in everything
    assert "sealed_token" in everything


def test_what_a_user_may_do_is_watched_through_its_groups_and_permissions():
    user, group = User.objects.create_user("asha"), Group.objects.create(name="operators")
    permission = Permission.objects.get(codename="operate")
    user.groups.add(group)
    assert newest().subject.startswith("user's group ")
    assert {"user_id": user.pk, "group_id": group.pk}.items() <= newest().after.items()
    group.permissions.add(permission)
    assert newest().subject.startswith("group's permission ")
    user.user_permissions.add(permission)
    assert newest().subject.startswith("user's permission ")
    user.user_permissions.clear()
    assert newest().before["permission_id"] == permission.pk
    User.objects.filter(pk=user.pk).update(is_superuser=True, is_active=False)
    assert newest().after == {"is_superuser": True, "is_active": False}


def test_every_table_of_ours_is_watched_or_said_not_to_be():
    watched = {*import_string("risk.migrations.0004_audit_triggers.WATCHED"), "oco_stopmove"}
    tables = {
        model._meta.db_table
        for app in ("trading", "risk", "oco", "reporting")
        for model in apps.get_app_config(app).get_models()
    }
    assert tables - watched == NOT_WATCHED
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text, tgenabled FROM pg_trigger WHERE tgname = 'audited'")
        assert dict(cursor.fetchall()) == dict.fromkeys(watched, "A")


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE risk_auditentry SET actor = 'nobody'", "UPDATE"),
        ("DELETE FROM risk_auditentry", "DELETE"),
        ("DELETE FROM risk_auditentry WHERE false", "DELETE"),
        ("TRUNCATE risk_auditentry", "TRUNCATE"),
        ("TRUNCATE trading_account CASCADE; TRUNCATE risk_auditentry", "TRUNCATE"),
    ],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
def test_the_database_refuses_to_change_or_remove_entries(account, statement, word, role):
    kept = list(AuditEntry.objects.values())
    assert len(kept) == 1
    with as_in_production():
        with pytest.raises(ProgrammingError) as refused, transaction.atomic():
            sql(f"SET LOCAL session_replication_role = {role}")
            sql(statement)
        assert str(refused.value).startswith(f"Audit entries are kept for ever: {word} is refused.")
    assert list(AuditEntry.objects.values()) == kept


def test_no_way_back_through_the_migrations_drops_the_audit():
    operations = import_string("risk.migrations.0004_audit_triggers.Migration").operations
    assert [operation.reversible for operation in operations] == [False] * len(operations)


def test_the_orm_is_refused_too(account):
    with pytest.raises(DatabaseError, match="kept for ever"), transaction.atomic():
        AuditEntry.objects.all().delete()
    with pytest.raises(DatabaseError, match="kept for ever"), transaction.atomic():
        newest().save()
    assert AuditEntry.objects.count() == 1


def test_whoever_writes_an_entry_chooses_neither_its_time_nor_its_author():
    AuditEntry.objects.create(
        action="pause", subject="x", actor="somebody else", address="1.2.3.4", at=MORNING
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    assert now - newest().at < timedelta(minutes=1)
    assert newest().actor != "somebody else"
    assert newest().address != "1.2.3.4"


def test_what_is_written_inside_is_the_actors_and_nothing_after(account):
    with audit.acting(lambda: "asha", "203.0.113.9"):
        Account.objects.update(paper_capital_inr="900000.00")
        mine = newest()
        audit.note(AuditAction.PAUSE, "account paper", account=account, words="lunch")
        asked = newest()
    Account.objects.update(paper_capital_inr="800000.00")
    assert (mine.actor, mine.address) == ("asha", "203.0.113.9")
    assert (asked.actor, asked.address, asked.words, asked.outcome) == (
        "asha",
        "203.0.113.9",
        "lunch",
        "done",
    )
    assert (newest().actor == "asha", newest().address == "203.0.113.9") == (False, False)


def test_a_rollback_does_not_take_the_actors_name_from_what_comes_next(account):
    with audit.acting(lambda: "asha", "203.0.113.9"):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Account.objects.update(paper_capital_inr="900000.00")
            1 / 0  # noqa: B018
        Account.objects.update(paper_capital_inr="800000.00")
    assert newest().after == {"paper_capital_inr": 800000}
    assert newest().actor == "asha"


@pytest.mark.django_db(transaction=True)
def test_a_refusal_outlives_the_rollback_of_the_callers_transaction():
    with audit.acting(lambda: "asha", ""), pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.refuse(AuditAction.MODE, "account paper", words="There is no Kite login of today.")
        1 / 0  # noqa: B018
    (entry,) = AuditEntry.objects.all()
    assert (entry.actor, entry.action, entry.outcome) == ("asha", "mode", "refused")
    assert entry.words == "There is no Kite login of today."


@pytest.mark.django_db(transaction=True)
def test_a_refusal_that_could_be_rolled_back_is_an_error_that_nobody_overlooks():
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        audit.refuse(AuditAction.MODE, "account paper")
    audit.refuse(AuditAction.MODE, "account paper")
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_cannot_be_given_back_nameless_is_closed(account):
    def broken(execute, statement, params, many, context):
        if "set_config" in statement and params == ["", ""]:
            raise DatabaseError("in the middle of it")
        return execute(statement, params, many, context)

    with connection.execute_wrapper(broken):
        with audit.acting(lambda: "asha", ""):
            Account.objects.update(mode="LIVE")
            driver = connection.connection
        assert driver.closed
    Account.objects.update(mode="PAPER")
    assert newest().actor != "asha"
