// Structured log: one JSON object a line. What can be logged is decided by type: numbers, ids,
// words from the source and text that its author calls plain. Keys and contents do not convert.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"

namespace holdfast {

enum class Level { kInfo, kWarning, kError };

// A string literal: nothing that is known only at run time.
class Word {
 public:
  template <std::size_t N>
  consteval Word(const char (&text)[N]) : text_(text, N - 1) {}
  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

// Text that the caller knows to be harmless: an address, a path of the service's own, the message
// of an Error. Only its beginning is kept when it is long.
struct Plain {
  explicit Plain(std::string_view t) : text(t) {}
  std::string_view text;
};

class Field {
 public:
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Field(Word name, T value) : name_(name), json_(std::to_string(value)) {}
  // Exactly bool: a pointer would convert to one.
  template <std::same_as<bool> T>
  Field(Word name, T value) : name_(name), json_(value ? "true" : "false") {}
  template <std::floating_point T>
  Field(Word name, T value) : Field(name, Number{static_cast<double>(value)}) {}
  template <class Tag, std::size_t N>
  Field(Word name, const Id<Tag, N>& id) : name_(name), json_('"' + id.hex() + '"') {}
  Field(Word name, Word value);
  Field(Word name, Plain value);

  std::string_view name() const { return name_.text(); }
  const std::string& json() const { return json_; }

 private:
  struct Number {
    double value;
  };
  Field(Word name, Number value);  // null unless finite

  Word name_;
  std::string json_;
};

// Safe from several threads: each event is one write(2). One that cannot be written is lost.
class Log {
 public:
  // The clock and whoever opened `fd` outlive it.
  Log(int fd, const Clock& clock) : fd_(fd), clock_(clock) {}
  void event(Level level, Word name, std::initializer_list<Field> fields = {}) const;

 private:
  const int fd_;
  const Clock& clock_;
};

}  // namespace holdfast
