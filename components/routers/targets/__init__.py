"""What a rule can deliver to: a class for each kind of target."""

from components.routers.targets.base import (
    DEFAULT_RETRY,
    EVENTS_SERVICE,
    RETRY_RULES,
    Addressable,
    Binding,
    Existing,
    RetryPolicy,
    RuleSide,
    Target,
)
from components.routers.targets.compute import EcsTaskTarget, LambdaTarget, StateMachineTarget
from components.routers.targets.input import ConstantInput, InputPath, InputTransformer, TargetInput
from components.routers.targets.messaging import KinesisTarget, LogGroupTarget, SnsTarget, SqsTarget
from components.routers.targets.routing import ApiDestinationTarget, EventBusTarget

__all__ = [
    "DEFAULT_RETRY",
    "EVENTS_SERVICE",
    "RETRY_RULES",
    "Addressable",
    "ApiDestinationTarget",
    "Binding",
    "ConstantInput",
    "EcsTaskTarget",
    "EventBusTarget",
    "Existing",
    "InputPath",
    "InputTransformer",
    "KinesisTarget",
    "LambdaTarget",
    "LogGroupTarget",
    "RetryPolicy",
    "RuleSide",
    "SnsTarget",
    "SqsTarget",
    "StateMachineTarget",
    "Target",
    "TargetInput",
]
