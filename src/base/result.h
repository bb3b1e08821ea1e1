// Result<T>: a value, or an Error that says what the caller can do and names the thing.
//
// No exception is thrown by Holdfast's own code. TRY(expr) evaluates a Result, returns its
// error from the enclosing function, or yields the value. HF_CHECK is for broken invariants
// (bugs), never for input.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace holdfast {

// What the caller can do about it, not what went wrong.
enum class Code {
  kNotFound,     // ask for something that exists
  kDenied,       // not allowed: another key, another device or another person must do it
  kInvalid,      // the request itself is wrong: change it
  kCorrupt,      // stored bytes are damaged: restore them from elsewhere
  kConflict,     // the world moved: read again, rebase, repeat
  kUnavailable,  // store, disk or network: try later, free space, reconnect
  kUnsafe,       // a check against a lying store failed: stop, keep the evidence (exit 4)
  kOutdated,     // a newer format: update required
};

constexpr std::string_view code_name(Code code) {
  switch (code) {
    case Code::kNotFound: return "not_found";
    case Code::kDenied: return "denied";
    case Code::kInvalid: return "invalid";
    case Code::kCorrupt: return "corrupt";
    case Code::kConflict: return "conflict";
    case Code::kUnavailable: return "unavailable";
    case Code::kUnsafe: return "unsafe";
    case Code::kOutdated: return "outdated";
  }
  std::abort();
}

// `message` is one sentence for a person. It never holds contents or keys.
struct [[nodiscard]] Error {
  Code code;
  std::string message;

  // The same error, seen from further out: "backup of /srv: <message>".
  Error in(std::string_view where) && {
    return {code, std::string(where) + ": " + std::move(message)};
  }
};

[[noreturn]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "holdfast: internal error: %s at %s:%d\n", what, file, line);
  std::abort();
}

#define HF_CHECK(cond) \
  ((cond) ? static_cast<void>(0) : ::holdfast::check_failed(#cond, __FILE__, __LINE__))

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    HF_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    HF_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    HF_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    HF_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    HF_CHECK(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

struct Ok {};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() : state_(std::in_place_index<0>) {}
  Result(Ok) : state_(std::in_place_index<0>) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  Ok value() const {
    HF_CHECK(ok());
    return {};
  }
  const Error& error() const& {
    HF_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    HF_CHECK(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<Ok, Error> state_;
};

// A GNU statement expression (why -Wpedantic is off): passes a failure up, yields the value.
#define TRY(expr)                                               \
  ({                                                            \
    auto&& hf_result_ = (expr);                                 \
    if (!hf_result_.ok()) return std::move(hf_result_).error(); \
    std::forward<decltype(hf_result_)>(hf_result_).value();     \
  })

}  // namespace holdfast
