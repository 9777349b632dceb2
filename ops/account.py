"""The AWS account that boto3 finds: what its refusals mean to a person, and what to do."""

from botocore import exceptions as botocore_errors
from botocore.exceptions import BotoCoreError, ClientError

_SIGN_IN = "Sign in (aws sso login, or aws configure), or name a profile: AWS_PROFILE=… make …"

# AWS's services don't agree on a name.
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"}
_FORBIDDEN = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


def told(error: BotoCoreError | ClientError) -> str:
    """Say what is wrong, and what to do where that is known."""
    if isinstance(error, ClientError):
        return _answered(error)
    match error:
        case botocore_errors.ProfileNotFound():
            return f"{error}. Those there are: aws configure list-profiles"
        case botocore_errors.NoRegionError():
            return "No AWS region is set. Name the one of the stack: AWS_DEFAULT_REGION=eu-central-1 make …"
        case (
            botocore_errors.NoCredentialsError()
            | botocore_errors.PartialCredentialsError()
            | botocore_errors.CredentialRetrievalError()
            | botocore_errors.TokenRetrievalError()
            | botocore_errors.SSOError()
        ):
            return f"No AWS credentials: {error}\n{_SIGN_IN}"
        case botocore_errors.HTTPClientError() | botocore_errors.ConnectionError():
            return f"AWS can't be reached: {error}\nIs the region right (AWS_DEFAULT_REGION), and is there a network?"
    return str(error)


def _answered(error: ClientError) -> str:
    code = error.response.get("Error", {}).get("Code", "")
    if code in _EXPIRED:
        return f"The AWS credentials have expired.\n{_SIGN_IN}"
    if code in _UNKNOWN:
        return f"AWS doesn't know these credentials ({code}).\n{_SIGN_IN}"
    if code in _FORBIDDEN:
        return f"{error}\nWhoever you are signed in as (aws sts get-caller-identity) may not do this."
    return str(error)
