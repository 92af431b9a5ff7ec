"""GeneratedApiKey: a secret that callers of an API show, made once and kept in Secrets Manager."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.core.base import Component
from components.core.validation import Check, check
from components.encryption import EncryptionKey

__all__ = ["GeneratedApiKey", "GeneratedApiKeyArgs"]

_LENGTH = 48


@dataclass(frozen=True, kw_only=True)
class GeneratedApiKeyArgs:
    """Arguments of `GeneratedApiKey`.

    Attributes:
        recovery_days: how long a deleted secret can be brought back, 0 (gone at once) or 7 to 30; default 7.
        encryption_key: customer-managed key; default None, the one of Secrets Manager.
    """

    recovery_days: int = 7
    encryption_key: EncryptionKey | None = None


_RULES = (
    Check(
        ("recovery_days",),
        lambda args: args.recovery_days != 0 and not 7 <= args.recovery_days <= 30,
        lambda args: f"recovery_days is {args.recovery_days!r}; allowed is 0 (gone at once) or 7 to 30",
    ),
)


class GeneratedApiKey(Component):
    """48 letters and digits. The tasks accept each key that the secret lists with commas between: so it is rotated.

    Attributes:
        arn: of the secret, which the API's tasks read at their start.
        value: the key as it was made; a Pulumi secret, encrypted in the state.
    """

    def __init__(
        self, name: str, args: GeneratedApiKeyArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        args = args or GeneratedApiKeyArgs()
        check(f"GeneratedApiKey {name!r}", args, _RULES)
        secret = aws.secretsmanager.Secret(
            name,
            description="Callers of the API show it in the header x-api-key",
            recovery_window_in_days=args.recovery_days,
            kms_key_id=args.encryption_key.arn if args.encryption_key else None,
            opts=self.child(),
        )
        generated = aws.secretsmanager.get_random_password_output(
            password_length=_LENGTH, exclude_punctuation=True, opts=pulumi.InvokeOutputOptions(parent=self)
        ).random_password
        version = aws.secretsmanager.SecretVersion(
            f"{name}-value",
            secret_id=secret.id,
            secret_string=pulumi.Output.secret(generated),
            # Every deployment asks for another password; the first one stays.
            opts=self.child(ignore_changes=["secret_string"]),
        )
        # Whoever reads the ARN may read the value, so it comes with it.
        self.arn: pulumi.Output[str] = pulumi.Output.all(secret.arn, version.id).apply(lambda known: str(known[0]))
        self.value: pulumi.Output[str] = pulumi.Output.secret(version.secret_string.apply(str))
        self.publish({"arn": self.arn})
