"""The entry of the command `lookswrong`, which a base install has too, without the server's packages."""

import sys


def main() -> None:
    """Run the command, or say what is to be installed for it."""
    try:
        from queue_server.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "queue_server":
            raise
        sys.exit(f"lookswrong: the server is not installed ({error.name} is missing): pip install 'lookswrong[server]'")
    run()


if __name__ == "__main__":
    main()
