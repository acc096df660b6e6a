"""`python -m tests.chaos`: the kill test. Exit code 0: nothing violated; 1: something was; 2: it could not be done."""

import argparse
import os
import shutil
import signal
import sys
import tempfile

import django

BAD_USAGE, VIOLATED = 2, 1


def minutes_of(words: str) -> float:
    """A number of the command line."""
    try:
        minutes = float(words)
    except ValueError:
        minutes = 0.0
    if not 0.2 <= minutes <= 600:
        raise argparse.ArgumentTypeError(f"{words!r} cannot be used here: write minutes from 0.2 to 600")
    return minutes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of every fault (1)")
    parser.add_argument("--minutes", type=minutes_of, default=1.0, help="of faults, machine time (1)")
    parser.add_argument("--speed", type=float, default=10.0, help="market seconds a second (10)")
    parser.add_argument(
        "--json", action="store_true", help="the sheet as JSON; the run is told on standard error"
    )
    parser.add_argument("--keep", action="store_true", help="after a violation leave rows, logs and journals")
    parser.add_argument("--defect", default="", help="give the program this defect of the simulation's list")
    options = parser.parse_args()
    # The program's settings make files where they are read: not in the operator's folder.
    own = tempfile.mkdtemp(prefix="aitrapp-chaos-", dir="/tmp")
    os.environ["AITRAPP_VAR_DIR"], os.environ["AITRAPP_LOG_DIR"] = own, own
    os.environ["DJANGO_SETTINGS_MODULE"] = "aitrapp_site.settings"
    try:
        return _run(options)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _run(options: argparse.Namespace) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ended early it still takes its whole system with it; a shell's background job is started deaf to Ctrl-C.
        signal.signal(number, signal.default_int_handler)
    django.setup()
    from tests.chaos import run

    try:
        told = sys.stderr if options.json else sys.stdout
        asked = run.Asked(
            options.seed, options.minutes, keeps=options.keep, speed=options.speed, defect=options.defect
        )
        sheet = run.run(asked, lambda words: print(words, file=told, flush=True))
    except AssertionError as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    print(run.as_json(sheet) if options.json else run.as_text(sheet))
    return VIOLATED if sheet["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
