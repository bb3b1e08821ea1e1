// Makes one vault with as many files as it is told, without those files: a snapshot whose manifest
// says that each is one chunk of a MiB, in packs of which only the names lie in the store. The
// manifest, the keys and the indexes are what the engine's own writers make; one file is real.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "archive/packer.h"
#include "rekey/made_up.h"

namespace holdfast::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kFilesOfFolder = 1000;
constexpr std::uint32_t kLinks = 60'000;  // of one file, at most: ext4 takes 65,000

// A new vault has nothing to go on from.
class NoJournal final : public archive::PackJournal {
 public:
  Result<void> add(const PackId&, BytesView) override { return Ok{}; }
};

// Files of a byte with the names of packs: the store says that it has them, and it is not asked
// more.
class StandIns {
 public:
  StandIns(api::Session& session, const std::string& store) {
    const Bytes any = {1};  // the first pack makes the folder of all
    must_do(session.put_pack(PackId(crypto::sha256(any).bytes), any));
    for (const auto& entry : fs::recursive_directory_iterator(store))
      if (entry.is_directory() && entry.path().filename() == "packs") packs_ = entry.path();
    HF_CHECK(!packs_.empty());
    for (int i = 0; i < 256; ++i) {
      char name[3];
      std::snprintf(name, sizeof name, "%02x", i);
      fs::create_directories(packs_ / name);
    }
  }
  void add(const PackId& id) {
    const std::string name = id.hex();
    const fs::path path = packs_ / name.substr(0, 2) / name;
    if (count_++ % kLinks == 0) {
      std::ofstream(path) << '.';
      first_ = path;
    } else {
      fs::create_hard_link(first_, path);
    }
  }

 private:
  fs::path packs_;
  fs::path first_;
  std::uint64_t count_ = 0;
};

archive::Entry any_entry(std::uint32_t depth, const std::string& name, archive::EntryKind kind,
                         std::uint64_t number) {
  archive::Entry entry;
  entry.depth = depth;
  entry.name = to_bytes(as_bytes(name));
  entry.kind = kind;
  entry.mode = kind == archive::EntryKind::kFile ? 0644 : 0755;
  entry.user = entry.group = to_bytes(as_bytes(std::string("root")));
  entry.mtime = entry.ctime = {1'700'000'000 + static_cast<std::int64_t>(number), 123'456'789};
  entry.device = 65'024;
  entry.inode = number;
  entry.links = 1;
  return entry;
}

std::string numbered(const char* format, std::uint64_t number) {
  char text[40];
  std::snprintf(text, sizeof text, format, static_cast<unsigned long long>(number));
  return text;
}

class Maker {
 public:
  Maker(vault::Account::State& state, const std::string& store, std::uint64_t files)
      : state_(state),
        data_(must(vault::open_vault(state, "main", findings_))),
        chunker_(*data_.access.cutting),
        packer_(data_.cache, data_.access, data_.catalog, journal_, progress_),
        manifest_(packer_, chunker_, archive::ChunkType::kManifest),
        content_(packer_, chunker_, archive::ChunkType::kData),
        stand_ins_(state.replica.session(), store),
        files_(files) {}

  void run() {
    root_.roots.push_back(to_bytes(as_bytes(std::string("/scale"))));
    write(any_entry(0, "scale", archive::EntryKind::kDirectory, 1));
    for (std::uint64_t i = 0; i < files_; ++i) {
      if (i % kFilesOfFolder == 0)
        write(any_entry(1, numbered("folder-%06llu", i / kFilesOfFolder),
                        archive::EntryKind::kDirectory, 100'000'000 + i));
      archive::Entry entry =
          any_entry(2, numbered("file-%09llu.dat", i), archive::EntryKind::kFile, i + 2);
      const bool real = i == files_ / 2;
      entry.size = real ? kRealSize : 1 << 20;
      entry.content = real ? real_content() : one_chunk(next_chunk());
      root_.bytes += entry.size;
      write(entry);
    }
    root_.tree = must(manifest_.finish());
    for (const PackId& id : must(packer_.finish()))
      numbers_.push_back(*data_.catalog.pack_number(id));
    commit();
  }

 private:
  static constexpr std::uint32_t kRealSize = 1 << 20;

  static archive::Content one_chunk(const ChunkId& id) {
    archive::Content content;
    content.extents.push_back({id, 1 << 20});
    return content;
  }
  archive::Content real_content() {
    must_do(content_.write(Bytes(kRealSize, 7)));
    return must(content_.finish());
  }
  // Of a pack that is made up, too.
  ChunkId next_chunk() {
    if (at_ == header_.frames.size()) {
      at_ = 0;
      header_ = any_header();
      const auto id = any_id<PackId>();
      stand_ins_.add(id);
      data_.catalog.add(
          id,
          {id, keys::PackKey::random(), archive::PackKind::kData, 17'000'000, data_.access.epoch},
          header_);
      numbers_.push_back(*data_.catalog.pack_number(id));
    }
    return header_.frames[at_++].chunks[0].id;
  }
  void write(const archive::Entry& entry) {
    must_do(manifest_.write(wire::encode(entry)));
    ++(entry.kind == archive::EntryKind::kFile ? root_.files : root_.directories);
  }
  void commit() {
    root_.device = "bench";
    root_.started_ms = root_.finished_ms = state_.clock.now();
    archive::SealedPack root =
        archive::make_single_pack(data_.access, archive::PackKind::kSnapshot,
                                  archive::ChunkType::kSnapshot, wire::encode(root_));
    append_listed(state_, data_, numbers_, std::move(root));
  }

  vault::Account::State& state_;
  archive::Findings findings_;
  vault::VaultData data_;
  NoJournal journal_;
  archive::Progress progress_;
  archive::Chunker chunker_;
  archive::Packer packer_;
  archive::ContentWriter manifest_;
  archive::ContentWriter content_;
  StandIns stand_ins_;
  const std::uint64_t files_;
  archive::Snapshot root_;
  archive::PackHeader header_;
  std::size_t at_ = 0;
  std::vector<std::uint32_t> numbers_;
};

}  // namespace
}  // namespace holdfast::bench

// HOME STORE FILES: a home that is unattended, its store, and how many.
int main(int argc, char** argv) {
  using namespace holdfast;
  if (argc != 4) return 2;
  const SystemClock clock;
  auto store = must(store::open_folder(argv[2], store::Create::kNo));
  vault::Home home = must(vault::Home::open(argv[1]));
  must_do(home.unlock({}));
  bench::with_state(home, *store, clock, "bench", [&](vault::Account::State& state) {
    bench::Maker(state, argv[2], std::strtoull(argv[3], nullptr, 10)).run();
  });
  return 0;
}
