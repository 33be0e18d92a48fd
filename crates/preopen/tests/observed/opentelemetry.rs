//! Metrics and spans as OpenTelemetry gets them, by its own SDK.

use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ScopeMetrics, SumDataPoint};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use preopen::metrics::ALL;

use crate::common::{quote, samco, sandbox};

/// The value of a counter for Samco, with these labels.
fn count(metrics: &[&Metric], name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    let metric = metrics.iter().find(|metric| metric.name() == name)?;
    let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else {
        panic!("{metric:?}");
    };
    assert!(sum.is_monotonic());
    let mut points = sum.data_points().filter(|point| {
        let has = |(name, value): &(&str, &str)| {
            let mut own = point.attributes();
            own.any(|own| own.key.as_str() == *name && own.value.as_str() == *value)
        };
        labels.iter().chain([&("broker", "samco")]).all(has)
    });
    points.next().map(SumDataPoint::value)
}

#[tokio::test]
async fn a_meter_observes_every_metric_by_its_name() {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = opentelemetry::metrics::MeterProvider::meter(&provider, "test");
    preopen::opentelemetry::observe(&meter);

    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    quote(&session).await.unwrap();
    provider.force_flush().unwrap();
    let collected = exporter.get_finished_metrics().unwrap();
    let scopes = collected.last().unwrap().scope_metrics();
    let metrics: Vec<&Metric> = scopes.flat_map(ScopeMetrics::metrics).collect();

    let logins = [("why", "first_use"), ("outcome", "ok")];
    assert!(count(&metrics, "preopen_logins_total", &logins) >= Some(1));
    assert!(count(&metrics, "preopen_calls_total", &[("outcome", "ok")]) >= Some(1));
    let waits = count(&metrics, "preopen_login_wait_seconds_count", &[]);
    assert!(waits >= Some(1));
    assert_eq!(
        count(&metrics, "preopen_login_wait_seconds_bucket", &[("le", "+Inf")]),
        waits
    );
    assert!(count(&metrics, "preopen_login_wait_seconds_bucket", &[("le", "0.001")]) < waits);
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name()).collect();
    assert!(names.contains(&"preopen_login_wait_seconds_sum"));
    assert!(names.contains(&"preopen_token_age_seconds") && names.contains(&"preopen_live_sessions"));
    for metric in &metrics {
        let family = ALL
            .iter()
            .find(|family| metric.name().starts_with(family.name))
            .unwrap();
        assert_eq!(metric.description(), family.help);
    }
}

#[tokio::test]
async fn spans_of_logins_and_calls_reach_opentelemetry_with_their_outcome() {
    let spans = crate::records::spans();
    let sandbox = sandbox().await;
    let session = samco(&sandbox).build().unwrap();
    quote(&session).await.unwrap();
    let finished = spans.get_finished_spans().unwrap();
    for (name, field) in [("login", "why"), ("call", "class")] {
        let has = |span: &opentelemetry_sdk::trace::SpanData, key: &str, value: Option<&str>| {
            let mut all = span.attributes.iter();
            all.any(|own| own.key.as_str() == key && value.is_none_or(|value| own.value.as_str() == value))
        };
        let mine = finished.iter().find(|span| {
            span.name == name && has(span, "broker", Some("samco")) && has(span, "outcome", Some("ok"))
        });
        assert!(
            mine.is_some_and(|span| has(span, field, None)),
            "{name}: {finished:?}"
        );
    }
}
