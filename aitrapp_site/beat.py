"""The wall clock's housekeeping: `celery -A aitrapp_site.beat beat`.

It only sends names of tasks, so it needs no Django. Every entry expires: a task that waited while nobody worked is
dropped, not run hours later. What must happen on market time (square-off, the day's table) is the watcher's.
"""

import os

# Celery would load Django wherever this is set, and with it 60 MB that a timetable does not need.
os.environ.pop("DJANGO_SETTINGS_MODULE", None)

from celery import Celery
from celery.schedules import crontab

from aitrapp_site.environment import celery_broker_url, env_str

WEEKDAYS = "mon-fri"

app = Celery(
    "aitrapp-beat", broker=celery_broker_url(env_str("REDIS_URL", default="redis://localhost:6379/0"))
)
app.conf.update(
    timezone="Asia/Kolkata",
    task_ignore_result=True,
    task_default_queue="celery",
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    beat_schedule={
        "instruments": {
            "task": "trading.tasks.refresh_instruments",
            "schedule": crontab(hour=8, minute=30, day_of_week=WEEKDAYS),
            "options": {"expires": 1800},
        },
        "login": {
            "task": "trading.tasks.check_login",
            "schedule": crontab(hour=8, minute=30, day_of_week=WEEKDAYS),
            "options": {"expires": 1800},
        },
        "report": {
            "task": "reporting.tasks.report_missing_days",
            "schedule": crontab(hour=15, minute="46,51", day_of_week=WEEKDAYS),
            "options": {"expires": 600},
        },
        "alarms": {"task": "trading.tasks.raise_alarms", "schedule": 60.0, "options": {"expires": 50}},
        "pruning": {
            "task": "trading.tasks.prune",
            "schedule": crontab(hour=4, minute=10),
            "options": {"expires": 3600},
        },
    },
)
