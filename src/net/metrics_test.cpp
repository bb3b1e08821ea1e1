#include "net/metrics.h"

#include <gtest/gtest.h>

namespace holdfast::net {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, RequestsAreCountedByRouteAndStatus) {
  Metrics metrics;
  metrics.observe("GET /v1/usage", 200, 0.002, 100, 50);
  metrics.observe("GET /v1/usage", 200, 20, 10, 5);
  metrics.observe("GET /v1/usage", 403, 0.001, 1, 1);
  const std::string text = metrics.render({});
  EXPECT_TRUE(has_line(text, "# TYPE holdfast_requests_total counter"));
  EXPECT_TRUE(has_line(text, "holdfast_requests_total{route=\"GET /v1/usage\",status=\"200\"} 2"));
  EXPECT_TRUE(has_line(text, "holdfast_requests_total{route=\"GET /v1/usage\",status=\"403\"} 1"));
  EXPECT_TRUE(has_line(text, "holdfast_request_bytes_total{route=\"GET /v1/usage\"} 111"));
  EXPECT_TRUE(has_line(text, "holdfast_response_bytes_total{route=\"GET /v1/usage\"} 56"));
}

TEST(Metrics, HistogramBucketsAreCumulative) {
  Metrics metrics;
  metrics.observe("r", 200, 0.001, 0, 0);  // a bound belongs to its bucket
  metrics.observe("r", 200, 0.3, 0, 0);
  metrics.observe("r", 200, 11, 0, 0);
  const std::string text = metrics.render({});
  EXPECT_TRUE(has_line(text, "# TYPE holdfast_request_seconds histogram"));
  EXPECT_TRUE(has_line(text, "holdfast_request_seconds_bucket{route=\"r\",le=\"0.001\"} 1"));
  EXPECT_TRUE(has_line(text, "holdfast_request_seconds_bucket{route=\"r\",le=\"0.25\"} 1"));
  EXPECT_TRUE(has_line(text, "holdfast_request_seconds_bucket{route=\"r\",le=\"0.5\"} 2"));
  EXPECT_TRUE(has_line(text, "holdfast_request_seconds_bucket{route=\"r\",le=\"10\"} 2"));
  EXPECT_TRUE(has_line(text, "holdfast_request_seconds_bucket{route=\"r\",le=\"+Inf\"} 3"));
  EXPECT_TRUE(has_line(text, "holdfast_request_seconds_sum{route=\"r\"} 11.301"));
  EXPECT_TRUE(has_line(text, "holdfast_request_seconds_count{route=\"r\"} 3"));
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.observe("a\"b\\c\nd", 200, 0, 0, 0);
  EXPECT_TRUE(has_line(metrics.render({}),
                       "holdfast_requests_total{route=\"a\\\"b\\\\c\\nd\",status=\"200\"} 1"));
}

TEST(Metrics, AFamilyHasOneTypeLine) {
  Metrics metrics;
  metrics.add("x_total{reason=\"a\"}");
  metrics.add("x_total{reason=\"b\"}", 2);
  metrics.add("x_total_other");
  metrics.add("x_total{reason=\"a\"}");
  metrics.set("open", 3);
  metrics.set("open", 2);
  const std::string text = metrics.render({{"disk_bytes", 5}});
  EXPECT_TRUE(
      has_line(text, "# TYPE x_total counter\nx_total{reason=\"a\"} 2\nx_total{reason=\"b\"} 2"));
  EXPECT_TRUE(has_line(text, "# TYPE open gauge\nopen 2"));
  EXPECT_TRUE(has_line(text, "# TYPE disk_bytes gauge\ndisk_bytes 5"));
}

}  // namespace
}  // namespace holdfast::net
