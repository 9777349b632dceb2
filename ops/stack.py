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
        ClientError: AWS doesn't say.
    """
    try:
        [found] = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        # What it is also called of names that no stack can have.
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        raise InvalidInput(
            "STACK",
            f"{stack} is not in this account and {client.meta.region_name}. Elsewhere: AWS_DEFAULT_REGION=…, AWS_PROFILE=…\n"
            "Those there are: aws cloudformation describe-stacks --query Stacks[].StackName",
        ) from error
    values = {one.get("OutputKey"): one.get("OutputValue") for one in found.get("Outputs", [])}
    value = values.get(name)
    if not value:
        raise InvalidInput("STACK", f"{stack} has no output {name}. Is it a Lockstep, and of this version?")
    return value
