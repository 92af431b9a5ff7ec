"""What kind of failure a boto3 exception, or a failed entry of a batch, is.

Works on names and error codes, so that it costs no botocore import; the codes are those of the SQS, EventBridge, ECS
and Application Auto Scaling API references ("Errors" and "Common errors").
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["Fault", "SendError", "classify", "classify_code", "may_have_acted"]


class Fault(StrEnum):
    """Kinds of failure, as far as the reaction to them differs."""

    NO_CREDENTIALS = "no-credentials"
    NO_REGION = "no-region"
    NO_PROFILE = "no-profile"
    EXPIRED = "expired"
    DENIED = "denied"
    MISSING_QUEUE = "missing-queue"
    MISSING = "missing"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    TRANSIENT = "transient"
    INVALID = "invalid"

    @property
    def worth_retrying(self) -> bool:
        return self in (Fault.THROTTLED, Fault.UNREACHABLE, Fault.TRANSIENT)


class SendError(Exception):
    """A request that is not one of boto3's failed: what kind of failure it is, and a sentence for the operator.

    Args:
        fault: `Fault.TRANSIENT` says that the other side may have acted although there was no proper answer.
        message: the sentence.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


_CODES: dict[str, Fault] = {}
for _fault, _names in {
    Fault.THROTTLED: "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException "
    "TooManyRequestsException RequestLimitExceeded SlowDown PriorRequestNotComplete BandwidthLimitExceeded "
    "KMS.ThrottlingException KmsThrottled ProvisionedThroughputExceededException KMSThrottlingException "
    "ExecutionLimitExceeded LimitExceededException EC2ThrottledException KMSThrottling",
    Fault.EXPIRED: "ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired",
    Fault.NO_CREDENTIALS: "UnrecognizedClientException InvalidClientTokenId MissingAuthenticationToken "
    "InvalidAccessKeyId SignatureDoesNotMatch MissingAuthenticationTokenException AuthFailure",
    Fault.DENIED: "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized KMS.AccessDeniedException "
    "KmsAccessDenied OptInRequired",
    Fault.MISSING_QUEUE: "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist "
    "AWS.SimpleQueueService.QueueDeletedRecently NonExistentQueue",
    Fault.MISSING: "ResourceNotFoundException ParameterNotFound ClusterNotFoundException ServiceNotFoundException "
    "ObjectNotFoundException NotFound NotFoundException StateMachineDoesNotExist StateMachineDeleting",
    Fault.TRANSIENT: "InternalError InternalFailure InternalServerError InternalException ServiceUnavailable "
    "ServiceUnavailableException RequestTimeout RequestTimeoutException ServerException "
    "InternalErrorException ServiceException",
}.items():
    _CODES |= dict.fromkeys(_names.split(), _fault)

_EXCEPTIONS: dict[str, Fault] = {
    "NoCredentialsError": Fault.NO_CREDENTIALS,
    "PartialCredentialsError": Fault.NO_CREDENTIALS,
    "CredentialRetrievalError": Fault.NO_CREDENTIALS,
    "NoAuthTokenError": Fault.NO_CREDENTIALS,
    "SSOTokenLoadError": Fault.EXPIRED,
    "UnauthorizedSSOTokenError": Fault.EXPIRED,
    "TokenRetrievalError": Fault.EXPIRED,
    "NoRegionError": Fault.NO_REGION,
    "ProfileNotFound": Fault.NO_PROFILE,
    "EndpointConnectionError": Fault.UNREACHABLE,
    "ConnectTimeoutError": Fault.UNREACHABLE,
    "ProxyConnectionError": Fault.UNREACHABLE,
    "HTTPClientError": Fault.TRANSIENT,
    "ConnectionError": Fault.TRANSIENT,
    "ResponseParserError": Fault.TRANSIENT,
}
"""By the name of the exception's class or of one of its bases, most derived first."""


def classify_code(code: str, status: int = 400) -> Fault:
    """The kind of an AWS error code; an unknown code is transient from HTTP status 500, and invalid below."""
    name = code.rsplit("#", 1)[-1]
    if fault := _CODES.get(name):
        return fault
    return Fault.TRANSIENT if status >= 500 else Fault.INVALID


def classify(error: BaseException) -> Fault:
    """The kind of an exception that boto3 raised, or of a `SendError` (anything unknown is `Fault.INVALID`)."""
    if isinstance(error, SendError):
        return error.fault
    response: Mapping[str, Any] | None = getattr(error, "response", None)
    if isinstance(response, Mapping) and "Error" in response:
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 400)
        return classify_code(str(response["Error"].get("Code", "")), status)
    for base in type(error).__mro__:
        if fault := _EXCEPTIONS.get(base.__name__):
            return fault
    return Fault.INVALID


def may_have_acted(error: BaseException) -> bool:
    """True when AWS may have carried out the request although an error came back (its answer was lost)."""
    return classify(error) is Fault.TRANSIENT
