// Reading TOML so that a name or value that means nothing is refused with its line. Only for .cpp
// files of this module.
#pragma once

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace holdfast::lawful::text {

constexpr std::size_t kMaxText = 4000;
constexpr std::size_t kMaxValues = 64;

Error wrong(const toml::node& at, const std::string& what);
Result<toml::table> parse(BytesView bytes);
Result<void> require_names(const toml::table& table, std::initializer_list<std::string_view> known);
// "" where it is absent.
Result<std::string> text_in(const toml::table& table, std::string_view name);
Result<std::vector<std::string>> texts_in(const toml::table& table, std::string_view name);
// Of a whole number between 0 and `most`; 0 where it is absent.
Result<std::int64_t> number_in(const toml::table& table, std::string_view name, std::int64_t most);
Result<bool> flag_in(const toml::table& table, std::string_view name, bool otherwise);
// A day begins in UTC; a time says its zone, for nobody should guess it.
Result<std::optional<TimeMs>> time_in(const toml::table& table, std::string_view name);

}  // namespace holdfast::lawful::text
