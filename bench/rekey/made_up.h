// An account of about a TiB that is made up: 65536 packs and a million chunks, all that a device
// knows of them, and no data.
#pragma once

#include <chrono>
#include <functional>

#include "crypto/hash.h"
#include "support/journey.h"
#include "vault/ages.h"
#include "vault/vault_data.h"

namespace holdfast::bench {

constexpr std::uint32_t kPacks = 65536;
constexpr std::uint32_t kChunksOfPack = 16;

inline double seconds_of(const std::function<void()>& work) {
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

inline archive::PackHeader any_header() {
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

// A record that lists these packs of the catalog (numbers), with their keys and places. Its
// snapshot is `root`, or one that nobody has.
inline void append_listed(vault::Account::State& state, vault::VaultData& data,
                          std::vector<std::uint32_t> numbers,
                          std::optional<archive::SealedPack> root) {
  circle::Record record = state.next_record(data.vault.id, circle::RecordKind::kSnapshot);
  const auto store = [&](archive::SealedPack& pack) {
    must_do(state.replica.session().put_pack(pack.id, pack.bytes));
    const PackId id = pack.id;
    archive::PackObject object = archive::object_of(pack, data.access.epoch);
    data.catalog.add(id, std::move(object), std::move(pack.header));
    numbers.push_back(*data.catalog.pack_number(id));
    return id;
  };
  auto indexes = archive::make_index_packs(data.access, data.catalog, numbers);
  for (archive::SealedPack& index : indexes) record.index_segments.push_back(store(index));
  record.snapshot = root ? store(*root) : any_id<PackId>();
  for (const auto& ref :
       must(archive::write_key_segments(data.cache, data.access, data.catalog, numbers)).refs)
    record.key_segments.push_back({ref.object, ref.epoch});
  must(state.append_record(record));
}

// A snapshot of packs that nobody has, in the vault `main`.
inline void fill(vault::Account::State& state, Sealed sealed) {
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
  append_listed(state, data, std::move(numbers), std::nullopt);
}

// As the account `name` sees itself once it has read all that is new.
inline void with_state(vault::Home& home, api::Store& store, const Clock& clock,
                       const std::string& name,
                       const std::function<void(vault::Account::State&)>& work) {
  vault::Account::State state{
      home, store, clock, vault::signing_key(home.device_key()),
      vault::Replica(must(store.open_account(name, vault::caller(home.device_key()))),
                     circle::reader_id(vault::device_info(home.device_key(), "")),
                     crypto::derive<crypto::WrapPurpose>(home.device_key()),
                     must(vault::log_ages(home)))};
  must_do(state.sync());
  work(state);
}

inline void fill(vault::Home& home, api::Store& store, const Clock& clock, Sealed sealed) {
  with_state(home, store, clock, "me", [&](auto& state) { fill(state, sealed); });
}

}  // namespace holdfast::bench
