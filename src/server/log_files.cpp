#include "server/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"

namespace holdfast::server {
namespace {

constexpr unsigned kPublic = 0644;
constexpr std::size_t kMaxTileFile = tlog::kTileWidth * (2 + tlog::kMaxEntry);

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 20 && (text.size() == 1 || text[0] != '0') &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_hash(std::string_view text) {
  return text.size() == 2 * Digest::kSize && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Whatever else a stranger types names no file.
bool is_public(std::string_view path) {
  if (path == "checkpoint" || path == "roots" || path == "audit") return true;
  if (path == "policy-key" || path == "fleet-key") return true;
  for (const std::string_view folder : {"map/", "notice/", "policy/"})
    if (path.starts_with(folder)) return is_number(path.substr(folder.size()));
  for (const std::string_view folder : {"trust/", "receipt/"})
    if (path.starts_with(folder)) return is_hash(path.substr(folder.size()));
  return tlog::parse_tile_path(path).ok();
}

std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

Result<LogFiles> LogFiles::make(std::string folder) {
  TRY(make_dirs(folder, 0755));
  for (const char* const name : {"/map", "/notice", "/trust", "/policy", "/receipt"})
    TRY(make_dirs(folder + name, 0755));
  return LogFiles(std::move(folder));
}

Result<void> LogFiles::put(const std::string& name, BytesView bytes) {
  return replace_file(folder_ + "/" + name, bytes, kPublic);
}

// The tile up to `start` is there already, as a partial one. Once it is whole, the partial ones
// have had their time.
Result<void> LogFiles::extend(const tlog::Tile& tile, std::uint64_t start, BytesView more) {
  const std::string path = folder_ + "/" + tlog::tile_path(tile);
  // Written before a crash: what a tile holds follows from the tree. (Its partial ones may be
  // gone.)
  if (exists(path)) return Ok{};
  Bytes bytes;
  if (start > 0) {
    tlog::Tile before = tile;
    before.width = static_cast<std::uint16_t>(start);
    bytes = TRY(read_file(folder_ + "/" + tlog::tile_path(before), kMaxTileFile));
  }
  append(bytes, more);
  TRY(make_dirs(parent(path), 0755));
  TRY(replace_file(path, bytes, kPublic));
  if (tile.width != tlog::kTileWidth) return Ok{};
  std::error_code ignored;
  std::filesystem::remove_all(path + ".p", ignored);
  return Ok{};
}

Result<void> LogFiles::add(std::uint64_t from, const std::vector<Bytes>& leaves,
                           const std::vector<tlog::TileHash>& hashes) {
  struct Part {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    Bytes bytes;
  };
  std::map<tlog::Tile, Part> parts;
  const auto collect = [&](tlog::TileKind kind, std::uint8_t level, std::uint64_t index,
                           BytesView bytes) {
    const std::uint64_t at = index % tlog::kTileWidth;
    const auto [it, first] = parts.try_emplace({kind, level, index / tlog::kTileWidth, 1});
    if (first) it->second.start = at;
    it->second.end = at + 1;
    append(it->second.bytes, bytes);
  };
  for (const tlog::TileHash& one : hashes)
    collect(tlog::TileKind::kHashes, one.level, one.index, one.hash.view());
  for (std::size_t i = 0; i < leaves.size(); ++i)
    collect(tlog::TileKind::kEntries, 0, from + i, tlog::encode_bundle({leaves[i]}));
  for (auto& [tile, part] : parts) {
    tlog::Tile now = tile;
    now.width = static_cast<std::uint16_t>(part.end);
    TRY(extend(now, part.start, part.bytes));
  }
  return Ok{};
}

Result<api::StoredFile> LogFiles::open(const std::string& path) const {
  const Error absent{Code::kNotFound, "the log has no such file"};
  if (!is_public(path)) return absent;
  Fd file(::open((folder_ + "/" + path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info{};
  if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return absent;
  return api::StoredFile{std::move(file), static_cast<std::uint64_t>(info.st_size)};
}

tlog::TileReader LogFiles::tiles() const {
  return [this](const tlog::Tile& tile) {
    return read_file(folder_ + "/" + tlog::tile_path(tile), kMaxTileFile);
  };
}

}  // namespace holdfast::server
