// What the public log costs: a device's checks at a sync, proofs, sequencing, and the check of all
// of it by anyone. Accounts and entries are made up; what is measured is the product's own code.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>

#include "crypto/hash.h"
#include "server/public_log.h"
#include "tlog/batch.h"
#include "tlog/map_labels.h"
#include "tlog/test_site.h"
#include "tlog/test_tree.h"
#include "vault/log_audit.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct LookupPurpose {};
using LookupKey = crypto::Key<LookupPurpose>;

Digest any_digest(std::uint64_t number) { return crypto::sha256(wire::encode_array(number)); }
Bytes receipt(std::uint64_t number) {
  return wire::encode(tlog::DeletionReceipt{{}, any_digest(number)});
}

// The map as it is with so many accounts: two labels each.
tlog::Map map_of(std::uint64_t accounts, const LookupKey& mine) {
  std::vector<tlog::MapEntry> entries;
  for (std::uint64_t i = 0; i < 2 * (accounts - 1); ++i)
    entries.push_back({tlog::MapLabel(any_digest(i).bytes), any_digest(i + 1)});
  entries.push_back({tlog::circle_label(mine, 0), any_digest(7)});
  entries.push_back({tlog::data_label(mine, 0), any_digest(8)});
  std::ranges::sort(entries);
  tlog::Map map;
  HF_CHECK(map.apply(entries).ok());
  return map;
}

// What a sync reads and verifies besides new leaves, and what a day without one adds.
void sync_cost(std::uint64_t accounts) {
  const auto mine = LookupKey::from_bytes(Bytes(32, 9));
  const tlog::Map map = map_of(accounts, mine);
  const tlog::testkit::TestSite site;
  const tlog::TreeHead head{1'000'000, any_digest(1)};
  const std::string note = site.checkpoint(head, {1'700'000'000, 1'700'000'000}).format();
  const auto series = [&](const auto& label) {
    tlog::SeriesProof proof;
    proof.last = map.prove(label(mine, 0));
    proof.next = map.prove(label(mine, 1));
    return proof;
  };
  const auto circle = series(tlog::circle_label<LookupPurpose>);
  const auto data = series(tlog::data_label<LookupPurpose>);
  const std::size_t bytes = note.size() + wire::encode(circle).size() + wire::encode(data).size();
  constexpr int kRounds = 200;
  const double verify = seconds_of([&] {
    for (int i = 0; i < kRounds; ++i) {
      const Digest root = map.root();
      HF_CHECK(tlog::Checkpoint::verify(site.trusted(), as_bytes(note)).ok());
      HF_CHECK(
          tlog::verify_present(root, {tlog::circle_label(mine, 0), any_digest(7)}, *circle.last)
              .ok());
      HF_CHECK(tlog::verify_absent(root, tlog::circle_label(mine, 1), circle.next).ok());
      HF_CHECK(
          tlog::verify_present(root, {tlog::data_label(mine, 0), any_digest(8)}, *data.last).ok());
      HF_CHECK(tlog::verify_absent(root, tlog::data_label(mine, 1), data.next).ok());
    }
  });
  tlog::MapEpoch epoch;
  epoch.n = epoch.audited = 1'000'000;
  epoch.previous = any_digest(1);
  epoch.entries = 2 * accounts;
  std::printf("sync, %8llu accounts: %zu bytes, %.2f ms; a day's %d epochs: %zu bytes more\n",
              static_cast<unsigned long long>(accounts), bytes, verify / kRounds * 1000, 144,
              144 * wire::encode(epoch).size());
}

void batch_cost(std::uint64_t accounts) {
  std::vector<tlog::BatchEntry> entries(accounts);
  for (std::uint64_t i = 0; i < accounts; ++i) entries[i].circle = CircleId(any_digest(i).bytes);
  const CircleId mine = entries[0].circle;
  std::optional<tlog::Batch> batch;
  const double made =
      seconds_of([&] { batch = tlog::Batch::make({}, std::move(entries), 0).value(); });
  tlog::Map map;
  const double read = seconds_of([&] { HF_CHECK(map.apply(batch->positions()).ok()); });
  const auto position = tlog::prove_position(map, mine);
  const std::size_t bytes =
      wire::encode(position).size() + wire::encode(batch->openings()[0]).size();
  std::printf(
      "batch, %7llu accounts: made in %.2f s, loaded for proofs in %.2f s; position and "
      "opening %zu bytes\n",
      static_cast<unsigned long long>(accounts), made, read, bytes);
}

void proof_cost(std::uint64_t size) {
  const tlog::testkit::TestLog log(size);
  std::size_t most = 0;
  for (std::uint64_t i = 0; i < size; i += size / 64 + 1)
    most = std::max(most, log.tree(size).prove_inclusion(i).value().size());
  const auto bound = static_cast<std::size_t>(std::bit_width(size - 1));
  tlog::LeafProof proof;
  proof.index = size - 1;
  for (std::size_t i = 0; i < most; ++i) proof.inclusion.push_back(any_digest(i));
  const std::size_t encoded = wire::encode(proof.inclusion).size();
  std::printf(
      "inclusion, %8llu entries: %zu hashes (RFC 6962: at most %zu), %zu bytes encoded, "
      "bound %zu\n",
      static_cast<unsigned long long>(size), most, bound, encoded, bound * 32);
}

void replay_cost(std::uint64_t entries) {
  std::vector<Bytes> leaves;
  std::size_t bytes = 0;
  tlog::MapEpoch epoch;
  epoch.previous = any_digest(1);
  for (std::uint64_t i = 0; i < entries; ++i) {
    epoch.n = i + 1;
    leaves.push_back(wire::encode(epoch));
    bytes += leaves.back().size();
  }
  const double took = seconds_of([&] {
    tlog::Frontier frontier;
    for (const Bytes& leaf : leaves) {
      HF_CHECK(tlog::decode_leaf(leaf).ok());
      frontier.append(tlog::leaf_hash(leaf));
    }
  });
  std::printf("a new device replays %llu epochs: %zu bytes, %.0f ms\n",
              static_cast<unsigned long long>(entries), bytes, took * 1000);
}

// Through the database and onto the disk, each step synced.
void sequence_cost(const std::string& folder) {
  auto writer = std::move(server::Writer::open(folder + "/db", server::LogTables::kSchema)).value();
  server::LogOptions options;
  options.folder = folder + "/log";
  options.key_file = folder + "/log.key";
  auto log =
      std::move(server::PublicLog::open(*writer, options, std::make_shared<SystemClock>())).value();
  const auto none = [](const std::string&, std::uint64_t) -> Result<server::AccountLists> {
    return server::AccountLists{};
  };
  constexpr std::uint64_t kLeaves = 2000;
  const double queued = seconds_of([&] {
    for (std::uint64_t i = 0; i < kLeaves; ++i)
      HF_CHECK(log->append_leaf(tlog::DeletionReceipt{{}, any_digest(i)}).ok());
  });
  const double stepped = seconds_of([&] {
    while (log->step(none).value()) HF_CHECK(log->cosign(*log->due(0), {}).ok());
  });
  std::printf(
      "queued one by one, each durable: %.0f entries/s; sequenced and published in steps of "
      "100, synced: %.0f entries/s\n",
      kLeaves / queued, kLeaves / stepped);

  constexpr std::uint64_t kAccounts = 2000;
  for (std::uint64_t i = 0; i < kAccounts; ++i)
    HF_CHECK(log->add_account("a" + std::to_string(i), any_digest(i).view(), any_digest(i)).ok());
  const double epoch = seconds_of([&] {
    HF_CHECK(log->step([](const std::string& name, std::uint64_t) -> Result<server::AccountLists> {
                  return server::AccountLists{{crypto::sha256(as_bytes(name))}, {}, {0}};
                })
                 .ok());
    HF_CHECK(log->cosign(*log->due(0), {}).ok());
  });
  std::printf("one epoch of %llu changed accounts: %.0f ms, %.0f accounts/s\n",
              static_cast<unsigned long long>(kAccounts), epoch * 1000, kAccounts / epoch);
}

// By anyone, from the public files; here they lie in memory.
void verify_cost(std::uint64_t entries) {
  tlog::testkit::TestLog log;
  for (std::uint64_t i = 0; i < entries; ++i) log.add(receipt(i));
  const tlog::testkit::TestSite site;
  const std::string note =
      site.checkpoint(log.frontier.head(), {1'700'000'000, 1'700'000'000}).format();
  const vault::ReadLogFile read = [&](const std::string& path) -> Result<Bytes> {
    if (path == "checkpoint") return to_bytes(as_bytes(note));
    const auto tile = TRY(tlog::parse_tile_path(path));
    if (tile.kind == tlog::TileKind::kHashes) return log.read(tile);
    const auto first = log.entries.begin() + static_cast<std::ptrdiff_t>(tile.index * 256);
    return tlog::encode_bundle(std::vector<Bytes>(first, first + tile.width));
  };
  const double took = seconds_of([&] { HF_CHECK(vault::verify_log(read, site.roots).ok()); });
  std::printf("whole log, %llu entries: %.2f s, %.1f s a million\n",
              static_cast<unsigned long long>(entries), took,
              took * 1e6 / static_cast<double>(entries));
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  for (const std::uint64_t accounts : {10ULL, 10'000ULL, 1'000'000ULL})
    holdfast::sync_cost(accounts);
  for (const std::uint64_t accounts : {10ULL, 10'000ULL, 1'000'000ULL})
    holdfast::batch_cost(accounts);
  for (const std::uint64_t size : {10ULL, 10'000ULL, 1'000'000ULL}) holdfast::proof_cost(size);
  holdfast::replay_cost(10'000);
  holdfast::sequence_cost(argv[1]);
  holdfast::verify_cost(200'000);
  return 0;
}
