"""The account of the local stack, and how any AWS client is pointed at it."""

from __future__ import annotations

from ops.local.home import State

__all__ = ["ACCOUNT_ID", "local_account"]

ACCOUNT_ID = "000000000000"
"""The embedded AWS reads the account from a 12-digit access key id."""


def local_account(state: State) -> dict[str, str]:
    """Environment variables with which any AWS client, `ops` itself included, means the local stack."""
    return {
        "AWS_ENDPOINT_URL": state.endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": state.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "EDA_STACK": state.stack,
    }
