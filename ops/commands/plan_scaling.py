"""`ops plan-scaling`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.context import globals_of
from ops.errors import UsageError
from ops.output import Format, Output

if TYPE_CHECKING:
    from ops.actions.plan_scaling.planning import Comparison, Row
    from ops.scaling_model.traffic import Trace

__all__ = ["plan_scaling"]

_MAX_TASKS = 5_000
_MAX_LATENCY_SECONDS = 86_400
_LONG_MINUTES = 2 * 24 * 60
_SHOWN_RATIO = 2.0
"""The table leaves out candidates with more task-hours than this times the recommended one's; JSON has all."""


def plan_scaling(
    context: typer.Context,
    latency: Annotated[float, typer.Option(help="Seconds a message may wait.")],
    processing: Annotated[float, typer.Option(help="Seconds a task works on a message, on average.")],
    trace: Annotated[Path | None, typer.Option(help="Traffic from a CSV file: minute,messages.")] = None,
    shape: Annotated[str | None, typer.Option(help="Named traffic: steady, unpredictable, burst or daily.")] = None,
    queue: Annotated[str | None, typer.Option(help="Traffic of this queue (its name), from CloudWatch.")] = None,
    days: Annotated[int, typer.Option(help="With --queue: how far back, 1 to 15.")] = 1,
    minimum: Annotated[int | None, typer.Option("--min", help="Fewest tasks; else several are tried.")] = None,
    maximum: Annotated[int | None, typer.Option("--max", help="Most tasks; else twice the clairvoyant's peak.")] = None,
    start_seconds: Annotated[int, typer.Option(help="From ordering a task until it receives.")] = 50,
    cpu: Annotated[int, typer.Option(help="CPU units of a task, for the cost.")] = 256,
    memory: Annotated[int, typer.Option(help="MiB of a task, for the cost.")] = 512,
    vcpu_hour: Annotated[
        float, typer.Option(help="USD for a vCPU and hour; Fargate, us-east-1, March 2026.")
    ] = 0.04048,
    gb_hour: Annotated[float, typer.Option(help="USD for a GB and hour; likewise.")] = 0.004445,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print only the settings to paste.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the comparison into a .png or .svg file.")] = None,
    output: Annotated[Format, typer.Option(help="How stdout is written.")] = Format.TABLE,
) -> None:
    """Simulate scaling policies on a traffic trace and recommend settings.

    Needs no AWS, except with --queue. The recommendation is the cheapest setting with which 95 % of the messages wait
    no longer than --latency.

    \b
    ops plan-scaling --shape burst --latency 300 --processing 2
    ops plan-scaling --trace monday.csv --latency 60 --processing 0.5 --max 50 --plot monday.svg
    ops plan-scaling --queue orders --days 7 --latency 300 --processing 2 --yaml
    """
    _check(latency, processing, minimum, maximum, start_seconds, cpu, memory, vcpu_hour, gb_hour)
    if yaml and output is Format.JSON:
        raise UsageError("--yaml and --output json exclude each other")
    from ops.actions.plan_scaling.planning import Request, compare
    from ops.actions.plan_scaling.plot import check_plot, draw
    from ops.scaling_model.cost import TaskPrice
    from ops.scaling_model.simulation import Timing

    if plot is not None:
        check_plot(plot)
    out = Output(output)
    request = Request(
        trace=_traffic(context, trace, shape, queue, days),
        acceptable_latency_seconds=latency,
        processing_seconds=processing,
        minimum=minimum,
        maximum=maximum,
        timing=Timing(task_start_seconds=start_seconds),
        price=TaskPrice(cpu=cpu, memory_mib=memory, usd_per_vcpu_hour=vcpu_hour, usd_per_gb_hour=gb_hour),
    )
    found = request.trace
    out.say(f"{found.name}: {found.messages:,} messages in {found.minutes / 60:.1f} hours")
    comparison = compare(request, _progress(out, found.minutes))
    if plot is not None:
        draw(comparison, plot)
        out.say(f"drawn: {plot}")
    _print(out, comparison, yaml)
    if not comparison.recommended.keeps_promise:
        out.say(_why_not(comparison))


def _progress(out: Output, minutes: int) -> Callable[[int, int], None]:
    """Talk for a trace of days, which takes a while."""

    def tell(done: int, of: int) -> None:
        if minutes > _LONG_MINUTES and done % 10 == 0:
            out.say(f"simulated {done} of {of} policies")

    return tell


def _check(
    latency: float,
    processing: float,
    minimum: int | None,
    maximum: int | None,
    start_seconds: int,
    cpu: int,
    memory: int,
    vcpu_hour: float,
    gb_hour: float,
) -> None:
    from contracts.errors import ScalingError
    from contracts.scaling import backlog_per_task_target

    try:
        backlog_per_task_target(latency, processing)
    except ScalingError as error:
        raise UsageError(str(error), "`--latency 300 --processing 2`") from error
    if latency > _MAX_LATENCY_SECONDS:
        raise UsageError(f"--latency {latency:g}: at most {_MAX_LATENCY_SECONDS:,} seconds are allowed")
    for name, value, least, most in (
        ("--min", minimum, 0, _MAX_TASKS),
        ("--max", maximum, 1, _MAX_TASKS),
        ("--start-seconds", start_seconds, 0, 3_600),
        ("--cpu", cpu, 1, 16_384),
        ("--memory", memory, 1, 122_880),
    ):
        if value is not None and not least <= value <= most:
            raise UsageError(f"{name} {value}: allowed is a whole number from {least} to {most:,}")
    if minimum is not None and maximum is not None and minimum > maximum:
        raise UsageError(f"--min {minimum} is more than --max {maximum}; lower --min or raise --max")
    for name, price in (("--vcpu-hour", vcpu_hour), ("--gb-hour", gb_hour)):
        if not math.isfinite(price) or price < 0:
            raise UsageError(f"{name} {price:g}: allowed is a price of 0 USD or more")


def _traffic(context: typer.Context, trace: Path | None, shape: str | None, queue: str | None, days: int) -> Trace:
    from ops.actions.plan_scaling.sources import MAX_DAYS, trace_of_file, trace_of_queue
    from ops.scaling_model.traffic import Shape, shaped

    if [trace, shape, queue].count(None) != 2:
        raise UsageError("where does the traffic come from? Exactly one of --trace, --shape and --queue")
    if trace is not None:
        return trace_of_file(trace)
    if shape is not None:
        if shape not in list(Shape):
            raise UsageError(f"--shape {shape}: unknown; allowed are {', '.join(Shape)}")
        return shaped(Shape(shape))
    if not 1 <= days <= MAX_DAYS:
        raise UsageError(f"--days {days}: allowed is 1 to {MAX_DAYS}; CloudWatch keeps minutes no longer")
    assert queue is not None
    return trace_of_queue(globals_of(context).aws().cloudwatch(), queue, days)


def _print(out: Output, comparison: Comparison, yaml: bool) -> None:
    from ops.actions.plan_scaling.settings_text import scaling_yaml
    from ops.scaling_model.cost import PRICE_SOURCE

    best = comparison.recommended
    assert best.settings is not None
    block = scaling_yaml(best.settings)
    if yaml:
        typer.echo(block)
        return
    if out.json:
        rows = [comparison.optimum, *comparison.own, *comparison.others]
        out.object(
            {
                "trace": comparison.request.trace.name,
                "messages": comparison.request.trace.messages,
                "minutes": comparison.request.trace.minutes,
                "acceptable_latency_seconds": comparison.request.acceptable_latency_seconds,
                "processing_seconds": comparison.request.processing_seconds,
                "rows": [_facts(comparison, row) for row in rows],
                "recommended": _facts(comparison, best),
                "yaml": block,
            }
        )
        return
    affordable = _SHOWN_RATIO * best.task_hours
    own = [row for row in comparison.frontier if row is not best and row.task_hours <= affordable]
    shown = [comparison.optimum, best, *own, *comparison.others]
    columns = ["policy", "p50", "p95", "p99", "in_time", "task_hours", "vs_optimum", "usd", "peak", "keeps"]
    out.rows(columns, [_cells(comparison, row) for row in shown])
    from ops.commands.plan_scaling_chart import print_chart

    print_chart(comparison)
    out.say(f"Cost: {PRICE_SOURCE}, unless given.")
    typer.echo(f"\nFor the pattern in Pulumi.<stack>.yaml:\n{block}")


def _cells(comparison: Comparison, row: Row) -> dict[str, Any]:
    mark = "→ " if row is comparison.recommended else ""
    return {
        "policy": f"{mark}{row.policy}",
        "p50": _seconds(row.p50_seconds),
        "p95": _seconds(row.p95_seconds),
        "p99": _seconds(row.p99_seconds),
        "in_time": f"{row.attainment:.1%}",
        "task_hours": round(row.task_hours, 1),
        "vs_optimum": f"{row.ratio:.2f} ×",
        "usd": f"{row.cost_usd:.2f}",
        "peak": row.peak_tasks,
        "keeps": "yes" if row.keeps_promise else "no",
    }


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


def _facts(comparison: Comparison, row: Row) -> dict[str, Any]:
    names = ("p50_seconds", "p95_seconds", "p99_seconds", "attainment", "task_hours", "ratio", "cost_usd")
    return {
        "policy": row.policy,
        **{name: getattr(row, name) for name in names},
        "peak_tasks": row.peak_tasks,
        "keeps_promise": row.keeps_promise,
        "recommended": row is comparison.recommended,
        "settings": row.settings,
    }


def _why_not(comparison: Comparison) -> str:
    best, request = comparison.recommended, comparison.request
    return (
        f"No candidate keeps 95 % of the messages within {request.acceptable_latency_seconds:g} s; the fastest is "
        f"recommended (p95 {_seconds(best.p95_seconds)}). AWS notices a rise after about four minutes (the metric's "
        f"delay and three data points), and a task takes {request.timing.task_start_seconds} s to start: for less, "
        "raise --min, --max or --latency."
    )
