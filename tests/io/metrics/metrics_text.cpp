// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/metrics/metrics_text.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.metrics.metrics_text

using namespace crosvisor;

CAF_TEST(each kind has its lines and labels are escaped) {
  metric_family counter{"crosvisor_a_total", "A.", metric_kind::counter, {}};
  add_sample(counter, {{"name", "a\"b\\c\nd"}}, 3);
  metric_family gauge{"crosvisor_b", "B.", metric_kind::gauge, {}};
  add_sample(gauge, {}, 0.5);
  duration_histogram times;
  times.add(0.02);
  times.add(400);
  metric_family histogram{"crosvisor_c_seconds", "C.", metric_kind::histogram, {}};
  histogram.samples.push_back(times.sample({{"vmm", "qemu"}}));
  auto text = io::metrics_text({counter, gauge, histogram});
  auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
  CAF_CHECK(has("# TYPE crosvisor_a_total counter\n"));
  CAF_CHECK(has("crosvisor_a_total{name=\"a\\\"b\\\\c\\nd\"} 3\n"));
  CAF_CHECK(has("# HELP crosvisor_b B.\n"));
  CAF_CHECK(has("crosvisor_b 0.5\n"));
  CAF_CHECK(has("crosvisor_c_seconds_count{vmm=\"qemu\"} 2\n"));
  CAF_CHECK(has("crosvisor_c_seconds_bucket{vmm=\"qemu\",le=\"0.01\"} 0\n"));
  CAF_CHECK(has("crosvisor_c_seconds_bucket{vmm=\"qemu\",le=\"300\"} 1\n"));
  CAF_CHECK(has("crosvisor_c_seconds_bucket{vmm=\"qemu\",le=\"+Inf\"} 2\n"));
}

CAF_TEST(a family without samples is left out) {
  CAF_CHECK_EQUAL(io::metrics_text({{"crosvisor_x", "X.", metric_kind::gauge, {}}}), "");
}
