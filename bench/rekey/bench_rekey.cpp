// What writing the tables of pack keys anew costs an account of about a TiB: 65536 packs and a
// million chunks that are made up, in a store in memory. What is measured is the product's own
// code.
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "crypto/hash.h"
#include "store/local_store.h"
#include "vault/ages.h"
#include "vault/vault_data.h"

namespace holdfast {
namespace {

constexpr std::uint32_t kPacks = 65536;
constexpr std::uint32_t kChunksOfPack = 16;

[[noreturn]] void fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  std::exit(1);
}
template <class T>
T must(Result<T> result) {
  if (!result.ok()) fail(result.error());
  return std::move(result).value();
}
void must_do(const Result<void>& result) {
  if (!result.ok()) fail(result.error());
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class T>
T any_id() {
  T id;
  crypto::random_fill(id.bytes);
  return id;
}

enum class Sealed { kOnce, kAgain };

archive::PackHeader any_header() {
  archive::PackHeader header;
  header.kind = archive::PackKind::kData;
  for (std::uint32_t i = 0; i < kChunksOfPack; ++i) {
    archive::FrameInfo frame;
    frame.stored = frame.raw = 1 << 20;
    frame.chunks.push_back({any_id<ChunkId>(), archive::ChunkType::kData, frame.raw});
    header.frames.push_back(std::move(frame));
  }
  return header;
}

// A snapshot of packs that nobody has, with their keys and places.
void fill(vault::Account::State& state, Sealed sealed) {
  archive::Findings findings;
  vault::VaultData data = must(vault::open_vault(state, "main", findings));
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < kPacks; ++i) {
    const auto pack = any_id<PackId>();
    data.catalog.add(pack,
                     {sealed == Sealed::kAgain ? any_id<PackId>() : pack, keys::PackKey::random(),
                      archive::PackKind::kData, 17'000'000, data.access.epoch},
                     any_header());
    numbers.push_back(i);
  }
  circle::Record record = state.next_record(data.vault.id, circle::RecordKind::kSnapshot);
  auto indexes = archive::make_index_packs(data.access, data.catalog, numbers);
  for (archive::SealedPack& index : indexes) {
    must_do(state.replica.session().put_pack(index.id, index.bytes));
    const PackId id = index.id;
    archive::PackObject object = archive::object_of(index, data.access.epoch);
    data.catalog.add(id, std::move(object), std::move(index.header));
    numbers.push_back(*data.catalog.pack_number(id));
    record.index_segments.push_back(id);
  }
  for (const auto& ref :
       must(archive::write_key_segments(data.cache, data.access, data.catalog, numbers)).refs)
    record.key_segments.push_back({ref.object, ref.epoch});
  record.snapshot = any_id<PackId>();
  must(state.append_record(record));
}

void measure(const std::string& folder, Sealed sealed, const char* name) {
  const SystemClock clock;
  auto store = store::open_memory();
  vault::Home home = must(vault::Home::open(folder));
  must_do(home.create_device({}));
  must(vault::init(home, *store, clock, {"bench", "bench", "ZZ"}));
  {
    vault::Account::State state{
        home, *store, clock, vault::signing_key(home.device_key()),
        vault::Replica(must(store->open_account("bench", vault::caller(home.device_key()))),
                       circle::reader_id(vault::device_info(home.device_key(), "")),
                       crypto::derive<crypto::WrapPurpose>(home.device_key()),
                       must(vault::log_ages(home)))};
    must_do(state.sync());
    fill(state, sealed);
  }
  auto account = must(vault::Account::open(home, *store, clock));
  must_do(account.rotate());
  vault::Account::RekeyReport report;
  const double rekey = seconds_of([&] { report = must(account.rekey("main")); });
  const double exposure = seconds_of([&] { must(account.exposure("main")); });
  const double opened = seconds_of([&] {
    archive::Findings findings;
    must(account.snapshots("main", findings));
  });
  const double losses = seconds_of([&] { must(account.losses()); });
  std::printf(
      "%-28s rekey %5.2f s, %llu keys, %5.2f MB sent; exposure %5.2f s; opened %5.2f s; judged "
      "%5.2f s\n",
      name, rekey, static_cast<unsigned long long>(report.entries),
      static_cast<double>(report.stored_bytes) / 1e6, exposure, opened, losses);
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  using namespace holdfast;
  if (argc != 2) return 2;
  measure(std::string(argv[1]) + "/once", Sealed::kOnce, "never sealed again");
  measure(std::string(argv[1]) + "/again", Sealed::kAgain, "all sealed again");
  return 0;
}
