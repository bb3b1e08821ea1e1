// The engine over a store in memory: what goes in comes out, once, or not at all.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "archive/backup.h"
#include "archive/check.h"
#include "archive/restore.h"
#include "base/mutex.h"
#include "support/file_tree.h"

namespace holdfast::archive {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = testing::TempDir() + "holdfast-archive-XXXXXX";
    HF_CHECK(::mkdtemp(path.data()) != nullptr);
    path_ = fs::canonical(path).string();
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Keeps packs and nothing else. Can be full.
class MemorySession final : public api::Session {
 public:
  Result<api::Usage> usage() override { return none(); }
  Result<api::Usage> delete_account() override { return none(); }
  Result<api::Usage> keep_account() override { return none(); }
  Result<std::vector<api::Connection>> connections() override { return none(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t, std::int64_t) override { return none(); }
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    const Lock lock(mutex_);
    if (packs_.size() >= room_) return Error{Code::kUnavailable, "the store is full"};
    packs_.emplace(pack, to_bytes(bytes));
    return Ok{};
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    const Lock lock(mutex_);
    const auto it = packs_.find(pack);
    if (it == packs_.end()) return Error{Code::kNotFound, "the store has no such pack"};
    return it->second;
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    const Lock lock(mutex_);
    std::vector<bool> there;
    for (const PackId& pack : packs) there.push_back(packs_.contains(pack));
    return there;
  }

  std::vector<PackId> ids() {
    const Lock lock(mutex_);
    std::vector<PackId> all;
    for (const auto& [id, bytes] : packs_) all.push_back(id);
    return all;
  }
  void flip(const PackId& pack, std::size_t at) {
    const Lock lock(mutex_);
    Bytes& bytes = packs_.at(pack);
    bytes[at % bytes.size()] ^= 1;
  }
  void drop(const PackId& pack) {
    const Lock lock(mutex_);
    packs_.erase(pack);
  }
  void set_room(std::size_t packs) {
    const Lock lock(mutex_);
    room_ = packs;
  }

  Result<std::vector<Bytes>> read_circle(std::uint64_t) override { return none(); }
  Result<api::Receipt> append(const api::Append&) override { return none(); }
  Result<Bytes> get_blob(const BlobId&) override { return none(); }
  Result<std::vector<RequestId>> list_joins() override { return none(); }
  Result<void> drop_join(const RequestId&) override { return none(); }
  Result<std::vector<Bytes>> read_records(const VaultId&, std::uint64_t) override { return none(); }
  Result<std::vector<TimeMs>> received(const VaultId&, std::uint64_t) override { return none(); }
  Result<api::Receipt> append_record(const VaultId&, BytesView) override { return none(); }

 private:
  static Error none() { return {Code::kInvalid, "this store keeps packs only"}; }
  Mutex mutex_;
  std::map<PackId, Bytes> packs_ HF_GUARDED_BY(mutex_);
  std::size_t room_ HF_GUARDED_BY(mutex_) = SIZE_MAX;
};

// Checks what it is for: a pack is written down before it is in the store.
class MemoryJournal final : public PackJournal {
 public:
  explicit MemoryJournal(MemorySession& session) : session_(session) {}
  Result<void> add(const PackId& pack, BytesView entry) override {
    EXPECT_FALSE(session_.get_pack(pack).ok());
    const Lock lock(mutex_);
    entries_[pack] = to_bytes(entry);
    return Ok{};
  }
  std::map<PackId, Bytes> entries() {
    const Lock lock(mutex_);
    return entries_;
  }

 private:
  MemorySession& session_;
  Mutex mutex_;
  std::map<PackId, Bytes> entries_ HF_GUARDED_BY(mutex_);
};

VaultAccess any_access() {
  return {CircleId{}, VaultId{}, 1, keys::NamingKey::random(), keys::CuttingKey::random(), {}};
}

struct Vault {
  VaultAccess access = any_access();
  MemorySession session;
  PackCache cache{session, ""};
  Catalog catalog;
  MemoryJournal journal{session};
  Progress progress;
  Findings findings;
  std::int64_t previous_started_ms = 0;  // what stands since longer is taken as it was

  Result<TreeReport> backup(const std::vector<std::string>& roots, const Content* before,
                            bool dry_run = false) {
    WalkOptions options;
    options.roots = roots;
    auto walker = TRY(Walker::open(std::move(options)));
    return write_tree(cache, access, catalog, journal,
                      {walker, before, previous_started_ms, dry_run, "laptop", 1}, progress,
                      findings);
  }
  Result<RestoreReport> restore(const Snapshot& snapshot, const std::string& from,
                                const std::string& target, std::vector<Glob> include = {}) {
    RestoreInput input;
    std::istringstream names(from);
    for (std::string name; std::getline(names, name, '/');)
      if (!name.empty()) input.path.push_back(to_bytes(as_bytes(name)));
    input.include = std::move(include);
    input.target.directory = target;
    return restore_tree(cache, access, catalog, snapshot, input, progress, findings);
  }
};

Bytes random_bytes(std::mt19937_64& random, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random();
    for (std::size_t j = i; j < std::min(size, i + 8); ++j)
      bytes[j] = static_cast<std::uint8_t>(word >> (8 * (j - i)));
  }
  return bytes;
}

std::mt19937_64 seeded() {
  const auto seed = static_cast<std::uint64_t>(std::random_device{}());
  std::cout << "seed " << seed << "\n";
  return std::mt19937_64(seed);
}

void write_text(const std::string& path, BytesView bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << as_text(bytes);
  ASSERT_TRUE(file.good()) << path;
}
void write_text(const std::string& path, std::string_view text) {
  write_text(path, as_bytes(text));
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// ---- content ----

Result<Bytes> read_all(Vault& vault, const Content& content, ChunkType type = ChunkType::kData) {
  ChunkReader chunks(vault.cache, vault.access, vault.catalog);
  ContentReader reader(chunks, vault.access, content, type);
  Bytes all;
  while (const auto piece = TRY(reader.next())) {
    append(all, piece->data);
    all.resize(all.size() + piece->hole);
  }
  return all;
}

TEST(ContentWriter, ComesBackWithItsHoles) {
  auto random = seeded();
  Vault vault;
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  Chunker chunker(*vault.access.cutting);
  ContentWriter writer(packer, chunker, ChunkType::kData);
  std::vector<std::pair<Content, Bytes>> written;
  for (int round = 0; round < 6; ++round) {
    Bytes all;
    for (std::size_t part = 0; part < random() % 6; ++part) {
      if (random() % 3 == 0) {
        const std::size_t length = random() % 100000;
        ASSERT_TRUE(writer.hole(length).ok());
        all.resize(all.size() + length);
      } else {
        const Bytes data = random_bytes(random, random() % (5U << 20));
        ASSERT_TRUE(writer.write(data).ok());
        append(all, data);
      }
    }
    written.emplace_back(writer.finish().value(), all);
  }
  ASSERT_TRUE(packer.finish().ok());
  for (const auto& [content, bytes] : written) {
    const auto back = read_all(vault, content);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_TRUE(*back == bytes);
  }
}

TEST(ContentWriter, WritesManyExtentsAsAList) {
  Vault vault;
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  Chunker chunker(*vault.access.cutting);
  ContentWriter writer(packer, chunker, ChunkType::kData);
  Bytes all;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const std::string text = "part " + std::to_string(i);
    ASSERT_TRUE(writer.write(as_bytes(text)).ok());
    ASSERT_TRUE(writer.hole(i + 1).ok());
    append(all, as_bytes(text));
    all.resize(all.size() + i + 1);
  }
  const Content content = writer.finish().value();
  ASSERT_TRUE(packer.finish().ok());
  EXPECT_EQ(content.level, 1);
  EXPECT_LE(content.extents.size(), kMaxExtents);
  const auto back = read_all(vault, content);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(*back == all);
}

TEST(ContentReader, RefusesWhatCannotBe) {
  Vault vault;
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  const Bytes text = to_bytes(as_bytes("some text"));
  const ChunkId id = packer.put(ChunkType::kData, text).value();
  ASSERT_TRUE(packer.finish().ok());
  const auto content = [](std::uint8_t level, std::vector<Extent> extents) {
    return Content{level, std::move(extents)};
  };
  EXPECT_TRUE(read_all(vault, content(0, {{id, text.size()}})).ok());
  EXPECT_FALSE(read_all(vault, content(0, {{id, text.size() + 1}})).ok());
  EXPECT_FALSE(read_all(vault, content(0, {{id, 0}})).ok());
  EXPECT_FALSE(read_all(vault, content(0, {{ChunkId{}, 5}})).ok());
  EXPECT_FALSE(read_all(vault, content(1, {{id, text.size()}})).ok());
  EXPECT_FALSE(read_all(vault, content(1, {{std::nullopt, 5}})).ok());
  EXPECT_FALSE(read_all(vault, content(200, {{id, text.size()}})).ok());
  EXPECT_FALSE(read_all(vault, content(0, {{id, text.size()}}), ChunkType::kManifest).ok());
  ChunkReader chunks(vault.cache, vault.access, vault.catalog);
  ExtentReader extents(chunks, vault.access,
                       content(0, {{std::nullopt, INT64_MAX}, {std::nullopt, INT64_MAX}}));
  EXPECT_TRUE(extents.next().ok());
  EXPECT_FALSE(extents.next().ok());
}

// ---- packer ----

TEST(Packer, StoresAChunkOnce) {
  Vault vault;
  auto random = seeded();
  const Bytes big = random_bytes(random, kMinChunk);
  const Bytes small = random_bytes(random, 100);
  for (int run = 0; run < 2; ++run) {
    Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
    for (int again = 0; again < 3; ++again) {
      ASSERT_TRUE(packer.put(ChunkType::kData, big).ok());
      ASSERT_TRUE(packer.put(ChunkType::kData, small).ok());
    }
    const auto packs = packer.finish();
    ASSERT_TRUE(packs.ok());
    EXPECT_EQ(packer.new_bytes(), run == 0 ? big.size() + small.size() : 0U);
    EXPECT_EQ(packs->empty(), run == 1);
  }
}

TEST(Packer, TellsTypesApart) {
  Vault vault;
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  const auto text = as_bytes("same");
  const ChunkId data = packer.put(ChunkType::kData, text).value();
  const ChunkId names = packer.put(ChunkType::kManifest, text).value();
  EXPECT_NE(data, names);
  ASSERT_TRUE(packer.finish().ok());
  ChunkNames names_of(vault.access);
  ChunkReader chunks(vault.cache, vault.access, vault.catalog);
  EXPECT_TRUE(chunks.get(data, ChunkType::kData, names_of).ok());
  EXPECT_TRUE(chunks.get(names, ChunkType::kManifest, names_of).ok());
  EXPECT_FALSE(chunks.get(data, ChunkType::kManifest, names_of).ok());
}

TEST(Packer, WritesDownEveryPackSoThatItCanBeUsed) {
  Vault vault;
  auto random = seeded();
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  const Bytes data = random_bytes(random, 40U << 20);
  for (std::size_t at = 0; at < data.size(); at += 1U << 20)
    ASSERT_TRUE(packer.put(ChunkType::kData, BytesView(data).subspan(at, 1U << 20)).ok());
  const auto packs = packer.finish();
  ASSERT_TRUE(packs.ok());
  EXPECT_GE(packs->size(), 2U);
  const auto entries = vault.journal.entries();
  EXPECT_EQ(entries.size(), packs->size());
  Catalog resumed;
  for (const auto& [id, plain] : entries) {
    auto pack = wire::decode<JournalPack>(plain);
    ASSERT_TRUE(pack.ok());
    EXPECT_EQ(pack->entry.pack, id);
    EXPECT_EQ(pack->entry.size, vault.session.get_pack(id).value().size());
    resumed.add(id, object_of(pack->entry), pack->header);
  }
  ChunkNames names_of(vault.access);
  ChunkReader chunks(vault.cache, vault.access, resumed);
  for (std::size_t at = 0; at < data.size(); at += 1U << 20) {
    const BytesView part = BytesView(data).subspan(at, 1U << 20);
    const ChunkId id(crypto::Mac(*vault.access.naming)
                         .compute(static_cast<std::uint8_t>(ChunkType::kData), part)
                         .bytes);
    const auto chunk = chunks.get(id, ChunkType::kData, names_of);
    ASSERT_TRUE(chunk.ok()) << chunk.error().message;
    EXPECT_TRUE(to_bytes(chunk->view()) == to_bytes(part));
  }
}

TEST(Packer, KeepsFailingOnceTheStoreFailed) {
  Vault vault;
  vault.session.set_room(0);
  auto random = seeded();
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  Result<void> done;
  for (int i = 0; i < 200 && done.ok(); ++i) {
    auto put = packer.put(ChunkType::kData, random_bytes(random, 1U << 20));
    if (!put.ok()) done = std::move(put).error();
  }
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_FALSE(packer.put(ChunkType::kData, as_bytes("more")).ok());
  EXPECT_FALSE(packer.finish().ok());
  EXPECT_EQ(vault.catalog.pack_count(), 0U);
}

TEST(Packer, MayBeGivenUp) {
  Vault vault;
  auto random = seeded();
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  for (int i = 0; i < 8; ++i)
    ASSERT_TRUE(packer.put(ChunkType::kData, random_bytes(random, 1U << 20)).ok());
}

// ---- manifests ----

Entry any_entry(std::uint32_t depth, std::string_view name, EntryKind kind) {
  Entry entry;
  entry.depth = depth;
  entry.name = to_bytes(as_bytes(name));
  entry.kind = kind;
  return entry;
}

Result<std::vector<std::string>> paths_of(const std::vector<Entry>& entries) {
  Vault vault;
  Packer packer(vault.cache, vault.access, vault.catalog, vault.journal, vault.progress);
  Chunker chunker(*vault.access.cutting);
  ContentWriter writer(packer, chunker, ChunkType::kManifest);
  for (const Entry& entry : entries) TRY(writer.write(wire::encode(entry)));
  const Content tree = TRY(writer.finish());
  TRY(packer.finish());
  ChunkReader chunks(vault.cache, vault.access, vault.catalog);
  EntryReader reader(chunks, vault.access, tree);
  std::vector<std::string> paths;
  std::size_t at = 0;
  while (const auto entry = TRY(reader.next())) {
    EXPECT_EQ(wire::encode(*entry), wire::encode(entries[at++]));
    paths.push_back(path_text(reader.path()));
  }
  return paths;
}

constexpr auto kDir = EntryKind::kDirectory;
constexpr auto kFile = EntryKind::kFile;

TEST(EntryReader, GivesPathsInOrder) {
  const auto paths =
      paths_of({any_entry(0, "a", kDir), any_entry(1, "b", kDir), any_entry(2, "c", kFile),
                any_entry(1, "b.txt", kFile), any_entry(0, "a.txt", kFile)});
  ASSERT_TRUE(paths.ok()) << paths.error().message;
  EXPECT_EQ(*paths, (std::vector<std::string>{"/a", "/a/b", "/a/b/c", "/a/b.txt", "/a.txt"}));
}

TEST(EntryReader, ReadsEntriesLargerThanItsRoom) {
  Entry large = any_entry(0, "large", kFile);
  for (std::uint8_t i = 0; i < 50; ++i)
    large.xattrs.push_back({{'u', '.', i}, Bytes(64 * 1024, i)});
  EXPECT_TRUE(paths_of({large, any_entry(0, "small", kFile)}).ok());
}

TEST(EntryReader, RefusesWhatIsNoTreeInOrder) {
  EXPECT_FALSE(paths_of({any_entry(1, "a", kFile)}).ok());
  EXPECT_FALSE(paths_of({any_entry(0, "a", kFile), any_entry(1, "b", kFile)}).ok());
  EXPECT_FALSE(paths_of({any_entry(0, "a", kDir), any_entry(2, "b", kFile)}).ok());
  EXPECT_FALSE(paths_of({any_entry(0, "b", kFile), any_entry(0, "a", kFile)}).ok());
  EXPECT_FALSE(paths_of({any_entry(0, "a", kFile), any_entry(0, "a", kFile)}).ok());
  EXPECT_FALSE(
      paths_of({any_entry(0, "a", kDir), any_entry(1, "x", kFile), any_entry(0, "a", kDir)}).ok());
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"),
        std::string("a\0b", 3), std::string(256, 'a')})
    EXPECT_FALSE(paths_of({any_entry(0, name, kFile)}).ok()) << name;
  Entry bad_time = any_entry(0, "a", kFile);
  bad_time.mtime.nanoseconds = 1'000'000'000;
  EXPECT_FALSE(paths_of({bad_time}).ok());
  Entry bad_mode = any_entry(0, "a", kFile);
  bad_mode.mode = 0100644;
  EXPECT_FALSE(paths_of({bad_mode}).ok());
}

// ---- trees ----

void make_random_tree(std::mt19937_64& random, const std::string& at, int depth) {
  fs::create_directories(at);
  for (std::size_t i = 0; i < 3 + random() % 4; ++i) {
    const std::string path = at + "/n" + std::to_string(random() % 1000) + "-" + std::to_string(i);
    switch (random() % 6) {
      case 0:
        if (depth > 0) make_random_tree(random, path, depth - 1);
        break;
      case 1: fs::create_symlink("somewhere/else", path); break;
      case 2: write_text(path, random_bytes(random, random() % (3U << 20))); break;
      case 3: write_text(path, ""); break;
      default: write_text(path, random_bytes(random, random() % 5000)); break;
    }
  }
  ::chmod(at.c_str(), 0750);
}

// What a tree looks like: kind, mode, mtime and content by relative path.
std::map<std::string, std::string> look(const std::string& root) {
  std::map<std::string, std::string> seen;
  for (const auto& item : fs::recursive_directory_iterator(root)) {
    struct stat status{};
    EXPECT_EQ(::lstat(item.path().c_str(), &status), 0);
    std::string text = std::to_string(status.st_mode) + " " +
                       std::to_string(status.st_mtim.tv_sec) + "." +
                       std::to_string(status.st_mtim.tv_nsec) + " ";
    if (S_ISREG(status.st_mode)) text += read_text(item.path().string());
    if (S_ISLNK(status.st_mode)) text += fs::read_symlink(item.path()).string();
    seen[fs::relative(item.path(), root).string()] = text;
  }
  return seen;
}

std::string failures(const Findings& findings) {
  std::string text;
  for (const Problem& problem : findings.problems)
    text += problem.path + ": " + problem.reason + "\n";
  return text;
}

TEST(Archive, RestoresWhatItBackedUp) {
  auto random = seeded();
  const TemporaryFolder folder;
  const std::string source = folder / "source";
  for (int i = 0; i < 4; ++i) make_random_tree(random, source + "/d" + std::to_string(i), 3);
  Vault vault;
  const auto report = vault.backup({source}, nullptr);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->root.problems, 0U);
  const auto back = vault.restore(report->root, source, folder / "target");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(failures(vault.findings), "");
  EXPECT_EQ(back->files, report->root.files);
  EXPECT_EQ(back->bytes, report->root.bytes);
  EXPECT_EQ(look(source), look(folder / "target"));

  const auto packs =
      check_packs(vault.cache, vault.access, vault.catalog, 100, vault.progress, vault.findings);
  ASSERT_TRUE(packs.ok());
  EXPECT_TRUE(packs->damaged.empty());
  EXPECT_EQ(packs->read, vault.session.ids().size());
  EXPECT_TRUE(
      check_tree(vault.cache, vault.access, vault.catalog, report->root, {}, vault.findings).ok());
  EXPECT_EQ(failures(vault.findings), "");
}

TEST(Archive, KeepsHolesAndHardLinks) {
  const TemporaryFolder folder;
  const std::string source = folder / "source";
  fs::create_directories(source);
  const int fd = ::open((source + "/sparse").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::pwrite(fd, "middle", 6, 20 << 20), 6);
  ASSERT_EQ(::ftruncate(fd, 50 << 20), 0);
  ::close(fd);
  write_text(source + "/one", "the same file");
  fs::create_hard_link(source + "/one", source + "/two");
  Vault vault;
  const auto report = vault.backup({source}, nullptr);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_LT(report->new_bytes, 1U << 20);
  ASSERT_TRUE(vault.restore(report->root, source, folder / "target").ok());
  EXPECT_EQ(failures(vault.findings), "");
  EXPECT_EQ(look(source), look(folder / "target"));
  struct stat sparse{};
  ASSERT_EQ(::stat((folder / "target/sparse").c_str(), &sparse), 0);
  EXPECT_LT(sparse.st_blocks * 512, 10 << 20);
  EXPECT_EQ(fs::hard_link_count(folder / "target/one"), 2U);
}

TEST(Archive, ReadsOnlyWhatChanged) {
  auto random = seeded();
  const TemporaryFolder folder;
  const std::string source = folder / "source";
  fs::create_directories(source + "/d");
  write_text(source + "/d/large", random_bytes(random, 4U << 20));
  write_text(source + "/kept", "old text");
  Vault vault;
  const auto first = vault.backup({source}, nullptr);
  ASSERT_TRUE(first.ok());
  const auto again = vault.backup({source}, &first->root.tree);
  ASSERT_TRUE(again.ok());
  // A folder above the source is anyone's, so the names may have changed; the contents have not.
  EXPECT_LT(again->new_bytes, 100000U);
  for (const PackId& id : again->new_packs)
    EXPECT_EQ(vault.catalog.pack_at(*vault.catalog.pack_number(id)).objects.front().kind,
              PackKind::kMeta);

  write_text(source + "/kept", "new text");
  const auto third = vault.backup({source}, &again->root.tree);
  ASSERT_TRUE(third.ok());
  EXPECT_GT(third->new_bytes, 0U);
  EXPECT_LT(third->new_bytes, 100000U);
  ASSERT_TRUE(vault.restore(third->root, source, folder / "target").ok());
  EXPECT_EQ(look(source), look(folder / "target"));
  EXPECT_EQ(failures(vault.findings), "");
}

TEST(Archive, ReadsAFileAgainWhoseContentWasLost) {
  const TemporaryFolder folder;
  const std::string source = folder / "source";
  fs::create_directories(source);
  write_text(source + "/file", "precious");
  Vault vault;
  const auto first = vault.backup({source}, nullptr);
  ASSERT_TRUE(first.ok());
  Catalog names_only;  // as if the key of every data pack were lost
  for (const auto& [id, plain] : vault.journal.entries()) {
    auto pack = wire::decode<JournalPack>(plain);
    if (pack->entry.kind != PackKind::kMeta) continue;
    names_only.add(id, object_of(pack->entry), pack->header);
  }
  vault.catalog = std::move(names_only);
  const auto second = vault.backup({source}, &first->root.tree);
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(vault.restore(second->root, source, folder / "target").ok());
  EXPECT_EQ(read_text(folder / "target/file"), "precious");
}

TEST(Archive, StoresNothingInADryRun) {
  const TemporaryFolder folder;
  write_text(folder / "file", "text");
  Vault vault;
  const auto report = vault.backup({folder.path()}, nullptr, true);
  ASSERT_TRUE(report.ok());
  EXPECT_GT(report->new_bytes, 0U);
  EXPECT_EQ(report->root.files, 1U);
  EXPECT_TRUE(report->new_packs.empty());
  EXPECT_TRUE(vault.session.ids().empty());
}

TEST(Archive, RestoresNothingWrongFromADamagedStore) {
  auto random = seeded();
  const TemporaryFolder folder;
  const std::string source = folder / "source";
  for (int i = 0; i < 3; ++i) make_random_tree(random, source + "/d" + std::to_string(i), 2);
  write_text(source + "/large", random_bytes(random, 36U << 20));
  Vault vault;
  const auto report = vault.backup({source}, nullptr);
  ASSERT_TRUE(report.ok());
  const auto good = look(source);
  int round = 0;
  for (const PackId& pack : vault.session.ids()) {
    const std::size_t at = random();
    vault.session.flip(pack, at);
    vault.findings = {};
    const std::string target = folder / ("target" + std::to_string(round++));
    const auto back = vault.restore(report->root, source, target);
    EXPECT_TRUE(!back.ok() || !vault.findings.problems.empty());
    for (const auto& [path, what] : look(target))
      if (fs::is_regular_file(fs::symlink_status(target + "/" + path))) {
        EXPECT_TRUE(good.at(path) == what) << path;
      }
    fs::remove_all(target);

    Findings findings;
    const auto packs =
        check_packs(vault.cache, vault.access, vault.catalog, 100, vault.progress, findings);
    ASSERT_TRUE(packs.ok());
    EXPECT_EQ(packs->damaged.size(), 1U);
    EXPECT_EQ(findings.problems.size(), 1U);
    const auto tree = check_tree(vault.cache, vault.access, vault.catalog, report->root,
                                 packs->damaged, findings);
    EXPECT_TRUE(!tree.ok() || findings.problems.size() > 1);
    vault.session.flip(pack, at);
  }
}

TEST(Archive, FindsPacksThatAreGone) {
  const TemporaryFolder folder;
  write_text(folder / "file", "text");
  Vault vault;
  const auto report = vault.backup({folder.path()}, nullptr);
  ASSERT_TRUE(report.ok());
  vault.session.drop(vault.session.ids()[0]);
  Findings findings;
  const auto packs =
      check_packs(vault.cache, vault.access, vault.catalog, 0, vault.progress, findings);
  ASSERT_TRUE(packs.ok());
  EXPECT_EQ(packs->damaged.size(), 1U);
  EXPECT_EQ(packs->read, 0U);
}

TEST(Archive, RestoresWhatIsWholeWhereAPackIsGone) {
  auto random = seeded();
  const TemporaryFolder folder;
  const std::string source = folder / "source";
  fs::create_directory(source);
  for (int i = 0; i < 12; ++i)
    write_text(source + "/" + std::to_string(i), random_bytes(random, 4U << 20));
  Vault vault;
  const auto report = vault.backup({source}, nullptr);
  ASSERT_TRUE(report.ok());
  int packs_of_files = 0;
  for (const PackId& pack : vault.session.ids()) {
    const auto number = vault.catalog.pack_number(pack);
    if (!number || !vault.catalog.pack_at(*number).may_be(PackKind::kData)) continue;
    ++packs_of_files;
    const Bytes kept = *vault.session.get_pack(pack);
    vault.session.drop(pack);
    vault.findings = {};
    const std::string target = folder / ("without" + std::to_string(packs_of_files));
    const auto back = vault.restore(report->root, source, target);
    ASSERT_TRUE(back.ok());
    std::set<std::string> listed;
    for (const Problem& problem : vault.findings.problems) {
      EXPECT_TRUE(problem.store_damaged);
      listed.insert(problem.path);
    }
    EXPECT_FALSE(listed.empty());
    EXPECT_EQ(back->files + listed.size(), 12U);
    const auto restored = look(target);
    const auto saved = look(source);
    for (int i = 0; i < 12; ++i) {
      const std::string name = "/" + std::to_string(i);
      EXPECT_EQ(fs::exists(target + name), !listed.contains(name)) << name;
      if (listed.contains(name)) continue;
      EXPECT_TRUE(restored.at(name.substr(1)) == saved.at(name.substr(1))) << name;
    }
    fs::remove_all(target);
    ASSERT_TRUE(vault.session.put_pack(pack, kept).ok());
  }
  EXPECT_GE(packs_of_files, 3);
}

TEST(Archive, RestoresPartOfATree) {
  const TemporaryFolder folder;
  const std::string source = folder / "source";
  fs::create_directories(source + "/a/b");
  fs::create_directories(source + "/c");
  write_text(source + "/a/b/x.txt", "x");
  write_text(source + "/a/b/y.bin", "y");
  write_text(source + "/c/z.txt", "z");
  Vault vault;
  const auto report = vault.backup({source}, nullptr);
  ASSERT_TRUE(report.ok());

  ASSERT_TRUE(vault.restore(report->root, source + "/a/b/x.txt", folder / "one").ok());
  EXPECT_EQ(read_text(folder / "one/x.txt"), "x");
  ASSERT_TRUE(vault.restore(report->root, source + "/a", folder / "two").ok());
  EXPECT_EQ(read_text(folder / "two/b/y.bin"), "y");
  EXPECT_FALSE(fs::exists(folder / "two/c"));
  ASSERT_TRUE(
      vault.restore(report->root, source, folder / "three", {Glob::parse("*.txt").value()}).ok());
  EXPECT_EQ(read_text(folder / "three/a/b/x.txt"), "x");
  EXPECT_EQ(read_text(folder / "three/c/z.txt"), "z");
  EXPECT_FALSE(fs::exists(folder / "three/a/b/y.bin"));
  const auto none = vault.restore(report->root, source + "/nothing", folder / "four");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_EQ(failures(vault.findings), "");
}

// What is taken from the snapshot before as it stands is still looked at.
TEST(Archive, SavesAttributesThatChangedAlone) {
  using namespace testkit;
  const TempDir dir;
  make_file(dir / "mode", "1");
  make_file(dir / "xattr", "2");
  make_file(dir / "same", "3");
  make_dir(dir / "folder");
  ASSERT_EQ(::symlink("here", (dir / "link").c_str()), 0);
  Vault vault;
  const Snapshot before = vault.backup({dir.path()}, nullptr)->root;
  vault.previous_started_ms = INT64_MAX;  // as if all of it had stood since long before
  const auto unchanged = vault.backup({dir.path()}, &before.tree);
  ASSERT_TRUE(unchanged.ok());
  EXPECT_TRUE(unchanged->root.tree == before.tree);

  ASSERT_EQ(::chmod((dir / "mode").c_str(), 0600), 0);
  ASSERT_EQ(::setxattr((dir / "xattr").c_str(), "user.a", "new", 3, 0), 0);
  ASSERT_EQ(::setxattr((dir / "folder").c_str(), "user.b", "new", 3, 0), 0);
  ASSERT_EQ(::unlink((dir / "link").c_str()), 0);
  ASSERT_EQ(::symlink("else", (dir / "link").c_str()), 0);
  const auto after = vault.backup({dir.path()}, &before.tree);
  ASSERT_TRUE(after.ok());
  const TempDir to;
  ASSERT_TRUE(vault.restore(after->root, dir.path(), to / "out").ok());
  EXPECT_EQ(stat_of(to / "out/mode").st_mode & 07777U, 0600U);
  char value[8] = {};
  EXPECT_EQ(::getxattr((to / "out/xattr").c_str(), "user.a", value, sizeof value), 3);
  EXPECT_EQ(::getxattr((to / "out/folder").c_str(), "user.b", value, sizeof value), 3);
  EXPECT_EQ(std::filesystem::read_symlink(to / "out/link"), "else");
}

TEST(Archive, SaysWhichFilesItCouldNotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  const TemporaryFolder folder;
  write_text(folder / "closed", "text");
  write_text(folder / "open", "text");
  ASSERT_EQ(::chmod((folder / "closed").c_str(), 0), 0);
  Vault vault;
  const auto report = vault.backup({folder.path()}, nullptr);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->root.problems, 1U);
  EXPECT_EQ(report->root.files, 1U);
  ASSERT_EQ(vault.findings.problems.size(), 1U);
  EXPECT_EQ(vault.findings.problems[0].path, folder / "closed");
}

}  // namespace
}  // namespace holdfast::archive
