"""No proxy stands between the parts of the stack, whatever stands between this machine and the rest of the world."""

from collections.abc import Mapping, MutableMapping

# What the parts call this machine.
HERE = ("127.0.0.1", "localhost")

# libcurl and Python believe the small one where both are said.
_EXCEPT = ("no_proxy", "NO_PROXY")

_TO = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def lead_past(environ: MutableMapping[str, str]) -> None:
    """Let libcurl, botocore and httpx, and processes that are started, go to this machine without a proxy."""
    said = next((environ[name] for name in _EXCEPT if environ.get(name)), "")
    if said.strip() == "*":
        return  # libcurl takes it for all only where it stands alone
    names = [name for name in said.split(",") if name.strip()]
    for name in _EXCEPT:
        environ[name] = ",".join([*names, *(here for here in HERE if here not in names)])


def are_set(environ: Mapping[str, str]) -> bool:
    """Say whether a person's own commands would ask one."""
    return any(environ.get(name) for name in _TO)
