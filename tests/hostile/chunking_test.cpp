// Does what a service sees, sizes and order of what is sent, tell it whether a file that it knows
// is among the files that were saved?
//
// Content-defined chunking with parameters that are public, or that an observer can work out, cuts
// a known file into known lengths: Truong, Merz, Scarlata, Guenther, Paterson, "Breaking and Fixing
// Content-Defined Chunking" (CCS 2025, eprint 2025/558), and Alexeev, Percival, Zhang, "Chunking
// Attacks on File Backup Services using Content-Defined Chunking" (2025). In each trial of this
// game the known file is there, or another of the same length and kind in its place; the observer
// knows the file and how the program works, has watched many trials, and orders the new ones by how
// much they look as if it were there. AUC 0.5: it knows nothing. 1: it is always right.
//
// The same observer is set upon a chunker without a key whose lengths are visible, and must win:
// or the game proves nothing. HOLDFAST_TRIALS sets their number; `./dev test --all` takes 4,000.
#include <cmath>
#include <map>
#include <random>

#include "archive/packer.h"
#include "hostile/hostile_member.h"

namespace holdfast::hostile {
namespace {

using Sizes = std::vector<std::uint64_t>;  // of each upload, in order
using Random = std::mt19937_64;
constexpr std::uint64_t kSeed = 20251124;
constexpr std::size_t kFull = 4000;
constexpr std::size_t kKnownSize = 2 * 1024 * 1024 + 4321;
constexpr std::size_t kOtherSize = 700 * 1024;

std::size_t trials() {
  const char* const set = std::getenv("HOLDFAST_TRIALS");
  return set != nullptr ? std::strtoull(set, nullptr, 10) : 200;
}

// ---- files ----

enum class Kind { kNoise, kText };

Bytes make_file(Kind kind, std::size_t size, Random& random) {
  static constexpr std::string_view kWords[] = {
      "the ", "of ",  "a ",         "backup ", "is ",  "worth ", "nothing ", "until ",
      "it ",  "was ", "restored, ", "said ",   "who ", "lost ",  "theirs. ", "\n"};
  Bytes bytes;
  bytes.reserve(size + 16);
  while (bytes.size() < size) {
    const std::uint64_t word = random();
    if (kind == Kind::kNoise) {
      for (unsigned i = 0; i < 8; ++i) bytes.push_back(static_cast<std::uint8_t>(word >> (8 * i)));
    } else {
      append(bytes, as_bytes(kWords[word % std::size(kWords)]));
    }
  }
  bytes.resize(size);
  return bytes;
}

// ---- what is observed ----

// Takes packs and notes their sizes.
class Observed final : public api::Session {
 public:
  Sizes sizes;

  Result<void> put_pack(const PackId&, BytesView bytes) override {
    const std::lock_guard lock(mutex_);
    sizes.push_back(bytes.size());
    return Ok{};
  }
  Result<std::vector<Bytes>> read_circle(std::uint64_t) override { return none(); }
  Result<api::Receipt> append(const api::Append&) override { return none(); }
  Result<Bytes> get_blob(const BlobId&) override { return none(); }
  Result<std::vector<RequestId>> list_joins() override { return none(); }
  Result<void> drop_join(const RequestId&) override { return none(); }
  Result<std::vector<Bytes>> read_records(const VaultId&, std::uint64_t) override { return none(); }
  Result<std::vector<TimeMs>> received(const VaultId&, std::uint64_t) override { return none(); }
  Result<api::Receipt> append_record(const VaultId&, BytesView) override { return none(); }
  Result<Bytes> get_pack(const PackId&) override { return none(); }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>&) override { return none(); }
  Result<api::Usage> usage() override { return none(); }
  Result<api::Usage> delete_account() override { return none(); }
  Result<api::Usage> keep_account() override { return none(); }
  Result<std::vector<api::Connection>> connections() override { return none(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t, std::int64_t) override { return none(); }

 private:
  static Error none() { return {Code::kNotFound, "there is nothing here"}; }
  std::mutex mutex_;
};

template <class Key>
Key seeded_key(Random& random) {
  Bytes bytes(Key::kSize);
  for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random());
  return Key::from_bytes(bytes);
}

archive::VaultAccess fresh_vault(Random& random) {
  archive::VaultAccess access{
      {}, {}, 1, seeded_key<keys::NamingKey>(random), seeded_key<keys::CuttingKey>(random), {}};
  access.segment_keys.emplace(1, seeded_key<crypto::Key<keys::SegmentPurpose>>(random));
  return access;
}

// A backup as src/vault/backup.cpp makes it, into a vault of its own.
Sizes holdfast_sends(const std::vector<Bytes>& files, Random& random) {
  const archive::VaultAccess access = fresh_vault(random);
  Observed session;
  archive::PackCache cache(session, "");
  archive::Catalog catalog;
  NoJournal journal;
  archive::Progress progress;
  archive::Chunker chunker(*access.cutting);
  archive::Packer packer(cache, access, catalog, journal, progress);
  archive::ContentWriter contents(packer, chunker, archive::ChunkType::kData);
  archive::ContentWriter names(packer, chunker, archive::ChunkType::kManifest);
  for (std::size_t i = 0; i < files.size(); ++i) {
    must_do(contents.write(files[i]));
    archive::Entry entry =
        HostileMember::named(0, "file" + std::to_string(i), archive::EntryKind::kFile);
    entry.size = files[i].size();
    entry.content = must(contents.finish());
    must_do(names.write(wire::encode(entry)));
  }
  archive::Snapshot root;
  root.tree = must(names.finish());
  std::vector<std::uint32_t> numbers;
  for (const PackId& id : must(packer.finish())) numbers.push_back(*catalog.pack_number(id));
  for (const archive::SealedPack& pack : must(archive::make_index_packs(access, catalog, numbers)))
    must_do(session.put_pack(pack.id, pack.bytes));
  const auto snapshot = archive::make_single_pack(
      access, archive::PackKind::kSnapshot, archive::ChunkType::kSnapshot, wire::encode(root));
  must_do(session.put_pack(snapshot.id, snapshot.bytes));
  must(archive::write_key_segments(cache, access, catalog, numbers));
  return session.sizes;
}

// What this is not: a gear hash whose table everyone has, each chunk sent for itself.
Sizes naive_sends(const std::vector<Bytes>& files, Random&) {
  static const std::vector<std::uint64_t> gear = [] {
    Random table(1);
    std::vector<std::uint64_t> values(256);
    for (std::uint64_t& value : values) value = table();
    return values;
  }();
  Sizes sizes;
  for (const Bytes& file : files) {
    std::uint64_t hash = 0;
    std::uint64_t length = 0;
    for (const std::uint8_t byte : file) {
      hash = (hash << 1) + gear[byte];
      if (++length < 16 * 1024 || (hash >> 48) != 0) continue;
      sizes.push_back(std::exchange(length, 0) + 16);
    }
    if (length > 0) sizes.push_back(length + 16);
  }
  return sizes;
}

using Program = Sizes (*)(const std::vector<Bytes>&, Random&);

// ---- the observer ----

struct Trial {
  bool present = false;
  Sizes sizes;
};

// Of the sizes that the observer gets when it saves the known file itself, how many are here?
class Template {
 public:
  Template(Program program, const Bytes& known) {
    Random own(kSeed + 1);
    sizes_ = program({known}, own);
  }
  double score(const Sizes& seen) const {
    std::multiset<std::uint64_t> left(seen.begin(), seen.end());
    double found = 0;
    for (const std::uint64_t size : sizes_) {
      const auto at = left.find(size);
      if (at == left.end()) continue;
      left.erase(at);
      ++found;
    }
    return found / static_cast<double>(sizes_.size());
  }

 private:
  Sizes sizes_;
};

// How often each size came at each place, in order of time and in order of size, with the known
// file and without: naive Bayes.
class Learned {
 public:
  void learn(const Trial& trial) {
    for (const auto& feature : features(trial.sizes)) ++counts_[feature][trial.present ? 1 : 0];
  }
  double score(const Sizes& seen) const {
    double sum = 0;
    for (const auto& feature : features(seen)) {
      const auto at = counts_.find(feature);
      if (at == counts_.end()) continue;
      sum += std::log((at->second[1] + 1.0) / (at->second[0] + 1.0));
    }
    return sum;
  }

 private:
  using Feature = std::pair<std::size_t, std::uint64_t>;
  static std::vector<Feature> features(const Sizes& seen) {
    std::vector<Feature> all = {{0, seen.size()}};
    std::uint64_t total = 0;
    for (const std::uint64_t size : seen) total += size;
    all.emplace_back(1, total / 4096);
    Sizes sorted = seen;
    std::ranges::sort(sorted);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      all.emplace_back(2 + 2 * i, seen[i]);
      all.emplace_back(3 + 2 * i, sorted[i]);
    }
    return all;
  }
  std::map<Feature, std::array<double, 2>> counts_;
};

// The chance that a trial with the file scores higher than one without; equal scores are a half.
double auc(std::vector<std::pair<double, bool>> scored) {
  std::ranges::sort(scored);
  double ranks = 0, present = 0, absent = 0;
  for (std::size_t i = 0; i < scored.size();) {
    std::size_t end = i;
    while (end < scored.size() && scored[end].first == scored[i].first) ++end;
    const double rank = static_cast<double>(i + 1 + end) / 2;
    for (; i < end; ++i) {
      (scored[i].second ? present : absent) += 1;
      if (scored[i].second) ranks += rank;
    }
  }
  return (ranks - present * (present + 1) / 2) / (present * absent);
}

struct Told {
  double by_template = 0;
  double learned = 0;  // from one half of the trials about the other, both ways
};

Told play(Program program, Kind kind, std::size_t count) {
  Random random(kSeed);
  const Bytes known = make_file(kind, kKnownSize, random);
  std::vector<Trial> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    all[i].present = i % 2 == 0;
    std::vector<Bytes> files;
    files.push_back(all[i].present ? known : make_file(kind, kKnownSize, random));
    files.push_back(make_file(kind, kOtherSize, random));
    if (random() % 2 == 0) std::swap(files[0], files[1]);
    all[i].sizes = program(files, random);
  }
  std::vector<std::pair<double, bool>> by_template, learned;
  const Template known_sizes(program, known);
  Learned halves[2];
  for (std::size_t i = 0; i < count; ++i) halves[i / 2 % 2].learn(all[i]);
  for (std::size_t i = 0; i < count; ++i) {
    by_template.emplace_back(known_sizes.score(all[i].sizes), all[i].present);
    learned.emplace_back(halves[1 - i / 2 % 2].score(all[i].sizes), all[i].present);
  }
  return {auc(by_template), auc(learned)};
}

// 0.55 of the full number; of fewer, what chance could do besides (five standard errors).
double limit(std::size_t count) {
  if (count >= kFull) return 0.55;
  return 0.5 + 5 / std::sqrt(3.0 * static_cast<double>(count));
}

double either_way(double value) { return std::max(value, 1 - value); }

void expect_nothing_told(Kind kind) {
  const Told told = play(holdfast_sends, kind, trials());
  std::printf("seed %llu, %zu trials: AUC %.3f by template, %.3f learned (at most %.3f)\n",
              static_cast<unsigned long long>(kSeed), trials(), told.by_template, told.learned,
              limit(trials()));
  EXPECT_LE(either_way(told.by_template), limit(trials()));
  EXPECT_LE(either_way(told.learned), limit(trials()));
}

TEST(Chunking, SizesDoNotTellAKnownFileOfNoise) { expect_nothing_told(Kind::kNoise); }

TEST(Chunking, SizesDoNotTellAKnownText) { expect_nothing_told(Kind::kText); }

TEST(Chunking, SizesOfANaiveChunkerTellIt) {
  const Told told = play(naive_sends, Kind::kNoise, std::min<std::size_t>(trials(), 100));
  std::printf("seed %llu: AUC %.3f by template, %.3f learned\n",
              static_cast<unsigned long long>(kSeed), told.by_template, told.learned);
  EXPECT_GE(told.by_template, 0.95);
  EXPECT_GE(told.learned, 0.95);
}

}  // namespace
}  // namespace holdfast::hostile
