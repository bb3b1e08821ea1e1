#include "tlog/tile.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

namespace holdfast::tlog {
namespace {

Error bad_path() { return {Code::kInvalid, "not the path of a tile"}; }

// 1234067 is "x001/x234/067".
std::string index_path(std::uint64_t index) {
  std::string out;
  for (bool last = true; last || index > 0; last = false, index /= 1000) {
    std::array<char, 8> digits{};
    std::snprintf(digits.data(), digits.size(), "%03u", static_cast<unsigned>(index % 1000));
    out.insert(0, last ? digits.data() : 'x' + std::string(digits.data()) + '/');
  }
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Up to three decimal digits; the caller compares spellings.
std::optional<unsigned> small_number(std::string_view text) {
  if (text.empty() || text.size() > 3 || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

// Takes one element off the front of a path; all of it where there is no slash.
std::string_view take_element(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view element = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return element;
}

std::optional<std::uint64_t> take_index(std::string_view& path) {
  std::uint64_t index = 0;
  for (int elements = 0; elements < 6; ++elements) {  // below 10^18, more than 2^63 / 256
    std::string_view element = take_element(path);
    const bool more = element.starts_with('x');
    if (more) element.remove_prefix(1);
    const auto part = small_number(element);
    if (!part || element.size() != 3) return std::nullopt;
    index = index * 1000 + *part;
    if (!more) return index;
  }
  return std::nullopt;
}

// Takes ".p/W" off the end.
std::optional<std::uint16_t> take_width(std::string_view& path) {
  const std::size_t at = path.find(".p/");
  if (at == std::string_view::npos) return kTileWidth;
  const auto width = small_number(path.substr(at + 3));
  if (!width || *width == 0 || *width >= kTileWidth) return std::nullopt;
  path = path.substr(0, at);
  return static_cast<std::uint16_t>(*width);
}

std::optional<Tile> read_path(std::string_view path) {
  Tile tile;
  const auto width = take_width(path);
  if (!width || take_element(path) != "tile") return std::nullopt;
  tile.width = *width;
  const std::string_view level = take_element(path);
  if (level == "entries") {
    tile.kind = TileKind::kEntries;
  } else {
    const auto number = small_number(level);
    if (!number || *number > kMaxTileLevel) return std::nullopt;
    tile.level = static_cast<std::uint8_t>(*number);
  }
  const auto index = take_index(path);
  if (!index || !path.empty()) return std::nullopt;
  tile.index = *index;
  return tile;
}

}  // namespace

std::string tile_path(const Tile& tile) {
  const std::string level =
      tile.kind == TileKind::kEntries ? "entries" : std::to_string(tile.level);
  std::string out = "tile/" + level + '/' + index_path(tile.index);
  if (tile.width < kTileWidth) out += ".p/" + std::to_string(tile.width);
  return out;
}

Result<Tile> parse_tile_path(std::string_view path) {
  const auto tile = read_path(path);
  if (!tile || tile_path(*tile) != path) return bad_path();
  return *tile;
}

std::uint16_t tile_width(std::uint64_t size, std::uint8_t level, std::uint64_t index) {
  if (level >= 8) return 0;
  const std::uint64_t hashes = size >> (8U * level);
  const std::uint64_t before = std::min(index, hashes / kTileWidth + 1) * kTileWidth;
  return static_cast<std::uint16_t>(std::min(kTileWidth, hashes - std::min(before, hashes)));
}

std::vector<Tile> tiles_between(std::uint64_t from, std::uint64_t to) {
  HF_CHECK(from <= to);
  std::vector<Tile> out;
  for (std::uint8_t level = 0; level < 8 && from < to; ++level, from >>= 8, to >>= 8) {
    for (std::uint64_t index = from / kTileWidth; index * kTileWidth < to; ++index)
      out.push_back({TileKind::kHashes, level, index, tile_width(to, 0, index)});
  }
  return out;
}

Bytes encode_bundle(const std::vector<Bytes>& entries) {
  HF_CHECK(entries.size() <= kTileWidth);
  Bytes out;
  for (const Bytes& entry : entries) {
    HF_CHECK(entry.size() <= kMaxEntry);
    out.push_back(static_cast<std::uint8_t>(entry.size() >> 8));
    out.push_back(static_cast<std::uint8_t>(entry.size()));
    append(out, entry);
  }
  return out;
}

Result<std::vector<Bytes>> decode_bundle(BytesView bundle, std::uint16_t width) {
  const auto corrupt = [] { return Error{Code::kCorrupt, "a bundle of log entries is damaged"}; };
  std::vector<Bytes> out;
  while (!bundle.empty()) {
    if (out.size() == width || bundle.size() < 2) return corrupt();
    const std::size_t size = std::size_t{bundle[0]} << 8 | bundle[1];
    bundle = bundle.subspan(2);
    if (bundle.size() < size) return corrupt();
    out.push_back(to_bytes(bundle.first(size)));
    bundle = bundle.subspan(size);
  }
  if (out.size() != width) return corrupt();
  return out;
}

}  // namespace holdfast::tlog
