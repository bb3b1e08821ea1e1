// Lies about vaults: their records, and the packs that these name.
#include <mutex>

#include "hostile/attack_parts.h"

namespace holdfast::hostile {
namespace {

const auto kNothing = [](auto&) {};

// ---- records ----

using AlterRecord = std::function<void(circle::Record& record)>;

// The newest record of the vault `main`, altered; its signature stays.
Lies alter_newest_record(AlterRecord alter) {
  Lies lies;
  lies.records = [alter = std::move(alter)](Honest& honest, const VaultId& vault, std::uint64_t,
                                            Page& page) {
    if (page.empty() || page.back() != records_of(honest, vault).back()) return;
    auto outer = sure(wire::decode<circle::SignedRecord>(page.back()));
    auto record = sure(wire::decode<circle::Record>(outer.record));
    alter(record);
    outer.record = wire::encode(record);
    page.back() = wire::encode(outer);
  };
  return lies;
}

// A snapshot that nobody made: the newest once more, as the next.
Lies forged_snapshot(AlterRecord alter) {
  Lies lies;
  lies.records = [alter = std::move(alter)](Honest& honest, const VaultId& vault,
                                            std::uint64_t from, Page& page) {
    const Page all = records_of(honest, vault);
    if (page.empty() || from + page.size() != all.size() + 1) return;
    const Circle circle = circle_of(honest);
    circle::Record record = record_in(all.back());
    ++record.n;
    for (const circle::VaultHead& head : heads_of(honest, circle))
      if (head.vault == vault) record.prev = head.head;
    record.circle_seq = circle.seq();
    record.circle_head = circle.head();
    record.epoch = circle.epoch();
    alter(record);
    page.push_back(circle::sign_record(record, *ghost().key));
  };
  return lies;
}

Lies repeated_snapshot() {
  Lies lies;
  lies.records = [](Honest& honest, const VaultId& vault, std::uint64_t from, Page& page) {
    const Page all = records_of(honest, vault);
    if (!page.empty() && from + page.size() == all.size() + 1) page.push_back(all.front());
  };
  return lies;
}

Lies records_of_another_vault() {
  Lies lies;
  lies.records = [](Honest& honest, const VaultId& vault, std::uint64_t from, Page& page) {
    const Circle circle = circle_of(honest);
    for (const circle::Vault& other : circle.vaults())
      if (other.id != vault && !page.empty()) {
        Page shown = sure(honest.read_records(other.id, from));
        if (!shown.empty()) page = std::move(shown);
      }
  };
  return lies;
}

// ---- rollback ----

Lies without_newest_record() {
  Lies lies;
  lies.records = [](Honest& honest, const VaultId& vault, std::uint64_t from, Page& page) {
    if (from + page.size() == records_of(honest, vault).size() + 1 && !page.empty())
      page.pop_back();
  };
  return lies;
}

Lies without_middle_record() {
  Lies lies;
  lies.records = [](Honest&, const VaultId&, std::uint64_t from, Page& page) {
    if (from <= 2 && page.size() > 3 - from) page.erase(page.begin() + 2 - static_cast<int>(from));
  };
  return lies;
}

// Takes new snapshots, says so, and goes on showing those of before.
Lies hidden_when_taken() {
  struct Shown {
    std::mutex mutex;
    std::map<VaultId, std::size_t> count;
  };
  Lies lies;
  lies.records = [shown = std::make_shared<Shown>()](Honest& honest, const VaultId& vault,
                                                     std::uint64_t from, Page& page) {
    const std::lock_guard lock(shown->mutex);
    const std::size_t now = records_of(honest, vault).size();
    const std::size_t count = shown->count.try_emplace(vault, now).first->second;
    page.resize(std::min<std::size_t>(page.size(), count + 1 > from ? count + 1 - from : 0));
  };
  return lies;
}

// ---- packs ----

Lies pack_of_another_snapshot() {
  Lies lies;
  lies.pack = [](Honest& honest, const PackId& pack, Bytes& bytes) {
    if (kind_of(honest, pack, bytes.size()) == "snapshot") bytes = another_pack(honest, pack);
  };
  return lies;
}

// The store says that it has what it lost.
Lies lost_but_denied() {
  Lies lies;
  lies.pack = [](Honest& honest, const PackId& pack, Bytes& bytes) {
    if (kind_of(honest, pack, bytes.size()) == "data") bytes.clear();
  };
  lies.have = [](std::vector<bool>& there) { there.assign(there.size(), true); };
  return lies;
}

}  // namespace

const AttackTable& record_attacks() {
  static const AttackTable all = {
      {"newer-record-suite",
       [] { return alter_newest_record([](circle::Record& record) { record.suite = 2; }); }},
      {"newer-record",
       [] {
         return forged_snapshot(
             [](circle::Record& record) { record.kind = circle::RecordKind{6}; });
       }},
      {"ghost-snapshot", [] { return forged_snapshot(kNothing); }},
      {"ghost-snapshot-by-itself",
       [] { return forged_snapshot([](circle::Record& record) { record.signer = ghost().id; }); }},
      {"ghost-forget",
       [] {
         return forged_snapshot([](circle::Record& record) {
           record.kind = circle::RecordKind::kForget;
           record.snapshot.reset();
           for (std::uint64_t n = 1; n < record.n; ++n) record.forgets.push_back(n);
         });
       }},
      {"ghost-prune",
       [] {
         return forged_snapshot([](circle::Record& record) {
           record.kind = circle::RecordKind::kPrune;
           record.dropped.push_back(*record.snapshot);
           record.snapshot.reset();
         });
       }},
      {"repeated-snapshot", repeated_snapshot},
      {"records-of-another-vault", records_of_another_vault},
      {"time-of-a-snapshot",
       [] { return alter_newest_record([](circle::Record& record) { record.time_ms -= 1000; }); }},
      {"signer-of-a-snapshot",
       [] {
         return alter_newest_record([](circle::Record& record) { record.signer = ghost().id; });
       }},
      {"root-of-a-snapshot",
       [] {
         return alter_newest_record([](circle::Record& record) { record.snapshot->bytes[0] ^= 1; });
       }},
      {"pack-of-another-snapshot", pack_of_another_snapshot},
      {"without-newest-snapshot", without_newest_record},
      {"without-middle-snapshot", without_middle_record},
      {"hidden-when-taken", hidden_when_taken},
      {"lost-but-denied", lost_but_denied},
  };
  return all;
}

}  // namespace holdfast::hostile
