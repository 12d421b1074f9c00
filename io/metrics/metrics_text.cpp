// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/metrics/metrics_text.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <utility>

namespace crosvisor::io {

namespace {

prometheus::ClientMetric metric_of(const metric_sample& sample, metric_kind kind) {
  prometheus::ClientMetric metric;
  for (const auto& label : sample.labels)
    metric.label.push_back({label.name, label.value});
  switch (kind) {
    case metric_kind::counter: metric.counter.value = sample.value; break;
    case metric_kind::gauge: metric.gauge.value = sample.value; break;
    case metric_kind::histogram:
      metric.histogram.sample_count = sample.count;
      metric.histogram.sample_sum = sample.value;
      for (const auto& bucket : sample.buckets)
        metric.histogram.bucket.push_back({bucket.count, bucket.upper});
      metric.histogram.bucket.push_back({sample.count, std::numeric_limits<double>::infinity()});
      break;
  }
  return metric;
}

prometheus::MetricType type_of(metric_kind kind) {
  switch (kind) {
    case metric_kind::counter: return prometheus::MetricType::Counter;
    case metric_kind::gauge: return prometheus::MetricType::Gauge;
    case metric_kind::histogram: break;
  }
  return prometheus::MetricType::Histogram;
}

} // namespace

std::string metrics_text(const std::vector<metric_family>& families) {
  std::vector<prometheus::MetricFamily> all;
  for (const auto& family : families) {
    if (family.samples.empty())
      continue;
    auto& added = all.emplace_back();
    added.name = family.name;
    added.help = family.help;
    added.type = type_of(family.kind);
    for (const auto& sample : family.samples)
      added.metric.push_back(metric_of(sample, family.kind));
  }
  return prometheus::TextSerializer{}.Serialize(all);
}

} // namespace crosvisor::io
