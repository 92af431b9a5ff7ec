"""`ops stream`."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ops.context import Globals, globals_of
from ops.errors import UsageError
from ops.exit_codes import ExitCode
from ops.interrupts import stop_on_signals
from ops.output import Format, Output

if TYPE_CHECKING:
    from contracts.manifest import PatternManifest
    from ops.actions.streams.records import TailedRecord
    from ops.aws import Aws

__all__ = ["app"]

app = typer.Typer(help="Look into Kinesis streams and Kafka topics.", no_args_is_help=True)


@app.callback()
def stream() -> None:
    """Look into Kinesis streams and Kafka topics."""


@app.command("tail")
def tail(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A pattern of the stack that reads a stream or a topic, or a stream's ARN.")
    ] = None,
    stream_name: Annotated[
        str | None, typer.Option("--stream", help="A Kinesis stream by name or ARN, instead of NAME.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="A Kafka topic, instead of the pattern's; with --brokers or NAME.")
    ] = None,
    brokers: Annotated[
        str | None,
        typer.Option(help="Kafka brokers, host:port with commas between; PLAINTEXT://host:port without TLS."),
    ] = None,
    since: Annotated[
        str, typer.Option(help="Records from this time on: 2026-11-20T10:00Z, or 90m, 24h, 7d ago.")
    ] = "10m",
    most: Annotated[int | None, typer.Option("--max", min=1, help="End after so many records.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what arrives, until Ctrl-C.")] = False,
    output: Annotated[Format, typer.Option(help="A line of JSON for each record, or a line for people.")] = Format.JSON,
) -> None:
    """Print the records of a stream or a topic. Takes no lease and commits nothing; workers go on as they were.

    Each shard is read once a second, of the five times a second that its pollers share.

    \b
    ops --stack dev stream tail clicks --since 1h --max 20
    ops stream tail --stream clicks-0a1b2c3 --follow | jq .event.detail.data
    ops --stack dev stream tail billing --topic orders.billing.dead-letters --since 7d --output table
    """
    from ops.times import parse_time

    out = Output(output)
    settings = globals_of(context)
    start = parse_time(since, datetime.datetime.now(datetime.UTC))
    given = [one for one in (name, stream_name, brokers) if one is not None]
    if len(given) != 1:
        raise UsageError("name a pattern, a stream with --stream, or --brokers with --topic: exactly one of them")
    if topic is not None and (stream_name is not None or (name or "").startswith("arn:")):
        raise UsageError(f"--topic {topic!r}: a Kinesis stream has no topics", "leave it out")
    if brokers is not None and topic is None:
        raise UsageError("--brokers needs --topic", "e.g. `--brokers b-1.example:9098 --topic orders`")
    shown = 0
    with stop_on_signals() as stop:
        records = _open(settings, name, stream_name, brokers, topic, start, most, follow, stop)
        for record in records:
            if out.json:
                out.object(record.document())
            else:
                out.line(record.line())
            shown += 1
            if shown == most or stop.is_set():
                break
        if stop.is_set() and shown != most:
            raise typer.Exit(ExitCode.INTERRUPTED)
    if not shown:
        out.say(f"no records since {start:%Y-%m-%dT%H:%M:%SZ}; --since looks further back, --follow waits for some")


def _open(
    settings: Globals,
    name: str | None,
    stream_name: str | None,
    brokers: str | None,
    topic: str | None,
    start: datetime.datetime,
    most: int | None,
    follow: bool,
    stop: threading.Event,
) -> Iterator[TailedRecord]:
    from ops.actions.streams.tail import stream_arn_of, tail_stream
    from ops.manifest import read_pattern

    aws = settings.aws()
    arn: str | None = None
    region: str | None = settings.region
    if name is not None and not name.startswith("arn:"):
        manifest = read_pattern(aws.ssm(), settings.stack, name)
        if manifest.kafka is not None:
            brokers, topic = manifest.kafka.bootstrap_servers, topic or manifest.kafka.topic
            region = manifest.kafka.cluster_arn.split(":")[3]
        elif topic is not None:
            raise UsageError(f"--topic {topic!r}: the pattern {name!r} has no Kafka cluster", "leave it out")
        else:
            arn = _stream_of(manifest)
    if brokers is not None and topic is not None:
        return _topic(aws, brokers, topic, region, start, follow, stop)
    arn = arn or stream_arn_of(aws, stream_name or name or "")
    return tail_stream(aws, arn, start, follow=follow, stop=stop, most=most)


def _stream_of(manifest: PatternManifest) -> str:
    if manifest.stream is None:
        raise UsageError(
            f"the pattern {manifest.name!r} ({manifest.pattern}) reads neither a stream nor a topic",
            "stream-worker and kafka-worker do; `ops status` shows the patterns",
        )
    return manifest.stream.arn


def _topic(
    aws: Aws,
    brokers: str,
    topic: str,
    region: str | None,
    start: datetime.datetime,
    follow: bool,
    stop: threading.Event,
) -> Iterator[TailedRecord]:
    from ops.actions.streams.tail_topic import tail_topic
    from ops.errors import OpsError
    from ops.kafka import configuration, reachable

    if not reachable(brokers):
        raise OpsError(
            f"no broker of {brokers} takes a connection",
            "MSK's brokers answer in their own network only: run `ops` there, or through its VPN",
        )
    region = region or aws.session().region_name or ""
    return tail_topic(configuration(aws, brokers, region), topic, start, follow=follow, stop=stop)
