"""`preopen.opentelemetry` with the SDK's readers and exporters in memory: what a program's own exporter would
send."""

import asyncio
import inspect

import pytest
from conftest import LOGIN, QUOTE, READ
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import preopen
import preopen.opentelemetry as subject

ORDER = {
    "symbolName": "INFY",
    "exchange": "NSE",
    "transactionType": "BUY",
    "orderType": "L",
    "quantity": "1",
    "price": "1500",
    "orderValidity": "DAY",
    "productType": "CNC",
}


class Telemetry:
    def __init__(self):
        self.reader, self.spans = InMemoryMetricReader(), InMemorySpanExporter()
        self.meters = MeterProvider(metric_readers=[self.reader])
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))

    def instrument(self):
        subject.instrument(self.meters, self.tracers)

    def points(self):
        """The numbers of each metric, by name and labels."""
        data = self.reader.get_metrics_data()
        found = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                assert (scope.scope.name, scope.scope.version) == ("preopen", preopen.__version__)
                for metric in scope.metrics:
                    assert metric.description
                    for point in metric.data.data_points:
                        found[(metric.name, metric.unit, tuple(sorted(point.attributes.items())))] = (
                            point.value
                        )
        return found

    def value(self, name, **labels):
        """The sum over the series that have these labels."""
        return sum(
            value
            for (other, _, series), value in self.points().items()
            if other == name and set(labels.items()) <= set(series)
        )


@pytest.fixture
def telemetry():
    telemetry = Telemetry()
    yield telemetry
    subject.uninstrument()


def test_metrics_are_those_of_the_process(telemetry, broker):
    telemetry.instrument()
    before = {
        name: telemetry.value(name, broker="samco")
        for name in ("preopen_logins_total", "preopen_calls_total", "preopen_login_wait_seconds_count")
    }
    session = broker.session("samco")
    session.token()
    for _ in range(3):
        session.get(READ, params=QUOTE)
    broker.fault("samco", READ, status=400, body={"status": "Failure", "statusMessage": "no"})
    with pytest.raises(preopen.PreopenError):
        session.get(READ, params=QUOTE)
    logins = telemetry.value("preopen_logins_total", broker="samco") - before["preopen_logins_total"]
    calls = telemetry.value("preopen_calls_total", broker="samco") - before["preopen_calls_total"]
    assert (logins, calls) == (1, 4)
    waits = telemetry.value("preopen_login_wait_seconds_count", broker="samco")
    assert waits == before["preopen_login_wait_seconds_count"] + 1
    points = telemetry.points()
    assert ("preopen_live_sessions", "{session}", (("broker", "samco"),)) in points
    # A histogram, as Prometheus has it: its buckets only grow, up to all.
    buckets = {
        float(dict(labels)["le"]): value
        for (name, _, labels), value in points.items()
        if name == "preopen_login_wait_seconds_bucket"
    }
    assert list(buckets) == sorted(buckets)
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets[float("inf")] == waits
    account = next(one for one in broker.accounts if one["broker"] == "samco")
    for secret in (session.token().expose(), account["api_key"], account["account"]):
        assert secret not in repr(points)


def test_every_metric_has_an_instrument(telemetry):
    made = {}

    class Meters(MeterProvider):
        def get_meter(self, *given, **options):
            meter = super().get_meter(*given, **options)
            for kind in ("counter", "gauge"):
                create = getattr(meter, f"create_observable_{kind}")

                def note(name, callbacks, unit, text, create=create, kind=kind):
                    made[name] = kind
                    return create(name, callbacks, unit, text)

                setattr(meter, f"create_observable_{kind}", note)
            return meter

    subject.instrument(Meters(), telemetry.tracers)
    wanted = {}
    for family in preopen._native.metric_families():
        if family["kind"] == "histogram":
            wanted.update({f"{family['name']}_{part}": "counter" for part in ("count", "sum", "bucket")})
        else:
            wanted[family["name"]] = family["kind"]
    assert made == wanted
    assert len(wanted) == 10


def test_calls_are_spans(telemetry, broker):
    telemetry.instrument()
    session, later = broker.session("samco"), broker.async_session("samco")
    broker.switch(samco_second_login_revokes_first=False)
    with telemetry.tracers.get_tracer("strategy").start_as_current_span("decide") as decide:
        session.get(READ, params=QUOTE)
    asyncio.run(later.post("/order/placeOrder", json=ORDER))
    broker.fault("samco", READ, status=500, body="down " * 50, times=9)
    with pytest.raises(preopen.BrokerUnavailableError):
        session.get(READ, params=QUOTE)
    with pytest.raises(preopen.InvalidInputError):
        session.get("no slash")
    first, outer, second, third, fourth = telemetry.spans.get_finished_spans()
    assert (first.name, first.kind, outer.name) == ("preopen GET", SpanKind.CLIENT, "decide")
    assert first.parent.span_id == decide.get_span_context().span_id
    assert dict(first.attributes) == {
        "preopen.broker": "samco",
        "http.request.method": "GET",
        "url.path": READ,
        "http.response.status_code": 200,
    }
    assert (second.name, second.attributes["url.path"]) == ("preopen POST", "/order/placeOrder")
    assert third.attributes["error.type"] == third.status.description == "broker_unavailable"
    assert third.attributes["http.response.status_code"] == 500
    assert third.status.status_code is StatusCode.ERROR
    assert fourth.attributes["error.type"] == "invalid_input"
    assert "url.path" not in fourth.attributes
    for span in (first, second, third, fourth):
        assert span.events == ()
        for secret in (session.token().expose(), "INFY", "down"):
            assert secret not in span.to_json()


def test_a_task_that_is_cancelled_is_told(telemetry, broker):
    telemetry.instrument()
    session = broker.async_session("samco")

    async def main():
        await session.token()
        broker.fault("samco", READ, stall="before")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await session.get(READ, params=QUOTE)

    asyncio.run(main())
    (span,) = telemetry.spans.get_finished_spans()
    assert span.attributes["error.type"] == "CancelledError"


def test_it_can_be_ended_and_begun_again(telemetry, broker):
    originals = [
        getattr(kind, verb) for kind in (preopen.Session, preopen.AsyncSession) for verb in ("get", "put")
    ]
    telemetry.instrument()
    other = Telemetry()
    other.instrument()
    session = broker.session("samco")
    session.get(READ, params=QUOTE)
    assert telemetry.points() == {}
    assert telemetry.spans.get_finished_spans() == ()
    assert len(other.spans.get_finished_spans()) == 1
    assert other.points()
    assert str(inspect.signature(preopen.Session.get)).startswith("(self, path: 'str', *, params:")
    subject.uninstrument()
    session.get(READ, params=QUOTE)
    assert other.points() == {}
    assert len(other.spans.get_finished_spans()) == 1
    now = [getattr(kind, verb) for kind in (preopen.Session, preopen.AsyncSession) for verb in ("get", "put")]
    assert now == originals


def test_the_global_providers_are_used(broker):
    meters, tracers = Telemetry(), Telemetry()
    metrics.set_meter_provider(meters.meters)
    trace.set_tracer_provider(tracers.tracers)
    subject.instrument()
    try:
        broker.fault("samco", LOGIN, status=503, body="down")
        with pytest.raises(preopen.BrokerUnavailableError):
            broker.session("samco").get(READ)
        assert meters.value("preopen_logins_total", outcome="broker_unavailable") >= 1
        assert len(tracers.spans.get_finished_spans()) == 1
    finally:
        subject.uninstrument()
