// The measurements. Each prints one line of JSON, which run.py reads.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::bench {

using Arguments = std::map<std::string, std::string>;  // "--port 1" as {"port", "1"}

struct Row {
  std::string name;
  double value = 0;
};
void print_rows(const std::vector<Row>& rows);

// User and system time that these processes took so far ("12,13"), from /proc/PID/stat.
double cpu_seconds(const std::string& pids);
// Resident memory in bytes, from /proc/PID/status.
double resident_bytes(const std::string& pid);
// The `part`th part (0.5: the median) of values in any order.
double part_of(std::vector<double> values, double part);

using Moment = std::chrono::steady_clock::time_point;
inline Moment now() { return std::chrono::steady_clock::now(); }
inline double seconds_since(Moment begun) {
  return std::chrono::duration<double>(now() - begun).count();
}

std::string text(const Arguments& all, const std::string& name, const std::string& otherwise);
std::size_t number(const Arguments& all, const std::string& name, std::size_t otherwise);

Result<void> transfer(const Arguments& arguments);     // transfer.cpp
Result<void> hash(const Arguments& arguments);         // transfer.cpp
Result<void> serve_plain(const Arguments& arguments);  // serve_plain.cpp
Result<void> inserts(const Arguments& arguments);      // inserts.cpp
Result<void> appends(const Arguments& arguments);      // appends.cpp
Result<void> idle(const Arguments& arguments);         // idle.cpp
Result<void> load(const Arguments& arguments);         // load.cpp

}  // namespace holdfast::bench
