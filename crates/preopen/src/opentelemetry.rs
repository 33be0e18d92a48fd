//! Metrics for OpenTelemetry (feature `opentelemetry`): observable instruments on a meter of the program's own. Only the API is
//! used; which SDK collects, and where it sends, is the program's business.
//!
//! Spans need nothing of this: `login`, `refresh` and `call` are spans of `tracing`, which `tracing-opentelemetry` hands on.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use crate::metrics::{ALL, BOUNDS, Family, Kind, Sample, Value, snapshot};

/// Has `meter` observe every metric of this process, by the names of [`metrics`](crate::metrics), each time that it is collected.
///
/// OpenTelemetry has no observable histogram: the wait for logins is told as Prometheus has it, by three counters with the
/// endings `_count`, `_sum` and `_bucket`, the last one with the label `le`.
///
/// ```
/// let meter = opentelemetry::global::meter("preopen");
/// preopen::opentelemetry::observe(&meter);
/// ```
pub fn observe(meter: &Meter) {
    for family in ALL {
        match family.kind {
            Kind::Counter => observe_counts(meter, family, "", count),
            Kind::Histogram => {
                observe_counts(meter, family, "_count", count);
                observe_counts(meter, family, "_bucket", buckets);
                meter
                    .f64_observable_counter(format!("{}_sum", family.name))
                    .with_unit(family.unit)
                    .with_description(family.help)
                    .with_callback(|observer| each(family, |sample| sum(sample, observer)))
                    .build();
            }
            _ => {
                meter
                    .f64_observable_gauge(family.name)
                    .with_unit(family.unit)
                    .with_description(family.help)
                    .with_callback(|observer| each(family, |sample| level(sample, observer)))
                    .build();
            }
        }
    }
}

type Observer<'a, T> = &'a dyn AsyncInstrument<T>;

fn observe_counts(
    meter: &Meter,
    family: &'static Family,
    ending: &str,
    observe: fn(&Sample, Observer<'_, u64>),
) {
    // Only the sum is in seconds.
    let unit = if ending.is_empty() { family.unit } else { "{wait}" };
    meter
        .u64_observable_counter(format!("{}{ending}", family.name))
        .with_unit(unit)
        .with_description(family.help)
        .with_callback(move |observer| each(family, |sample| observe(sample, observer)))
        .build();
}

fn each(family: &'static Family, observe: impl Fn(&Sample)) {
    let samples = snapshot();
    samples
        .iter()
        .filter(|sample| sample.family == family)
        .for_each(observe);
}

fn labels(sample: &Sample) -> Vec<KeyValue> {
    let labels = sample.labels.iter();
    labels.map(|(name, value)| KeyValue::new(*name, *value)).collect()
}

fn count(sample: &Sample, observer: Observer<'_, u64>) {
    if let Value::Count(count) | Value::Histogram { count, .. } = &sample.value {
        observer.observe(*count, &labels(sample));
    }
}

fn buckets(sample: &Sample, observer: Observer<'_, u64>) {
    let Value::Histogram { count, buckets, .. } = &sample.value else {
        return;
    };
    let bounds = BOUNDS.iter().map(ToString::to_string);
    let bounded = bounds.chain(["+Inf".to_owned()]);
    for (bound, within) in bounded.zip(buckets.iter().chain([count])) {
        let mut labels = labels(sample);
        labels.push(KeyValue::new("le", bound));
        observer.observe(*within, &labels);
    }
}

fn sum(sample: &Sample, observer: Observer<'_, f64>) {
    if let Value::Histogram { sum, .. } = &sample.value {
        observer.observe(*sum, &labels(sample));
    }
}

fn level(sample: &Sample, observer: Observer<'_, f64>) {
    if let Value::Level(level) = &sample.value {
        observer.observe(*level, &labels(sample));
    }
}
