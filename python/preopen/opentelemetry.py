"""Preopen's metrics and the spans of its calls for programs that use `opentelemetry-api`.

    import preopen.opentelemetry

    preopen.opentelemetry.instrument()

Metrics are read when the program's exporter asks for them; between two reads nothing runs. Their names,
units and labels are those of every language; the labels are closed sets, and no secret is in metrics or
spans. Importing this module needs the package ``opentelemetry-api``, which Preopen itself does not.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps

from opentelemetry import metrics, trace
from opentelemetry.metrics import Observation
from opentelemetry.trace import SpanKind, Status, StatusCode

from . import _native
from ._async_session import AsyncSession
from ._session import Session
from .errors import PreopenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Callable, Optional

    from opentelemetry.metrics import CallbackOptions, MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from ._base import SessionBase

__all__ = ["instrument", "uninstrument"]

_VERBS = ("get", "post", "put", "delete")

#: What is instrumented now; instruments of a meter cannot be taken back, but they can fall silent.
_current: Optional[object] = None


def instrument(
    meter_provider: Optional[MeterProvider] = None, tracer_provider: Optional[TracerProvider] = None
) -> None:
    """Makes an observable instrument for each metric of Preopen, and a span for each `get`, `post`, `put` and
    `delete` of a session. A second call replaces the first.

    - `meter_provider`, `tracer_provider`: where they go, in place of the program's global ones.

    A histogram is three counters, since OpenTelemetry knows no observable one: ``..._count``, ``..._sum`` and
    ``..._bucket`` with the label ``le``, as Prometheus has it. Spans have the kind ``CLIENT``, the broker,
    the method, the path without its query, the HTTP status and, when they fail, the error's code.
    """
    global _current
    uninstrument()
    _current = now = object()
    meter = metrics.get_meter("preopen", _native.__version__, meter_provider)
    for family in _native.metric_families():
        _observe(meter, family, lambda: _current is now)
    tracer = trace.get_tracer("preopen", _native.__version__, tracer_provider)
    for verb in _VERBS:
        setattr(Session, verb, _blocking(tracer, getattr(Session, verb)))
        setattr(AsyncSession, verb, _awaited(tracer, getattr(AsyncSession, verb)))


def uninstrument() -> None:
    """Ends what `instrument` began: no more spans, and its instruments observe nothing."""
    global _current
    _current = None
    for kind in (Session, AsyncSession):
        for verb in _VERBS:
            original = getattr(getattr(kind, verb), "__wrapped__", None)
            if original is not None:
                setattr(kind, verb, original)


def _observe(meter: metrics.Meter, family: dict[str, Any], on: Callable[[], bool]) -> None:
    name, unit, text = family["name"], family["unit"], family["help"]

    def callback(values: Callable[[dict[str, Any]], Iterator[Observation]]) -> Any:
        def observe(_options: CallbackOptions) -> Iterator[Observation]:
            samples = _native.metrics() if on() else []
            return (one for sample in samples if sample["name"] == name for one in values(sample))

        return [observe]

    def value(field: str) -> Callable[[dict[str, Any]], Iterator[Observation]]:
        return lambda sample: iter([Observation(sample[field], sample["labels"])])

    def buckets(sample: dict[str, Any]) -> Iterator[Observation]:
        for bound, count in sample["buckets"]:
            yield Observation(count, {**sample["labels"], "le": f"{bound:g}"})
        yield Observation(sample["count"], {**sample["labels"], "le": "+Inf"})

    if family["kind"] == "counter":
        meter.create_observable_counter(name, callback(value("value")), unit, text)
    elif family["kind"] == "gauge":
        meter.create_observable_gauge(name, callback(value("value")), unit, text)
    else:
        meter.create_observable_counter(f"{name}_count", callback(value("count")), "{wait}", text)
        meter.create_observable_counter(f"{name}_sum", callback(value("sum")), unit, text)
        meter.create_observable_counter(f"{name}_bucket", callback(buckets), "{wait}", text)


@contextmanager
def _span(tracer: Tracer, session: SessionBase, verb: str, path: object) -> Iterator[Span]:
    method = verb.upper()
    attributes = {"preopen.broker": session.broker, "http.request.method": method}
    if isinstance(path, str) and path.startswith("/"):
        attributes["url.path"] = path.partition("?")[0]
    del path
    with tracer.start_as_current_span(
        f"preopen {method}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        # Its text is told by the error itself, and a traceback may hold more than that.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            code = error.code if isinstance(error, PreopenError) else type(error).__name__
            span.set_attribute("error.type", code)
            span.set_status(Status(StatusCode.ERROR, code))
            if getattr(error, "http_status", None) is not None:
                span.set_attribute("http.response.status_code", error.http_status)  # type: ignore[attr-defined]
            raise


def _blocking(tracer: Tracer, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call(self: Session, path: str, **options: Any) -> Any:
        try:
            with _span(tracer, self, original.__name__, path) as span:
                reply = original(self, path, **options)
                span.set_attribute("http.response.status_code", reply.http_status)
                return reply
        finally:
            del path, options

    return call


def _awaited(tracer: Tracer, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def call(self: AsyncSession, path: str, **options: Any) -> Any:
        try:
            with _span(tracer, self, original.__name__, path) as span:
                reply = await original(self, path, **options)
                span.set_attribute("http.response.status_code", reply.http_status)
                return reply
        finally:
            del path, options

    return call
