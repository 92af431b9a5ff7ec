"""Calls without botocore's events: serialize, sign, send the short way, parse.

botocore tells its events to whoever listens about ten times for each call, and decides anew about endpoint, signer and
retries. A replay and a worker listen to none of them, and repeat what failed by themselves: what is left is half of the
processor time. See docs/adr/0015-a-short-way-for-requests.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.endpoint import convert_to_response_dict
from botocore.parsers import create_parser

from aws_transport.short_way import ShortWay, find_short_way

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.client import BaseClient

__all__ = ["use_bare_calls"]

_Client = TypeVar("_Client", bound="BaseClient")


def use_bare_calls(client: _Client, session: Session) -> _Client:
    """Make a client's calls bare, and return it.

    For a client of SQS that was made without retries and without parameter validation: each call is one request, and
    its endpoint is the same whatever the parameters are. Where a proxy or a client certificate is in use the client
    stays as it is. Errors are those of botocore.

    Args:
        client: a new client.
        session: which made it.
    """
    way = find_short_way(client, session)
    if way is not None:
        # Every operation of a client comes through this method; it is where moto and the tracers of AWS X-Ray and
        # OpenTelemetry hold on too.
        bare: Any = client  # the stubs do not know it
        bare._make_api_call = _BareCalls(client, way)
    return client


class _BareCalls:
    def __init__(self, client: Any, way: ShortWay) -> None:
        self._client = client
        self._way = way
        self._model = client.meta.service_model
        self._parser: Any = create_parser(self._model.resolved_protocol)
        self._endpoints: dict[str, str] = {}

    def __call__(self, operation_name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        client = self._client
        operation = self._model.operation_model(operation_name)
        document = client._serializer.serialize_to_request(parameters, operation)
        context: dict[str, Any] = {}
        prepare_request_dict(document, self._endpoint_of(operation), context, client.meta.config.user_agent)
        request = create_request_object(document)
        signer = client._request_signer
        signer.get_auth_instance(signer.signing_name, signer.region_name).add_auth(request)
        answer = self._way.send(request.prepare())
        response = convert_to_response_dict(answer, operation)
        parsed: dict[str, Any] = self._parser.parse(response, operation.output_shape)
        if answer.status_code >= 300:
            raise self._error(operation, answer, parsed)
        return parsed

    def _endpoint_of(self, operation: Any) -> str:
        found = self._endpoints.get(operation.name)
        if found is None:
            context = {"client_region": self._client.meta.region_name, "client_config": self._client.meta.config}
            found, _, _ = self._client._resolve_endpoint_ruleset(operation, {}, context)
            self._endpoints[operation.name] = found
        return found

    def _error(self, operation: Any, answer: Any, parsed: dict[str, Any]) -> Exception:
        # SQS's own error codes are put in by a handler of this event.
        context: dict[str, Any] = {}
        event = f"after-call.{self._model.service_id.hyphenize()}.{operation.name}"
        self._client.meta.events.emit(event, http_response=answer, parsed=parsed, model=operation, context=context)
        code = context.get("error_code_override") or parsed.get("Error", {}).get("Code")
        error: Exception = self._client.exceptions.from_code(code)(parsed, operation.name)
        return error
