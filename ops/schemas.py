"""`python -m ops.schemas FOLDER`: say which schemas a folder holds, or what is wrong with one, before it is deployed."""

import sys
from pathlib import Path

from lockstep.errors import Misconfigured
from lockstep.schemas import Schemas


def main(arguments: list[str]) -> int:
    """Read a folder as push does at its start; returns the exit status."""
    match arguments:
        case [folder]:
            try:
                schemas = Schemas.from_folder(Path(folder))
            except Misconfigured as error:
                print(f"{folder}: {error}", file=sys.stderr)
                return 1
            print(f"{folder}: {', '.join(sorted(schemas.attributes_types)) or 'no schemas, so nothing is checked'}")
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
