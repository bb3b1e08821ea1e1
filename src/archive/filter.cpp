#include "archive/filter.h"

#include <algorithm>

#include "base/file.h"

namespace holdfast::archive {
namespace {

constexpr std::uint64_t kMaxGlobFile = 16 * 1024 * 1024;

Error bad_pattern(std::string_view pattern, std::string_view why) {
  return {Code::kInvalid,
          "the pattern \"" + std::string(pattern) + "\" cannot be used: " + std::string(why)};
}

std::string_view last_component(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string_view strip_cr(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace

// `at` stands behind the '['; afterwards behind the ']'.
Result<void> Glob::add_class(std::string_view pattern, std::size_t& at) {
  const bool complement = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (complement) ++at;
  ByteSet set;
  for (bool first = true;; first = false) {
    const auto member = [&]() -> Result<unsigned char> {
      if (at < pattern.size() && pattern[at] == '\\') ++at;
      if (at >= pattern.size()) return bad_pattern(pattern, "its '[' has no ']'");
      if (pattern[at] == '/') return bad_pattern(pattern, "'/' cannot stand in [...]");
      return static_cast<unsigned char>(pattern[at++]);
    };
    if (at < pattern.size() && pattern[at] == ']' && !first) break;
    if (pattern.substr(at, 2) == "[:" || pattern.substr(at, 2) == "[=")
      return bad_pattern(pattern, "named classes like [:alpha:] are not known; write a range");
    const unsigned char low = TRY(member());
    unsigned char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      high = TRY(member());
      if (high < low) return bad_pattern(pattern, "a range in [...] runs backwards");
    }
    for (unsigned byte = low; byte <= high; ++byte) set.set(byte);
  }
  ++at;
  if (complement) set.flip();
  set.reset('/');
  tokens_.push_back({.kind = Kind::kClass, .set = sets_.size()});
  sets_.push_back(set);
  return Ok{};
}

Result<Glob> Glob::parse(std::string_view pattern) {
  if (pattern.find('\0') != pattern.npos)
    return bad_pattern(pattern.substr(0, pattern.find('\0')), "no name holds a zero byte");
  Glob glob;
  std::size_t components = 0;
  // The text of the component being read when it is all literal, to refuse "." and "..".
  std::string literal;
  std::size_t start = 0;  // token at which the component begins
  const auto close_component = [&]() -> Result<void> {
    if (glob.tokens_.size() == start) return Ok{};
    if (glob.tokens_.size() - start == literal.size() && (literal == "." || literal == ".."))
      return bad_pattern(pattern, "paths are matched from the root and hold no \".\" or \"..\"");
    ++components;
    literal.clear();
    return Ok{};
  };
  std::size_t at = 0;
  while (at < pattern.size()) {
    const char c = pattern[at++];
    if (c == '/') {
      TRY(close_component());
      const bool doubled = !glob.tokens_.empty() && glob.tokens_.back().kind == Kind::kByte &&
                           glob.tokens_.back().byte == '/';
      if (!doubled) glob.tokens_.push_back({.kind = Kind::kByte, .byte = '/'});
      start = glob.tokens_.size();
    } else if (c == '*') {
      const std::size_t end = std::min(pattern.find_first_not_of('*', at), pattern.size());
      glob.tokens_.push_back({.kind = end > at ? Kind::kStarStar : Kind::kStar});
      at = end;
    } else if (c == '?') {
      glob.tokens_.push_back({.kind = Kind::kAny});
    } else if (c == '[') {
      TRY(glob.add_class(pattern, at));
    } else {
      if (c == '\\' && at == pattern.size()) return bad_pattern(pattern, "it ends in a lone '\\'");
      const char byte = c == '\\' ? pattern[at++] : c;
      if (byte == '/') return bad_pattern(pattern, "'/' cannot be quoted");
      glob.tokens_.push_back({.kind = Kind::kByte, .byte = byte});
      literal.push_back(byte);
    }
  }
  TRY(close_component());
  if (components == 0) return bad_pattern(pattern, "it names nothing");
  const bool rooted = pattern.front() == '/';
  if (glob.tokens_.size() == start) glob.tokens_.pop_back();  // the '/' at the end
  glob.name_only_ = !rooted && components == 1;
  if (!rooted && !glob.name_only_)
    glob.tokens_.insert(glob.tokens_.begin(),
                        {{.kind = Kind::kStarStar}, {.kind = Kind::kByte, .byte = '/'}});
  glob.find_literal_ends();
  return glob;
}

void Glob::find_literal_ends() {
  for (const Token& token : tokens_) {
    if (token.kind != Kind::kByte) break;
    prefix_.push_back(token.byte);
  }
  for (auto token = tokens_.rbegin(); token != tokens_.rend(); ++token) {
    if (token->kind != Kind::kByte) break;
    suffix_.insert(suffix_.begin(), token->byte);
  }
}

bool Glob::accepts(const Token& token, char byte) const {
  switch (token.kind) {
    case Kind::kByte: return token.byte == byte;
    case Kind::kAny:
    case Kind::kStar: return byte != '/';
    case Kind::kClass: return sets_[token.set].test(static_cast<unsigned char>(byte));
    case Kind::kStarStar: return true;
  }
  std::abort();
}

// All positions in the pattern at once, a step for each byte: no backtracking to blow up.
bool Glob::simulate(std::string_view text) const {
  const std::size_t count = tokens_.size();
  const auto is_slash = [&](std::size_t i) {
    return i < count && tokens_[i].kind == Kind::kByte && tokens_[i].byte == '/';
  };
  // live[i]: the tokens before i match the text so far.
  std::vector<std::uint8_t> live(count + 1), next(count + 1);
  const auto spread = [&](std::vector<std::uint8_t>& states) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!states[i]) continue;
      if (tokens_[i].kind == Kind::kStar || tokens_[i].kind == Kind::kStarStar) states[i + 1] = 1;
      // "/**/" is also a single "/".
      if (tokens_[i].kind == Kind::kStarStar && i > 0 && is_slash(i - 1) && is_slash(i + 1))
        states[i + 2] = 1;
    }
  };
  live[0] = 1;
  spread(live);
  for (const char byte : text) {
    std::fill(next.begin(), next.end(), std::uint8_t{0});
    bool any = false;
    for (std::size_t i = 0; i < count; ++i) {
      if (!live[i] || !accepts(tokens_[i], byte)) continue;
      const bool stays = tokens_[i].kind == Kind::kStar || tokens_[i].kind == Kind::kStarStar;
      next[stays ? i : i + 1] = 1;
      any = true;
    }
    if (!any) return false;
    spread(next);
    std::swap(live, next);
  }
  return live[count] != 0;
}

bool Glob::matches_itself(std::string_view absolute_path) const {
  const std::string_view text = name_only_ ? last_component(absolute_path) : absolute_path;
  return text.starts_with(prefix_) && text.ends_with(suffix_) && simulate(text);
}

bool Glob::matches(std::string_view absolute_path) const {
  for (std::size_t end = absolute_path.find('/', 1); end != absolute_path.npos;
       end = absolute_path.find('/', end + 1))
    if (matches_itself(absolute_path.substr(0, end))) return true;
  return matches_itself(absolute_path);
}

bool Filter::excludes(std::string_view absolute_path) const {
  return std::ranges::any_of(exclude, [&](const Glob& g) { return g.matches(absolute_path); });
}

bool Filter::excludes_itself(std::string_view absolute_path) const {
  return std::ranges::any_of(exclude,
                             [&](const Glob& g) { return g.matches_itself(absolute_path); });
}

Result<std::vector<Glob>> read_globs(const std::string& file) {
  const Bytes bytes = TRY(read_file(file, kMaxGlobFile));
  std::vector<Glob> globs;
  std::string_view rest = as_text(bytes);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = strip_cr(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t") == line.npos || line.front() == '#') continue;
    auto glob = Glob::parse(line);
    if (!glob.ok()) return std::move(glob).error().in(file + ":" + std::to_string(number));
    globs.push_back(std::move(*glob));
  }
  return globs;
}

}  // namespace holdfast::archive
