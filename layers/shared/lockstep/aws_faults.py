"""What a call to AWS may raise."""

from botocore.exceptions import BotoCoreError, ClientError

# OSError, too, for what our own code says of a call that half worked.
AWS_FAULTS = (ClientError, BotoCoreError, OSError)
