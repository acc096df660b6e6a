"""The supervisor's own parts: the Procfile, restarts with growing pauses, bounded stops, forked workers."""

import signal
import sys
from pathlib import Path

import pytest

from aitrapp_site import forking, supervisor
from aitrapp_site.settings import BASE_DIR
from aitrapp_site.supervisor import Process, Supervisor, read_procfile
from tests.aitrapp_site.paper_process import wait_for


class Wake:
    """A wake nobody rings; signals of the test run stay as they are."""

    stop_asked = False

    def wait(self, timeout_s: float) -> None:
        pass


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(forking, "preload", lambda: None)
    started = []

    def start(*processes: Process) -> Supervisor:
        made = Supervisor(
            processes=list(processes),
            variables={"WORD": "handed down", "PYTHON": sys.executable},
            project_dir=Path.cwd(),
            out_dir=tmp_path,
            wake=Wake(),  # type: ignore[arg-type]  # the same two members
        )
        made.start()
        started.append(made)
        return made

    yield start
    for made in started:
        made.stop([process.name for process in made.processes], 0)


def test_the_projects_procfile_names_every_process_once():
    names = [process.name for process in read_procfile(BASE_DIR / "Procfile")]
    assert names == ["web", "strategy", "watcher", "worker", "beat", "dead_man", "exchange"]
    assert len(names) == len(set(names))


def test_a_line_that_is_no_process_is_named(tmp_path):
    path = tmp_path / "Procfile"
    path.write_text("# comment\n\nweb: serve\nnonsense\n")
    with pytest.raises(ValueError, match="Procfile line 4: write `name: command`, not 'nonsense'"):
        read_procfile(path)


def test_the_celery_workers_and_the_dead_man_of_the_procfile_are_forked_and_nothing_else_is():
    forked = {
        process.name: forking.forked_arguments(process.command)
        for process in read_procfile(BASE_DIR / "Procfile")
    }
    assert forked["watcher"] is not None
    assert forked["watcher"][:6] == ["celery", "-A", "aitrapp_site.celery", "worker", "-n", "watcher@%h"]
    assert forked["dead_man"] == ["manage.py", "dead_man"]
    assert [name for name, arguments in forked.items() if arguments] == [
        "strategy",
        "watcher",
        "worker",
        "dead_man",
    ]


def test_a_process_gets_our_variables_and_its_output_is_kept(run):
    process = Process(name="talker", command='"$PYTHON" -c "import os; print(os.environ[\'WORD\'])"')
    made = run(process)
    wait_for(lambda: process.status == 0, 10, "its end")
    assert made.last_words(process) == "handed down"


def test_a_process_that_dies_is_started_again_after_a_pause_that_grows(run, monkeypatch):
    class Machine:
        now_s = 100.0

    monkeypatch.setattr(supervisor.time, "monotonic", lambda: Machine.now_s)
    process = Process(name="mortal", command="true")
    made = run(process)
    starts = []
    for now_s in (100.0, 100.4, 100.6, 101.0, 101.5, 101.8):
        Machine.now_s = now_s
        child = process._child
        assert child is not None
        child.wait(10)
        made.keep(process)
        starts.append(process.starts)
    # noticed at 100.0, due at 100.5; the second time noticed at 101.0, due a whole second later
    assert starts == [1, 1, 2, 2, 2, 2]
    Machine.now_s = 102.1
    made.keep(process)
    assert process.starts == 3


def test_an_end_is_told_once_and_before_the_process_is_started_again(run):
    process = Process(name="mortal", command="exit 3")
    made = run(process)
    told = []
    made.ended = lambda pid: told.append((pid, process.pid, process.starts))
    first = process._child
    assert first is not None
    first.wait(10)
    made.keep(process)
    made.keep(process)
    assert told == [(first.pid, None, 1)]


def test_whoever_does_not_end_when_asked_is_killed(run):
    process = Process(name="deaf", command="sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done'")
    made = run(process)
    wait_for(lambda: "ready" in made.last_words(process), 10, "it to be deaf")
    made.stop(["deaf"], 0.2)
    assert process.status == -signal.SIGKILL
