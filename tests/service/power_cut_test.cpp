// The power fails at any write or sync of the service's database: what was acknowledged before is
// there when it comes back, and it can fail again at once.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "crypto/hash.h"
#include "server/replay.h"
#include "server/sql_files.h"
#include "service/losing_disk.h"
#include "support/journey.h"

namespace holdfast::server {
namespace {

constexpr TimeMs kStart = 1'700'000'000'000;
constexpr int kWorkers = 4;
const std::string kAccount = "mila@example";

struct Proof {
  TimeMs time;
  api::Nonce nonce;
};

// Everything that was acknowledged; of a head, the newest version.
struct Acknowledged {
  std::map<std::string, Bytes> objects;
  std::array<int, kWorkers> heads{};
  std::set<PackId> packs;
  std::vector<Proof> proofs;
};

std::string head_path(int worker) { return "accounts/61/heads/" + std::to_string(worker); }
std::string object_path(int number) { return "accounts/61/objects/" + std::to_string(number); }
Bytes text_of(int number) { return to_bytes(as_bytes(std::to_string(number))); }

// The service's storage on one data directory.
class Running {
 public:
  static Result<std::unique_ptr<Running>> start(const std::string& folder,
                                                const std::shared_ptr<ManualClock>& clock) {
    auto writer = TRY(Writer::open(folder + "/service.db",
                                   Replay::kSchema + SqlFiles::kSchema + PackFiles::kSchema));
    // So that cuts often meet a checkpoint.
    TRY(writer->write(
        [](sql::Database& db) { return db.execute("PRAGMA wal_autocheckpoint = 20"); }));
    auto replay = TRY(Replay::open(*writer, clock));
    auto packs = TRY(PackFiles::start(folder, *writer));
    return std::unique_ptr<Running>(
        new Running(std::move(writer), std::move(replay), std::move(packs), clock));
  }

  Writer& writer() { return *writer_; }
  Replay& replay() { return *replay_; }
  PackFiles& packs() { return *packs_; }
  SqlFiles& files() { return files_; }

 private:
  Running(std::unique_ptr<Writer> writer, std::unique_ptr<Replay> replay,
          std::unique_ptr<PackFiles> packs, const std::shared_ptr<ManualClock>& clock)
      : writer_(std::move(writer)),
        replay_(std::move(replay)),
        packs_(std::move(packs)),
        files_(*writer_, *packs_, clock) {}

  const std::unique_ptr<Writer> writer_;
  const std::unique_ptr<Replay> replay_;
  const std::unique_ptr<PackFiles> packs_;
  SqlFiles files_;
};

class PowerCut : public ::testing::Test {
 protected:
  PowerCut() {
    const char* const given = std::getenv("HOLDFAST_SEED");
    seed_ = given != nullptr ? std::stoull(given) : std::random_device{}();
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
    random_.seed(seed_);
    fs::create_directories(now_);
  }
  ~PowerCut() override { disk_.lie(false); }

  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }

  void work(Running& on, int worker);
  void cut_while_working();
  // What is missing of what was acknowledged; "": nothing.
  std::string missing(Running& on);
  std::string missing_rows(Running& on);

  LosingDisk& disk_ = LosingDisk::of_this_process();
  std::uint64_t seed_ = 0;
  std::mt19937 random_;
  Folder folder_;
  int cuts_ = 0;
  std::string now_ = folder_ / "0";
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>(kStart);
  std::atomic<int> counter_ = 0;
  std::mutex mutex_;
  Acknowledged all_;     // so far, with mutex_
  Acknowledged at_cut_;  // when the power failed
};

void PowerCut::work(Running& on, int worker) {
  while (!disk_.was_cut()) {
    const int number = ++counter_;
    Bytes bytes(static_cast<std::size_t>(1 + number * 131 % 6000));
    crypto::random_fill(bytes);
    if (on.files().create(object_path(number), bytes).ok()) {
      const std::lock_guard lock(mutex_);
      all_.objects[object_path(number)] = bytes;
    }
    if (on.files().replace(head_path(worker), text_of(number)).ok()) {
      const std::lock_guard lock(mutex_);
      all_.heads[static_cast<std::size_t>(worker)] = number;
    }
    const PackId pack(crypto::sha256(bytes).bytes);
    if (on.packs().rewrite(kAccount, pack, bytes).ok()) {
      const std::lock_guard lock(mutex_);
      all_.packs.insert(pack);
    }
    Proof proof{on.replay().now() + number % 1000, {}};
    crypto::random_fill(proof.nonce.bytes);
    if (on.replay().accept({}, proof.nonce, proof.time).ok()) {
      const std::lock_guard lock(mutex_);
      all_.proofs.push_back(proof);
    }
  }
}

// Then the next folder is what the cut left of this one; packs are files that this disk knows
// nothing of.
void PowerCut::cut_while_working() {
  disk_.cut_after(1 + below(400), random_(), [this] {
    const std::lock_guard lock(mutex_);
    at_cut_ = all_;
  });
  {
    const auto on = must(Running::start(now_, clock_));
    std::vector<std::thread> workers;
    for (int w = 0; w < kWorkers; ++w) workers.emplace_back([&, w] { work(*on, w); });
    for (std::thread& worker : workers) worker.join();
  }
  const std::string next = folder_ / std::to_string(++cuts_);
  fs::create_directories(next);
  disk_.lay_out(now_, next);
  fs::rename(now_ + "/packs", next + "/packs");
  fs::remove_all(now_);
  now_ = next;
  clock_->advance(below(60'000));
  all_ = at_cut_;
}

std::string PowerCut::missing_rows(Running& on) {
  for (const auto& [path, bytes] : at_cut_.objects) {
    const auto found = on.files().get(path, 10'000);
    if (!found.ok() || *found != bytes) return path;
  }
  for (int w = 0; w < kWorkers; ++w) {
    const int version = at_cut_.heads[static_cast<std::size_t>(w)];
    if (version == 0) continue;
    const auto found = on.files().get(head_path(w), 100);
    if (!found.ok() || std::stoi(std::string(as_text(*found))) < version) return head_path(w);
  }
  for (const PackId& pack : at_cut_.packs)
    if (!on.packs().info(kAccount, pack).ok()) return "pack " + pack.hex();
  return "";
}

std::string PowerCut::missing(Running& on) {
  std::string verdict;
  const auto checked = on.writer().read([&](sql::Database& db) -> Result<void> {
    auto row = TRY(db.prepare("PRAGMA integrity_check"));
    TRY(row.step());
    verdict = TRY(row.column_text(0));
    return Ok{};
  });
  if (!checked.ok()) return checked.error().message;
  if (verdict != "ok") return verdict;
  for (const Proof& proof : at_cut_.proofs)
    if (on.replay().accept({}, proof.nonce, proof.time).ok()) return "a proof counted twice";
  return missing_rows(on);
}

TEST_F(PowerCut, LosesNothingAcknowledged) {
  const char* const wanted = std::getenv("HOLDFAST_KILLS");
  const int rounds = 2 * (wanted != nullptr ? std::atoi(wanted) : 30);
  std::size_t proven = 0;
  for (int round = 0; round < rounds; ++round) {
    cut_while_working();
    const auto on = must(Running::start(now_, clock_));
    ASSERT_EQ(missing(*on), "") << "after cut " << cuts_ << ", seed " << seed_;
    proven += at_cut_.objects.size();
    if (at_cut_.objects.size() < 2000) continue;
    at_cut_ = all_ = {};
    must_do(on->files().remove_account("accounts"));
  }
  EXPECT_GT(proven, 0u);
}

// The test can fail: on a disk that does not sync, something is soon lost.
TEST_F(PowerCut, ADiskThatLiesIsNoticed) {
  disk_.lie(true);
  bool noticed = false;
  for (int round = 0; round < 50 && !noticed; ++round) {
    cut_while_working();
    const auto on = Running::start(now_, clock_);
    noticed = !on.ok() || !missing(**on).empty();
  }
  EXPECT_TRUE(noticed);
}

}  // namespace
}  // namespace holdfast::server
