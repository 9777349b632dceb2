"""A deployed stack, by its name: what its outputs say."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lockstep.errors import InvalidInput

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def output(client: "CloudFormationClient", stack: str, name: str) -> str:
    """
    Return an output of a stack.

    Raises:
        InvalidInput: There is no such stack, or it has no such output.
    """
    try:
        [found] = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        raise InvalidInput("STACK", f"is not one of this account and region: {stack}") from error
    values = {one.get("OutputKey"): one.get("OutputValue") for one in found.get("Outputs", [])}
    value = values.get(name)
    if not value:
        raise InvalidInput("STACK", f"has no output {name}; is {stack} a Lockstep?")
    return value
