"""The Celery app: two loops hosted by workers of their own, and beat's timetable of small tasks.

A loop is a bootstep and not an endless task: it gets SIGTERM in time, no visibility timeout delivers it twice, and it
goes on while the message broker is away.
"""

import os
import signal
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitrapp_site.settings")

from celery import Celery, bootsteps, signals
from celery.worker.control import inspect_command

app = Celery("aitrapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _leave_logging_alone(**_: Any) -> None:
    """Celery would put the root logger on its own level; Django's settings say what is logged."""


#: which loop a worker hosts follows from the queue it serves
STRATEGY_QUEUE, WATCHER_QUEUE = "strategy", "watcher"
#: a worker of short tasks that serves a loop's queue too is that loop's standby
TASK_QUEUE = "celery"
STOP_TIMEOUT_S = 8.0

_loops: list[Any] = []


class LoopStep(bootsteps.StartStopStep):
    """Starts the loop of its queue with the worker and stops it, within bounds, with the worker."""

    requires = frozenset({"celery.worker.components:Pool"})
    queue = ""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.loop: Any = None
        queues = parent.app.amqp.queues.consume_from
        self.enabled = self.queue in queues
        self.is_standby = TASK_QUEUE in queues

    def make_loop(self) -> Any:
        raise NotImplementedError

    def start(self, parent: Any) -> None:
        self.loop = self.make_loop()
        _loops.append(self.loop)
        self.loop.start()

    def stop(self, parent: Any) -> None:
        if self.loop is not None:
            self.loop.stop_and_join(STOP_TIMEOUT_S)
            self.loop = None

    terminate = stop


class StrategyStep(LoopStep):
    name = "strategy-loop"
    queue = STRATEGY_QUEUE

    def make_loop(self) -> Any:
        from aitrapp_site import loops

        return loops.strategy_loop(_end_process, is_standby=self.is_standby)


class WatcherStep(LoopStep):
    name = "watcher-loop"
    queue = WATCHER_QUEUE

    def make_loop(self) -> Any:
        from aitrapp_site import loops

        return loops.watcher_loop(_end_process, is_standby=self.is_standby)


def _end_process() -> None:
    """A loop that ended by itself is started again with its process, by whoever supervises that."""
    os.kill(os.getpid(), signal.SIGTERM)


app.steps["worker"].add(StrategyStep)
app.steps["worker"].add(WatcherStep)


@inspect_command()
def loops(state: Any) -> list[dict[str, Any]]:
    """State of the loops hosted here: `celery -A aitrapp_site.celery inspect loops`."""
    return [loop.report() for loop in _loops]
