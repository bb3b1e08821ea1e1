#include "wycheproof.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "checks.h"

namespace holdfast::vectors {

namespace {

using Json = nlohmann::json;

const Json* find(const Json& json, const char* name) {
  if (!json.is_object()) return nullptr;
  const auto at = json.find(name);
  return at == json.end() ? nullptr : &*at;
}

Error field_error(const char* name, const char* why) {
  return {Code::kInvalid, "the field " + std::string(name) + " " + why};
}

// What `result` says must come out, or why not.
std::string judge(const std::string& expected, Outcome outcome) {
  if (expected != "valid" && expected != "invalid" && expected != "acceptable")
    return "the field result says neither valid, invalid nor acceptable";
  switch (outcome) {
    case Outcome::kWrong: return "gave another result than the vector";
    case Outcome::kAccepted: return expected == "invalid" ? "accepted, must be refused" : "";
    case Outcome::kRefused: return expected == "valid" ? "refused, must be accepted" : "";
  }
  std::abort();
}

std::string test_id(const Json& test) {
  const Json* const id = find(test, "tcId");
  return id != nullptr && id->is_number_integer() ? id->dump() : "without tcId";
}

void run_test(Check check, const Object& group, const Json& json, Report& report) {
  const Object test(json);
  const Result<Outcome> outcome = check(group, test);
  const std::string why =
      outcome.ok() ? judge(test.text("result"), *outcome) : outcome.error().message;
  if (why.empty()) {
    ++report.passed;
  } else {
    report.failed.push_back({test_id(json), test.text("comment"), why});
  }
}

void note_unsupported(std::string what, std::uint64_t tests, Report& report) {
  auto at = std::ranges::find(report.unsupported, what, &Unsupported::what);
  if (at == report.unsupported.end())
    at = report.unsupported.insert(at, Unsupported{std::move(what), 0, 0});
  ++at->groups;
  at->tests += tests;
}

Result<void> run_group(const Object& file, const Json& json, Report& report) {
  const Json* const tests = find(json, "tests");
  if (tests == nullptr || !tests->is_array())
    return Error{Code::kInvalid, report.file + ": a test group has no list of tests"};
  const Object group(json);
  const Choice choice = choose_check(file, group);
  if (choice.check == nullptr) {
    note_unsupported(choice.what, tests->size(), report);
    return Ok{};
  }
  for (const Json& test : *tests) run_test(choice.check, group, test, report);
  return Ok{};
}

Json to_value(const Report& report) {
  Json failures = Json::array();
  for (const Failure& f : report.failed)
    failures.push_back({{"test", f.test}, {"comment", f.comment}, {"why", f.why}});
  Json unsupported = Json::array();
  for (const Unsupported& u : report.unsupported)
    unsupported.push_back({{"what", u.what}, {"groups", u.groups}, {"tests", u.tests}});
  return {{"file", report.file},
          {"passed", report.passed},
          {"failed", report.failed.size()},
          {"failures", failures},
          {"unsupported", unsupported}};
}

}  // namespace

bool Object::has(const char* name) const { return find(*json_, name) != nullptr; }

std::string Object::text(const char* name) const {
  const Json* const value = find(*json_, name);
  const auto* const text = value == nullptr ? nullptr : value->get_ptr<const std::string*>();
  return text == nullptr ? std::string() : *text;
}

Result<Bytes> Object::bytes(const char* name) const {
  const Json* const value = find(*json_, name);
  if (value == nullptr) return field_error(name, "is missing");
  const auto* const text = value->get_ptr<const std::string*>();
  std::optional<Bytes> bytes = text == nullptr ? std::nullopt : from_hex(*text);
  if (!bytes) return field_error(name, "is not hexadecimal");
  return std::move(*bytes);
}

Result<std::uint64_t> Object::number(const char* name) const {
  const Json* const value = find(*json_, name);
  if (value == nullptr) return field_error(name, "is missing");
  const auto* const number = value->get_ptr<const Json::number_unsigned_t*>();
  if (number == nullptr) return field_error(name, "is not a number");
  return *number;
}

Object Object::object(const char* name) const {
  static const Json kNone = Json::object();
  const Json* const value = find(*json_, name);
  return Object(value == nullptr ? kNone : *value);
}

Result<Report> run_vectors(std::string file, std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Error{Code::kInvalid, file + ": this is not JSON"};
  const Json* const groups = find(json, "testGroups");
  if (groups == nullptr || !groups->is_array())
    return Error{Code::kInvalid, file + ": this is no file of test vectors (no testGroups)"};
  Report report;
  report.file = std::move(file);
  for (const Json& group : *groups) TRY(run_group(Object(json), group, report));
  return report;
}

std::string to_json(const std::vector<Report>& reports) {
  Json files = Json::array();
  std::uint64_t passed = 0, failed = 0, groups = 0, tests = 0;
  for (const Report& report : reports) {
    files.push_back(to_value(report));
    passed += report.passed;
    failed += report.failed.size();
    for (const Unsupported& u : report.unsupported) {
      groups += u.groups;
      tests += u.tests;
    }
  }
  const Json all = {{"files", files},
                    {"passed", passed},
                    {"failed", failed},
                    {"unsupported_groups", groups},
                    {"unsupported_tests", tests}};
  // A file's name or comment need not be UTF-8; dump() must not throw over it.
  return all.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace holdfast::vectors
