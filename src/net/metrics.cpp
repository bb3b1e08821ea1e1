#include "net/metrics.h"

#include <charconv>
#include <cmath>

namespace holdfast::net {
namespace {

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

std::string quoted(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return text + '"';
}

void line(std::string& out, const std::string& name, const std::string& labels,
          const std::string& value) {
  out += name;
  if (!labels.empty()) out += "{" + labels + "}";
  out += " " + value + "\n";
}

void type(std::string& out, const std::string& name, const char* kind) {
  out += "# TYPE " + name + " " + kind + "\n";
}

// A name may carry labels: all of one family stand together under one TYPE line.
void family_lines(std::string& out, const std::map<std::string, double>& values, const char* kind) {
  std::map<std::string, std::map<std::string, double>> families;
  for (const auto& [name, value] : values) families[name.substr(0, name.find('{'))][name] = value;
  for (const auto& [family, members] : families) {
    type(out, family, kind);
    for (const auto& [name, value] : members) line(out, name, "", number(value));
  }
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
  for (const auto& [name, r] : routes_)
    for (const auto& [status, count] : r.by_status)
      line(out, "holdfast_requests_total",
           "route=" + quoted(name) + ",status=\"" + std::to_string(status) + "\"",
           std::to_string(count));
  type(out, "holdfast_request_seconds", "histogram");
  for (const auto& [name, r] : routes_) {
    const std::string label = "route=" + quoted(name);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < r.buckets.size(); ++i) {
      sum += r.buckets[i];
      const std::string bound = i < kBounds.size() ? number(kBounds[i]) : "+Inf";
      std::string labels = label + ",le=";
      labels += quoted(bound);
      line(out, "holdfast_request_seconds_bucket", labels, std::to_string(sum));
    }
    line(out, "holdfast_request_seconds_sum", label, number(r.seconds));
    line(out, "holdfast_request_seconds_count", label, std::to_string(sum));
  }
  type(out, "holdfast_request_bytes_total", "counter");
  for (const auto& [name, r] : routes_)
    line(out, "holdfast_request_bytes_total", "route=" + quoted(name), std::to_string(r.bytes_in));
  type(out, "holdfast_response_bytes_total", "counter");
  for (const auto& [name, r] : routes_)
    line(out, "holdfast_response_bytes_total", "route=" + quoted(name),
         std::to_string(r.bytes_out));
  family_lines(out, counters_, "counter");
  std::map<std::string, double> gauges = gauges_;
  for (const auto& [name, value] : more) gauges[name] = value;
  family_lines(out, gauges, "gauge");
  return out;
}

}  // namespace holdfast::net
