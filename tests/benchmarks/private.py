"""A bench in a process of its own, whose settings point at private servers that end with it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from aitrapp_site import embedded

ROOT = Path(__file__).resolve().parents[2]


def run(module: str, *words: str, **settings_changed: str) -> dict[str, Any]:
    """Run a module of tests/benchmarks on an empty, migrated database; what it printed last, which is JSON.

    Raises CalledProcessError when it fails.
    """
    with tempfile.TemporaryDirectory(prefix="aitrapp-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        var_dir = Path(folder) / "var"
        environment = os.environ | {
            "AITRAPP_VAR_DIR": str(var_dir),
            "AITRAPP_LOG_DIR": str(Path(folder) / "logs"),
            "DJANGO_SETTINGS_MODULE": "aitrapp_site.settings",
            "SECRET_KEY": "for-benchmarks-only-" + "k" * 50,
            **settings_changed,
        }
        environment.pop("REDIS_URL", None)
        with embedded.use_servers(var_dir) as servers:
            servers.export(environment)
            migrate = [sys.executable, "manage.py", "migrate", "-v0"]
            subprocess.run(migrate, cwd=ROOT, check=True, env=environment)
            said = subprocess.run(
                [sys.executable, "-m", f"tests.benchmarks.{module}", *words],
                cwd=ROOT, check=True, env=environment, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found
