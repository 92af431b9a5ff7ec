"""Settings of the pattern `api-push`: bus → rule → API destination → an API."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.config.api import ServedApiSettings
from components.config.base import PatternSettings, Settings
from components.config.events import EventPattern, events_field
from components.config.queue_worker import DeliverySettings

__all__ = ["ApiKeySettings", "ApiPushSettings", "BasicLoginSettings", "ExistingApiSettings", "OAuthClientSettings"]

SecretArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:secretsmanager:")]


class ApiKeySettings(Settings):
    """A header with a secret value."""

    header: str = Field("x-api-key", pattern=r"^[A-Za-z0-9_-]+$", description="the header's name; default x-api-key")
    secret_arn: SecretArn = Field(..., description="a Secrets Manager secret that is the value; read at each deploy")


class BasicLoginSettings(Settings):
    """HTTP basic authentication."""

    username: str = Field(..., min_length=1, description="in clear text")
    secret_arn: SecretArn = Field(..., description="a Secrets Manager secret that is the password; read at each deploy")


class OAuthClientSettings(Settings):
    """OAuth 2.0 client credentials."""

    token_url: str = Field(..., pattern=r"^https://", description="an https URL")
    client_id: str = Field(..., min_length=1, description="in clear text")
    secret_arn: SecretArn = Field(
        ..., description="a Secrets Manager secret that is the client's secret; read at each deploy"
    )
    scope: str | None = Field(None, min_length=1, description="sent with the token request; default none")


class ExistingApiSettings(Settings):
    """An API that this stack does not make."""

    url: str = Field(..., pattern=r"^https://[^*\s]+$", max_length=2048, description="an https URL")
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="POST, PUT or PATCH; default POST")
    api_key: ApiKeySettings | None = Field(None, description="exactly one of api_key, basic and oauth")
    basic: BasicLoginSettings | None = Field(None, description="exactly one of api_key, basic and oauth")
    oauth: OAuthClientSettings | None = Field(None, description="exactly one of api_key, basic and oauth")
    private_resource_configuration_arn: (
        Annotated[str, Field(pattern=r"^arn:[a-z-]+:vpc-lattice:.*:resourceconfiguration/")] | None
    ) = Field(None, description="a VPC Lattice resource configuration, for an API inside a VPC; default none")

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if [self.api_key, self.basic, self.oauth].count(None) != 2:
            raise ValueError("set exactly one of api_key, basic and oauth: EventBridge always logs in")
        return self


class ApiPushSettings(PatternSettings):
    """Events of the stack's bus that match a pattern are pushed to an API, not faster than it can take them."""

    pattern: Literal["api-push"] = Field(..., description="api-push")
    description: str | None = Field(None, max_length=512, description="a text of up to 512 characters; default none")
    events: EventPattern = events_field()
    api: ServedApiSettings | None = Field(None, description="an API of its own; exactly one of api and existing")
    existing: ExistingApiSettings | None = Field(
        None, description="an API that exists; exactly one of api and existing"
    )
    requests_per_second: int = Field(
        300, ge=1, le=100_000, description="a whole number from 1 to 100,000; events wait for their turn; default 300"
    )
    delivery: DeliverySettings = Field(
        default_factory=DeliverySettings, description="EventBridge's retries; default 24 hours"
    )

    @model_validator(mode="after")
    def _one_api(self) -> Self:
        if (self.api is None) == (self.existing is None):
            raise ValueError("set exactly one of api (one of its own) and existing")
        return self
