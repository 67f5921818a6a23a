//! Times and sizes counted by bucket: in plain integers where they are made, and as Prometheus' histograms.

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram as HistogramProto, LabelPair, Metric, MetricFamily, MetricType};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets for times, in seconds; one more takes all that is longer.
pub const BOUNDS_S: [f64; 18] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 4.0,
    16.0, 60.0, 600.0,
];

/// Upper bounds of the buckets for sizes of batches.
pub const BOUNDS_BATCH: [f64; 18] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0,
    32768.0, 65536.0, 131072.0,
];

/// Observations counted by bucket, in plain integers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Buckets {
    counts: [u64; BOUNDS_S.len() + 1],
    sum: f64,
}

impl Buckets {
    /// Counts a time.
    pub fn record(&mut self, time: Duration) {
        self.observe(time.as_secs_f64(), &BOUNDS_S);
    }

    /// Counts the size of a batch.
    pub fn record_size(&mut self, size: u64) {
        self.observe(size as f64, &BOUNDS_BATCH);
    }

    fn observe(&mut self, value: f64, bounds: &[f64]) {
        let bucket = bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// Counts what another one has.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Histograms of times that differ by one label, whose values come from the configuration.
#[derive(Clone, Debug)]
pub struct Histograms {
    family: Arc<Family>,
}

#[derive(Debug)]
struct Family {
    desc: Desc,
    label: &'static str,
    members: Mutex<Vec<(String, Histogram)>>,
}

impl Histograms {
    pub(super) fn new(registry: &Registry, name: &str, help: &str, label: &'static str) -> Self {
        let desc =
            Desc::new(format!("enroute_{name}"), help.to_owned(), vec![label.to_owned()], HashMap::new())
                .expect("the names are made of letters and underscores");
        let histograms = Self { family: Arc::new(Family { desc, label, members: Mutex::default() }) };
        registry.register(Box::new(histograms.clone())).expect("each name is used once");
        histograms
    }

    /// The one with this label: resolved once a batch.
    pub fn with_label(&self, value: &str) -> Histogram {
        let Family { desc, members, .. } = &*self.family;
        let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, histogram)) = members.iter().find(|(known, _)| known == value) {
            return histogram.clone();
        }
        let histogram = Histogram::unregistered(desc.clone(), &BOUNDS_S);
        members.push((value.to_owned(), histogram.clone()));
        histogram
    }
}

impl Collector for Histograms {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.family.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Family { desc, label, members } = &*self.family;
        let members = members.lock().unwrap_or_else(PoisonError::into_inner);
        let labelled = |(value, histogram): &(String, Histogram)| {
            let mut pair = LabelPair::default();
            pair.set_name((*label).to_owned());
            pair.set_value(value.clone());
            let mut metric = histogram.metric();
            metric.set_label(vec![pair]);
            metric
        };
        let metrics: Vec<Metric> = members.iter().map(labelled).collect();
        // A family without a member is none to the encoder.
        if metrics.is_empty() { Vec::new() } else { vec![family_of(desc, metrics)] }
    }
}

fn family_of(desc: &Desc, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(MetricType::HISTOGRAM);
    family.set_metric(metrics);
    family
}

/// A histogram that takes whole [`Buckets`] at once.
#[derive(Clone, Debug)]
pub struct Histogram {
    inner: Arc<HistogramInner>,
}

#[derive(Debug)]
struct HistogramInner {
    desc: Desc,
    bounds: &'static [f64],
    counts: [AtomicU64; BOUNDS_S.len() + 1],
    sum: Mutex<f64>,
}

impl Histogram {
    pub(super) fn new(registry: &Registry, name: &str, help: &str, bounds: &'static [f64]) -> Self {
        let desc = Desc::new(format!("enroute_{name}"), help.to_owned(), Vec::new(), HashMap::new())
            .expect("the name is made of letters and underscores");
        let histogram = Self::unregistered(desc, bounds);
        registry.register(Box::new(histogram.clone())).expect("each name is used once");
        histogram
    }

    fn unregistered(desc: Desc, bounds: &'static [f64]) -> Self {
        let inner = HistogramInner { desc, bounds, counts: Default::default(), sum: Mutex::new(0.0) };
        Self { inner: Arc::new(inner) }
    }

    /// Adds what was counted elsewhere.
    pub fn fold(&self, buckets: &Buckets) {
        if buckets.count() == 0 {
            return;
        }
        for (total, count) in self.inner.counts.iter().zip(buckets.counts).filter(|(_, count)| *count > 0) {
            total.fetch_add(count, Ordering::Relaxed);
        }
        if let Ok(mut sum) = self.inner.sum.lock() {
            *sum += buckets.sum;
        }
    }
}

impl Collector for Histogram {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.inner.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        vec![family_of(&self.inner.desc, vec![self.metric()])]
    }
}

impl Histogram {
    fn metric(&self) -> Metric {
        let mut histogram = HistogramProto::default();
        let mut total = 0;
        let mut buckets = Vec::new();
        for (place, count) in self.inner.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            if let Some(bound) = self.inner.bounds.get(place) {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(total);
                buckets.push(bucket);
            }
        }
        histogram.set_bucket(buckets);
        histogram.set_sample_count(total);
        histogram.set_sample_sum(self.inner.sum.lock().map_or(0.0, |sum| *sum));
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        metric
    }
}
