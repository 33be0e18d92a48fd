//! The metrics of this process as flat records.

use preopen::metrics::{BOUNDS, Sample, Value, snapshot};
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// One number, or one histogram, with its labels.
#[derive(Clone, Debug, Serialize)]
pub struct MetricInfo {
    /// The name, for example `preopen_logins_total`.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// `s` for seconds, or in braces the word for what is counted.
    pub unit: &'static str,
    /// One line for a person.
    pub help: &'static str,
    /// Labels and their values, all of closed sets.
    pub labels: Map<String, Json>,
    /// The number of a counter or a gauge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// How many a histogram observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Their sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// How many of them were at most each bound: pairs of bound and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<(f64, u64)>>,
}

impl From<Sample> for MetricInfo {
    fn from(sample: Sample) -> Self {
        let family = sample.family;
        let labels = sample.labels.iter();
        let mut info = Self {
            name: family.name,
            kind: family.kind.as_str(),
            unit: family.unit,
            help: family.help,
            labels: labels
                .map(|(label, value)| ((*label).to_owned(), (*value).into()))
                .collect(),
            value: None,
            count: None,
            sum: None,
            buckets: None,
        };
        match sample.value {
            Value::Count(count) => info.value = Some(count.into()),
            Value::Level(level) => info.value = Some(level.into()),
            Value::Histogram { count, sum, buckets } => {
                info.count = Some(count);
                info.sum = Some(sum);
                info.buckets = Some(BOUNDS.into_iter().zip(buckets).collect());
            }
        }
        info
    }
}

/// Every metric of this process, as it is now.
pub fn metrics() -> Vec<MetricInfo> {
    snapshot().into_iter().map(MetricInfo::from).collect()
}
