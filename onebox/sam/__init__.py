"""The functions in containers of the Lambda runtime, by the SAM CLI."""
