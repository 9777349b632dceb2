"""The image of the Lambda runtime, from which the SAM CLI makes the functions' containers."""

import re
import shutil
import subprocess

from onebox.template import Template

# The base image alone has some 200 MB.
_PULL_S = 900

# Docker's daemon, asked what it is or has.
_ANSWER_S = 30


class NoImage(Exception):
    """Functions can't run in containers here; the text says what is missing."""


def image_of(template: Template) -> str:
    """Return the name of the image that the template's functions run on, as the SAM CLI makes it up."""
    functions = template.of_type("AWS::Lambda::Function").values()
    [runtime] = {resource["Properties"]["Runtime"] for resource in functions}
    architecture = template.parameters["Architecture"]["Default"]
    return f"public.ecr.aws/lambda/python:{runtime.removeprefix('python')}-{architecture}"


def see_docker() -> None:
    """
    See that Docker is there and works for us.

    Raises:
        NoImage: It isn't, or doesn't; the text says what to do.
    """
    if shutil.which("docker") is None:
        raise NoImage(
            "Docker is missing, in which `sam local` runs functions. Install it (docs.docker.com/get-started/get-docker) "
            "and start it.\nWithout it, they run in this process: make demo, make up"
        )
    try:
        info = _docker("info", within_s=_ANSWER_S)
    except subprocess.TimeoutExpired as error:
        raise NoImage(f"Docker is installed and gives no answer within {_ANSWER_S} s: start it anew.") from error
    if not info.returncode:
        return
    said = info.stdout + info.stderr
    if "permission denied" in said.lower():
        raise NoImage(
            "Docker runs, and you may not use it. On Linux: sudo usermod -aG docker $USER, then log in anew "
            "(whoever is in that group is as good as root)."
        )
    # Some versions say it last, others before a word on how they print.
    why = re.search(r"Cannot connect.*|error during connect.*", said)
    raise NoImage(
        f"Docker is installed and doesn't answer: {why[0] if why else _last_line(said)}\n"
        "Start it: Docker Desktop on macOS (open -a Docker), sudo systemctl start docker on Linux."
    )


def fetch(image: str) -> str:
    """
    Pull the image, or be content with the one that is here; returns what was done, in words.

    Raises:
        NoImage: There is neither, or no Docker.
    """
    see_docker()
    print(f"Pulling {image}: some 200 MB, once", flush=True)
    try:
        pulled = _docker("pull", "--quiet", image, within_s=_PULL_S)
        why = _last_line(pulled.stderr)
        if not pulled.returncode:
            return f"pulled {image}"
    except subprocess.TimeoutExpired:
        why = f"no end after {_PULL_S} s"
    if not _docker("image", "inspect", image, within_s=_ANSWER_S).returncode:
        return f"could not pull {image}; going on with the one that is here"
    raise NoImage(
        f"{image} is not here and could not be pulled ({why}).\n"
        f"Pull it where there is a network (`docker pull {image}`), carry it over with `docker save` and `docker load`, "
        "or give an image of your own this name."
    )


def _docker(*arguments: str, within_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=within_s)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
