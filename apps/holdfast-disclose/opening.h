// Carries out an order: opens what it reaches of a case, and nothing else, into a bundle.
// docs/formats/disclosure.md#what-is-opened
#pragma once

#include "bundle.h"
#include "case_folder.h"

namespace holdfast::disclose {

struct OpenInput {
  std::string folder;  // the case
  std::string key_file;
  std::string out;                 // the bundle
  circle::OperatorKeys operators;  // who may order, as this machine was told itself
  std::int64_t now_ms = 0;
};

struct OpenReport {
  std::uint64_t snapshots = 0;
  std::uint64_t withheld = 0;  // snapshots
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // of files
  std::uint64_t kept = 0;   // bytes of the stream that were there from before
  std::string manifest;
};

// Again after it was cut short, it goes on. Nothing is written where the case does not stand:
// kDenied, kUnsafe, kInvalid; kNotFound, kCorrupt name the pack that is missing or damaged.
Result<OpenReport> open_case(const OpenInput& input);

}  // namespace holdfast::disclose
