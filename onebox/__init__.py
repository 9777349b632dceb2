"""The whole stack on one machine: no AWS account, no Apple account, no Docker."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lambda puts the content of a function's layers on the path of what it runs; so does this package, which runs the
# functions in its own process.
SHARED_LAYER = ROOT / "layers" / "shared"
if str(SHARED_LAYER) not in sys.path:
    sys.path.append(str(SHARED_LAYER))
