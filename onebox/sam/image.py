"""The image of the Lambda runtime, from which the SAM CLI makes the functions' containers."""

import shutil
import subprocess

from onebox.template import Template

# The base image alone has some 200 MB.
_PULL_S = 900


class NoImage(Exception):
    """Functions can't run in containers here; the text says what is missing."""


def image_of(template: Template) -> str:
    """Return the name of the image that the template's functions run on, as the SAM CLI makes it up."""
    functions = template.of_type("AWS::Lambda::Function").values()
    [runtime] = {resource["Properties"]["Runtime"] for resource in functions}
    architecture = template.parameters["Architecture"]["Default"]
    return f"public.ecr.aws/lambda/python:{runtime.removeprefix('python')}-{architecture}"


def fetch(image: str) -> str:
    """
    Pull the image, or be content with the one that is here; returns what was done, in words.

    Raises:
        NoImage: There is neither.
    """
    if shutil.which("docker") is None:
        raise NoImage("Docker is missing: `sam local` runs functions in containers. Install Docker and start it.")
    if _docker("info").returncode:
        raise NoImage("Docker is installed and doesn't answer: start it, and see that you may use it (`docker info`).")
    pulled = _docker("pull", "--quiet", image)
    if not pulled.returncode:
        return f"pulled {image}"
    if not _docker("image", "inspect", image).returncode:
        return f"could not pull {image}; going on with the one that is here"
    raise NoImage(
        f"{image} is not here and could not be pulled ({_last_line(pulled.stderr)}).\n"
        f"Pull it where there is a network (`docker pull {image}`), carry it over with `docker save` and `docker load`, "
        "or give an image of your own this name."
    )


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=_PULL_S)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
