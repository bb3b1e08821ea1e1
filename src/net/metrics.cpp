#include "net/metrics.h"

#include <cstdio>

namespace holdfast::net {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

// Prometheus' text format, "Label value": backslash, quote and line feed are escaped.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void line(std::string& out, const std::string& name, double value) {
  out += name + " " + number(value) + "\n";
}

void type(std::string& out, const std::string& name, const char* what) {
  out += "# TYPE " + name + " " + what + "\n";
}

}  // namespace

void Metrics::observe(const std::string& route, unsigned status, double seconds,
                      std::uint64_t bytes_in, std::uint64_t bytes_out) {
  std::size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  const Lock lock(mutex_);
  Route& r = routes_[route];
  ++r.by_status[status];
  ++r.buckets[bucket];
  r.seconds += seconds;
  r.bytes_in += bytes_in;
  r.bytes_out += bytes_out;
}

void Metrics::add(const std::string& counter, double by) {
  const Lock lock(mutex_);
  counters_[counter] += by;
}

void Metrics::set(const std::string& gauge, double value) {
  const Lock lock(mutex_);
  gauges_[gauge] = value;
}

std::string Metrics::render(const std::vector<std::pair<std::string, double>>& more) const {
  const Lock lock(mutex_);
  std::string out;
  type(out, "holdfast_requests_total", "counter");
  for (const auto& [route, r] : routes_)
    for (const auto& [status, count] : r.by_status)
      line(out,
           "holdfast_requests_total{route=" + quoted(route) + ",status=\"" +
               std::to_string(status) + "\"}",
           static_cast<double>(count));
  type(out, "holdfast_request_seconds", "histogram");
  for (const auto& [route, r] : routes_) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < r.buckets.size(); ++i) {
      below += r.buckets[i];
      const std::string bound = i < kBounds.size() ? number(kBounds[i]) : "+Inf";
      line(out, "holdfast_request_seconds_bucket{route=" + quoted(route) + ",le=\"" + bound + "\"}",
           static_cast<double>(below));
    }
    line(out, "holdfast_request_seconds_sum{route=" + quoted(route) + "}", r.seconds);
    line(out, "holdfast_request_seconds_count{route=" + quoted(route) + "}",
         static_cast<double>(below));
  }
  type(out, "holdfast_request_bytes_total", "counter");
  for (const auto& [route, r] : routes_)
    line(out, "holdfast_request_bytes_total{route=" + quoted(route) + "}",
         static_cast<double>(r.bytes_in));
  type(out, "holdfast_response_bytes_total", "counter");
  for (const auto& [route, r] : routes_)
    line(out, "holdfast_response_bytes_total{route=" + quoted(route) + "}",
         static_cast<double>(r.bytes_out));
  for (const auto& [name, value] : counters_) {
    type(out, name, "counter");
    line(out, name, value);
  }
  for (const auto& [name, value] : gauges_) {
    type(out, name, "gauge");
    line(out, name, value);
  }
  for (const auto& [name, value] : more) {
    type(out, name, "gauge");
    line(out, name, value);
  }
  return out;
}

}  // namespace holdfast::net
