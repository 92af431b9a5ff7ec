"""Settings of an `api-push` → `ApiPush`."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.config.api_push import ApiPushSettings, ExistingApiSettings
from components.patterns.api import ApiArgs
from components.patterns.api_push import ApiPush, ApiPushArgs, ExistingApi
from components.patterns.from_settings.api import api_args_from
from components.routers.api_destination import ApiKey, BasicLogin, Credentials, OAuthClient
from components.shared import Shared

__all__ = ["build_api_push"]


def build_api_push(name: str, settings: ApiPushSettings, shared: Shared) -> ApiPush:
    return ApiPush(
        name,
        ApiPushArgs(
            bus=shared.bus,
            event_pattern=settings.events,
            api=_api(name, settings, shared),
            requests_per_second=settings.requests_per_second,
            maximum_retry_attempts=settings.delivery.maximum_retry_attempts,
            maximum_event_age_seconds=settings.delivery.maximum_event_age_seconds,
            alarms=shared.alarms_enabled,
            alarm_topic_arn=shared.alarm_topic_arn,
            encryption_key=shared.encryption_key,
            description=settings.description,
        ),
        shared.pattern_opts,
    )


def _api(name: str, settings: ApiPushSettings, shared: Shared) -> ApiArgs | ExistingApi:
    if settings.existing is not None:
        return ExistingApi(
            url=settings.existing.url,
            credentials=_credentials(settings.existing),
            method=settings.existing.method,
            private_resource_configuration_arn=settings.existing.private_resource_configuration_arn,
        )
    assert settings.api is not None  # the settings are checked
    own = settings.api
    return api_args_from(name, own, own.handler, own.ingress, shared, settings.description)


def _credentials(settings: ExistingApiSettings) -> Credentials:
    if settings.api_key is not None:
        return ApiKey(header=settings.api_key.header, value=_secret(settings.api_key.secret_arn))
    if settings.basic is not None:
        return BasicLogin(username=settings.basic.username, password=_secret(settings.basic.secret_arn))
    assert settings.oauth is not None  # the settings are checked
    return OAuthClient(
        token_url=settings.oauth.token_url,
        client_id=settings.oauth.client_id,
        client_secret=_secret(settings.oauth.secret_arn),
        scope=settings.oauth.scope,
    )


def _secret(arn: str) -> pulumi.Output[str]:
    return pulumi.Output.secret(aws.secretsmanager.get_secret_version_output(secret_id=arn).secret_string)
