// Writes what a log would serve into a folder, for check_tlog.go to check: tiles, entries, cosigned
// checkpoints of two sizes, keys, and proofs as this project makes them.
//
//   tlog_site FOLDER OLD_SIZE SIZE
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tlog/base64.h"
#include "tlog/checkpoint.h"
#include "tlog/test_site.h"
#include "tlog/test_tree.h"

namespace {

namespace fs = std::filesystem;
using namespace holdfast;
using namespace holdfast::tlog;

void write(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  HF_CHECK(out.flush().good());
}

std::string lines(const Proof& proof) {
  std::string out;
  for (const Digest& hash : proof) out += base64_encode(hash.view()) + '\n';
  return out;
}

void write_tiles(const fs::path& folder, const testkit::TestLog& log, std::uint64_t from,
                 std::uint64_t to) {
  for (Tile tile : tiles_between(from, to)) {
    write(folder / tile_path(tile), as_text(*log.read(tile)));
    if (tile.level > 0) continue;
    const auto first = log.entries.begin() + static_cast<std::ptrdiff_t>(tile.index * kTileWidth);
    tile.kind = TileKind::kEntries;
    write(folder / tile_path(tile), as_text(encode_bundle({first, first + tile.width})));
  }
}

void write_proofs(const fs::path& folder, const testkit::TestLog& log, std::uint64_t old,
                  std::uint64_t size) {
  write(folder / "consistency", lines(*log.tree(size).prove_consistency(old)));
  for (std::uint64_t index = 0; index < size; index += 1 + size / 50)
    write(folder / "inclusion" / std::to_string(index),
          lines(*log.tree(size).prove_inclusion(index)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const fs::path folder = argv[1];
  const std::uint64_t old = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t size = std::strtoull(argv[3], nullptr, 10);
  const testkit::TestSite site;
  const testkit::TestLog log(size);
  // Grown in two steps, as a log grows: the partial tiles of both sizes are there.
  write_tiles(folder, log, 0, old);
  write_tiles(folder, log, old, size);
  write_proofs(folder, log, old, size);
  write(folder / "checkpoint.old", site.checkpoint(log.head(old), {1'700'000'000}).format());
  write(folder / "checkpoint",
        site.checkpoint(log.head(size), {1'700'000'100, 1'700'000'200}).format());
  std::string keys = site.log.key().format() + '\n';
  for (const Cosigner& witness : site.witnesses) keys += witness.key().format() + '\n';
  write(folder / "keys", keys);
  return 0;
}
