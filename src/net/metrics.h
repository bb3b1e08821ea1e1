// Counters, gauges and latency histograms in Prometheus' text format (version 0.0.4).
#pragma once

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace holdfast::net {

// Safe from several threads.
class Metrics {
 public:
  // One request that was answered.
  void observe(const std::string& route, unsigned status, double seconds, std::uint64_t bytes_in,
               std::uint64_t bytes_out);
  void add(const std::string& counter, double by = 1);
  void set(const std::string& gauge, double value);
  // `more` gauges are the service's own.
  std::string render(const std::vector<std::pair<std::string, double>>& more) const;

 private:
  static constexpr std::array<double, 12> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,   0.25,   0.5,   1,    2.5,   10};
  struct Route {
    std::map<unsigned, std::uint64_t> by_status;
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};
    double seconds = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
  };
  mutable Mutex mutex_;
  std::map<std::string, Route> routes_ HF_GUARDED_BY(mutex_);
  std::map<std::string, double> counters_ HF_GUARDED_BY(mutex_);
  std::map<std::string, double> gauges_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::net
