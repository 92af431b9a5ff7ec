"""The `scaling:` block of a pattern, to be pasted into ``Pulumi.<stack>.yaml``."""

from __future__ import annotations

from ops.scaling_model.plans import OwnSettings

__all__ = ["scaling_yaml"]


def scaling_yaml(settings: OwnSettings) -> str:
    """One line of YAML, with the keys of the settings' reference; what the policy does not use is left out."""
    pairs: dict[str, str | float | None] = {
        "policy": str(settings.policy),
        "acceptable_latency_seconds": settings.acceptable_latency_seconds,
        "processing_seconds": settings.processing_seconds,
        "headroom": settings.headroom,
        "min": settings.min,
        "max": settings.max,
    }
    shown = [
        f"{key}: {value if isinstance(value, str) else f'{value:.15g}'}"
        for key, value in pairs.items()
        if value is not None
    ]
    return f"scaling: {{{', '.join(shown)}}}"
