"""`python -m trading.exchange`: the paper exchange alone, without Django and half as large in memory."""

import argparse
import logging
import sys
from datetime import datetime
from pathlib import Path

from aitrapp_site.environment import env_str
from trading.core.session import IST
from trading.exchange.server import command

BAD_USAGE = 2


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m trading.exchange", description=__doc__)
    command.add_arguments(parser, Path("var/exchange"))
    try:
        command.run(
            parser.parse_args(),
            command.Given(
                api_key=env_str("KITE_API_KEY", default=""),
                api_secret=env_str("KITE_API_SECRET", default=""),
                access_token=env_str("KITE_ACCESS_TOKEN", default=""),
                user_id=env_str("KITE_USER_ID", default=""),
            ),
            now=datetime.now(IST),
        )
    except command.CannotOpen as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_USAGE)


if __name__ == "__main__":
    main()
