import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A column that is filled and then required: each step is committed by itself."""

    atomic = False

    dependencies = [
        ("trading", "0011_exited_quantity_may_lag"),
    ]

    operations = [
        migrations.AddField(
            model_name="command",
            name="session",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="trading.venuesession",
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="trading_date",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="command",
            name="day_number",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.RunSQL(
            """
            UPDATE trading_command c
               SET purpose = CASE WHEN numbered.role = 'ENTRY' AND c.kind = 'PLACE' THEN 'enter' ELSE c.purpose END,
                   session_id = numbered.session_id,
                   trading_date = numbered.trading_date,
                   day_number = numbered.day_number
              FROM (SELECT c.id, o.role, o.session_id, o.trading_date,
                           row_number() OVER (PARTITION BY o.session_id, o.trading_date ORDER BY c.id) AS day_number
                      FROM trading_command c JOIN trading_order o ON o.id = c.order_id) AS numbered
             WHERE numbered.id = c.id
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name="command",
            name="session",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="trading.venuesession",
            ),
        ),
        migrations.AlterField(
            model_name="command",
            name="trading_date",
            field=models.DateField(),
        ),
        migrations.AlterField(
            model_name="command",
            name="day_number",
            field=models.PositiveIntegerField(
                help_text="from 1, one for each command of its books that day"
            ),
        ),
        migrations.AlterField(
            model_name="command",
            name="number",
            field=models.PositiveIntegerField(help_text="from 1, one for each command of its order"),
        ),
        migrations.AlterField(
            model_name="command",
            name="purpose",
            field=models.CharField(help_text="enter, place, trail, resize, close or cancel", max_length=12),
        ),
        migrations.AddConstraint(
            model_name="command",
            constraint=models.UniqueConstraint(
                fields=("session", "trading_date", "day_number"), name="command_numbered_once"
            ),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["session", "trading_date"], name="trade_of_day"),
        ),
    ]
