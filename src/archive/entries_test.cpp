// The entries of a manifest, found by its guide: the same as by reading all, whatever it says.
#include "archive/entries.h"

#include <gtest/gtest.h>

#include <random>

#include "archive/check.h"
#include "archive/packer.h"
#include "archive/test_store.h"
#include "base/mutex.h"

namespace holdfast::archive {
namespace {

class NoJournal final : public PackJournal {
 public:
  Result<void> add(const PackId&, BytesView) override { return Ok{}; }
};

Entry entry_of(std::uint32_t depth, const std::string& name, EntryKind kind) {
  Entry entry;
  entry.depth = depth;
  entry.name = to_bytes(as_bytes(name));
  entry.kind = kind;
  entry.mode = 0644;
  entry.user = entry.group = to_bytes(as_bytes("somebody"));
  entry.xattrs.push_back({to_bytes(as_bytes("user.x")), Bytes(100, 1)});
  return entry;
}

// Directories in directories, about 8000 entries of 250 bytes.
std::vector<Entry> any_tree(std::mt19937_64& random, std::uint32_t depth = 0) {
  std::vector<Entry> entries;
  for (unsigned i = 0; i < (depth == 0 ? 20U : 10U); ++i) {
    const std::string name = std::to_string(100 + i) + std::string(random() % 20, '!');
    const bool directory = depth < 3 && i % 3 != 2;
    entries.push_back(entry_of(depth, name, directory ? EntryKind::kDirectory : EntryKind::kFile));
    if (!directory) continue;
    const auto inside = any_tree(random, depth + 1);
    entries.insert(entries.end(), inside.begin(), inside.end());
  }
  return entries;
}

using Path = std::vector<Bytes>;

// A snapshot of these entries, in a vault of its own.
class Tree {
 public:
  explicit Tree(const std::vector<Entry>& entries) : Tree(entries, std::nullopt) {}
  // With another guide than its own.
  Tree(const std::vector<Entry>& entries, std::optional<Bytes> guide,
       ChunkType guide_type = ChunkType::kGuide) {
    access.epoch = 1;
    access.naming = keys::NamingKey::random();
    access.cutting = keys::CuttingKey::random();
    Packer packer(cache, access, catalog, journal, progress);
    Chunker chunker(*access.cutting);
    ContentWriter writer(packer, chunker, ChunkType::kManifest);
    GuideWriter points;
    std::uint64_t offset = 0;
    for (const Entry& entry : entries) {
      path_.resize(entry.depth);
      path_.push_back(entry.name);
      paths.push_back(path_);
      points.note(offset, path_);
      Bytes encoded = wire::encode(entry);
      if (entry.size == 666) encoded = Bytes(encoded.size(), 0xff);
      offset += encoded.size();
      EXPECT_TRUE(writer.write(encoded).ok());
    }
    snapshot.tree = writer.finish().value();
    own_guide = points.bytes();
    ContentWriter guide_writer(packer, chunker, guide_type);
    EXPECT_TRUE(guide_writer.write(guide.value_or(own_guide)).ok());
    snapshot.guide = guide_writer.finish().value();
    EXPECT_TRUE(packer.finish().ok());
    chunks.emplace(cache, access, catalog);
  }
  EntryReader reader() { return EntryReader::of(*chunks, access, snapshot).value(); }

  VaultAccess access{};
  ObjectStore store;
  PackCache cache{store, ""};
  Catalog catalog;
  NoJournal journal;
  Progress progress;
  Snapshot snapshot;
  std::vector<Path> paths;
  Bytes own_guide;
  std::optional<ChunkReader> chunks;

 private:
  Path path_;
};

std::vector<GuidePoint> points_of(const Bytes& guide) {
  std::vector<GuidePoint> points;
  wire::Decoder from(guide);
  while (from.remaining() > 0) EXPECT_TRUE(wire::get(from, points.emplace_back()).ok());
  return points;
}
Bytes spelled(const std::vector<GuidePoint>& points) {
  Bytes guide;
  for (const GuidePoint& point : points) append(guide, wire::encode(point));
  return guide;
}

// What comes from `path` on, as reading all of it gives it.
void expect_seeks(Tree& tree, const Path& path) {
  EntryReader reader = tree.reader();
  ASSERT_TRUE(reader.seek(path).ok());
  auto at = std::ranges::lower_bound(tree.paths, path);
  for (int i = 0; i < 3; ++i, ++at) {
    const auto entry = reader.next();
    ASSERT_TRUE(entry.ok()) << entry.error().message;
    ASSERT_EQ(entry->has_value(), at != tree.paths.end());
    if (!*entry) return;
    ASSERT_EQ(reader.path(), *at);
    ASSERT_EQ((*entry)->name, at->back());
  }
}

std::mt19937_64 seeded() {
  const std::uint64_t seed = std::random_device{}();
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  std::cout << "seed " << seed << "\n";
  return std::mt19937_64(seed);
}

TEST(EntryReader, SeeksWhatReadingAllFinds) {
  auto random = seeded();
  Tree tree(any_tree(random));
  ASSERT_GT(points_of(tree.own_guide).size(), 3U);
  for (int i = 0; i < 50; ++i) {
    Path path = tree.paths[random() % tree.paths.size()];
    expect_seeks(tree, path);
    path.back().push_back('x');  // not there
    expect_seeks(tree, path);
  }
  expect_seeks(tree, tree.paths.front());
  expect_seeks(tree, tree.paths.back());
  expect_seeks(tree, {to_bytes(as_bytes("zzz"))});
  for (const GuidePoint& point : points_of(tree.own_guide)) {
    const auto at = std::ranges::find(tree.paths, point.path, joined);
    ASSERT_NE(at, tree.paths.end());
    expect_seeks(tree, *at);
  }
}

TEST(EntryReader, PassesOverWhatIsInADirectory) {
  auto random = seeded();
  Tree tree(any_tree(random));
  EntryReader reader = tree.reader();
  std::vector<Path> seen;
  while (const auto entry = reader.next().value()) {
    seen.push_back(reader.path());
    if (reader.path().size() == 2) {
      ASSERT_TRUE(reader.skip_inside().ok());
    }
  }
  std::vector<Path> expected;
  std::ranges::copy_if(tree.paths, std::back_inserter(expected),
                       [](const Path& path) { return path.size() <= 2; });
  EXPECT_EQ(seen, expected);
}

TEST(EntryReader, GivesWhatIsWanted) {
  auto random = seeded();
  Tree tree(any_tree(random));
  EntryReader reader = tree.reader();
  ReadAhead ahead(*tree.chunks, tree.access, tree.snapshot.tree);
  std::size_t asked = 0;
  std::vector<Path> seen;
  const auto wanted = [&](const std::string& path) {
    EXPECT_EQ(path, path_text(tree.paths.at(asked++)));
    ahead.is_at(reader.offset());
    return path.ends_with("!");
  };
  while (const auto entry = reader.next_of(wanted).value()) seen.push_back(reader.path());
  EXPECT_EQ(asked, tree.paths.size());
  std::vector<Path> expected;
  std::ranges::copy_if(tree.paths, std::back_inserter(expected),
                       [](const Path& path) { return path.back().back() == '!'; });
  EXPECT_EQ(seen, expected);
}

// What lies between is not read: an entry that is none, in the middle, is in nobody's way.
TEST(EntryReader, DoesNotReadWhatItHopsOver) {
  auto random = seeded();
  auto entries = any_tree(random);
  entries[entries.size() / 3].size = 666;
  Tree tree(entries);
  EntryReader whole(*tree.chunks, tree.access, tree.snapshot.tree);
  Result<std::optional<Entry>> last = whole.next();
  while (last.ok() && *last) last = whole.next();
  EXPECT_FALSE(last.ok());
  expect_seeks(tree, tree.paths.back());
}

TEST(EntryReader, BelievesNoGuide) {
  auto random = seeded();
  const auto entries = any_tree(random);
  const std::vector<GuidePoint> points = points_of(Tree(entries).own_guide);
  std::vector<Bytes> lies;
  const auto lie = [&](auto change) {
    auto changed = points;
    for (GuidePoint& point : changed) change(point);
    lies.push_back(spelled(changed));
  };
  lie([](GuidePoint& point) { ++point.offset; });
  lie([](GuidePoint& point) { point.offset -= 100; });
  lie([](GuidePoint& point) { point.offset += std::uint64_t{1} << 62; });
  lie([](GuidePoint& point) { point.path.push_back('x'); });
  lie([](GuidePoint& point) { point.path = {1}; });
  lie([](GuidePoint& point) { point.path.push_back(0); });
  lie([](GuidePoint& point) { point.path.clear(); });
  lies.push_back(Bytes(1000, 0xff));
  lies.push_back({0x82});
  for (std::size_t i = 0; i < lies.size(); ++i) {
    SCOPED_TRACE(i);
    Tree tree(entries, lies[i]);
    for (int n = 0; n < 5; ++n) expect_seeks(tree, tree.paths[random() % tree.paths.size()]);
    Findings findings;
    ASSERT_TRUE(
        check_tree(tree.cache, tree.access, tree.catalog, tree.snapshot, {}, findings).ok());
    ASSERT_EQ(findings.problems.size(), 1U);
    EXPECT_EQ(findings.problems[0].path, "the guide to the list of files");
  }
  Tree tree(entries, spelled(points), ChunkType::kData);
  expect_seeks(tree, tree.paths.back());
  Findings findings;
  Tree honest(entries);
  ASSERT_TRUE(
      check_tree(honest.cache, honest.access, honest.catalog, honest.snapshot, {}, findings).ok());
  EXPECT_TRUE(findings.problems.empty());
}

}  // namespace
}  // namespace holdfast::archive
