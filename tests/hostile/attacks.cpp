#include "hostile/attacks.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "circle/vault_chain.h"
#include "crypto/hash.h"
#include "hostile/log_attacks.h"
#include "keys/envelopes.h"
#include "support/circle_maker.h"
#include "vault/format.h"

namespace holdfast::hostile {
namespace {

using circle::BlobKind;
using circle::BlobSlot;
using circle::Circle;
using Honest = Lies::Honest;
using Page = std::vector<Bytes>;

// For lies that read an honest account: it is there, or the test is wrong.
template <class T>
T sure(Result<T> result) {
  HF_CHECK(result.ok());
  return std::move(result).value();
}

// ---- what the service knows ----

// Reads pages until one brings nothing new.
template <class Read>
Page read_all(const Read& read, std::uint64_t first) {
  Page all;
  for (;;) {
    Page page = sure(read(first + all.size()));
    if (page.empty()) return all;
    for (Bytes& item : page) all.push_back(std::move(item));
  }
}

struct Place {
  std::uint32_t epoch = 0;
  BlobSlot slot;
};

std::optional<Place> place_of(const Circle& circle, const BlobId& blob) {
  for (const circle::Epoch& epoch : circle.epochs())
    for (const auto& [slot, id] : epoch.blobs)
      if (id == blob) return Place{epoch.number, slot};
  return std::nullopt;
}

circle::Record record_in(const Bytes& signed_record) {
  const auto outer = sure(wire::decode<circle::SignedRecord>(signed_record));
  return sure(wire::decode<circle::Record>(outer.record));
}

std::vector<circle::VaultHead> heads_of(Honest& honest, const Circle& circle) {
  std::vector<circle::VaultHead> heads;
  for (const circle::Vault& vault : circle.vaults()) {
    circle::ChainTip tip;
    for (const Bytes& record : records_of(honest, vault.id))
      tip = sure(circle::extend(circle, vault.id, tip, record)).tip;
    heads.push_back({vault.id, tip.n, tip.head});
  }
  return heads;
}

constexpr std::size_t kNames = 64 * 1024;  // in tests, contents are more

// What the service can tell of a pack: key segments, indexes and snapshots stand in records.
std::string_view kind_of(Honest& honest, const PackId& pack, std::size_t size) {
  const Circle circle = circle_of(honest);
  for (const circle::Vault& vault : circle.vaults()) {
    for (const Bytes& bytes : records_of(honest, vault.id)) {
      const circle::Record record = record_in(bytes);
      if (record.snapshot == pack) return "snapshot";
      if (std::ranges::count(record.index_segments, pack) > 0) return "index";
      for (const circle::KeySegmentRef& ref : record.key_segments)
        if (ref.object == pack) return "key-segment";
    }
  }
  return size < kNames ? "names" : "data";
}

// Another pack of the account: the snapshot of its oldest record, or for that one of its newest.
Bytes another_pack(Honest& honest, const PackId& pack) {
  std::vector<PackId> known;
  const Circle circle = circle_of(honest);
  for (const circle::Vault& vault : circle.vaults())
    for (const Bytes& bytes : records_of(honest, vault.id))
      if (const auto snapshot = record_in(bytes).snapshot) known.push_back(*snapshot);
  for (const PackId& id : known)
    if (id != pack) return sure(honest.get_pack(id));
  return {};
}

// ---- bytes ----

Bytes another_blob(Honest& honest, const BlobId& blob) {
  const Circle circle = circle_of(honest);
  for (const circle::Epoch& epoch : circle.epochs())
    for (const auto& [slot, id] : epoch.blobs)
      if (id != blob) return sure(honest.get_blob(id));
  return {};
}

// A random source that several threads share.
struct Dice {
  explicit Dice(std::uint64_t seed) : random(seed) {}
  Bytes mutate(std::string_view how, const Bytes& bytes, const Bytes& other) {
    const std::lock_guard lock(mutex);
    return hostile::mutate(how, bytes, other, random);
  }
  std::mutex mutex;
  Random random;
};

// Lists of statements or records: whole items change places, or each is altered.
void mutate_page(std::string_view how, Page& page, Dice& dice) {
  if (page.empty()) return;
  if (how == "empty") return page.clear();
  if (how == "cut") return page.pop_back();
  if (how == "repeat") return page.push_back(page.back());
  if (how == "reorder" && page.size() > 1) return std::swap(page.front(), page.back());
  const Bytes first = page.front();
  for (std::size_t i = 0; i < page.size(); ++i)
    page[i] = how == "other" && i > 0 ? first : dice.mutate(how, page[i], page.back());
}

Lies mutation(std::string_view how_name, std::string_view what_name, std::uint64_t seed) {
  const std::string how(how_name);
  const std::string what(what_name);
  const auto dice = std::make_shared<Dice>(seed);
  Lies lies;
  if (what == "statement") {
    lies.circle = [=](Honest&, std::uint64_t, Page& page) { mutate_page(how, page, *dice); };
  } else if (what == "record") {
    lies.records = [=](Honest&, const VaultId&, std::uint64_t, Page& page) {
      mutate_page(how, page, *dice);
    };
  } else if (what == "envelope" || what == "sealed-key") {
    lies.blob = [=](Honest& honest, const BlobId& blob, Bytes& bytes) {
      const auto place = place_of(circle_of(honest), blob);
      const bool envelope = place && place->slot.kind == BlobKind::kRoot;
      if (envelope == (what == "envelope"))
        bytes = dice->mutate(how, bytes, another_blob(honest, blob));
    };
  } else {
    lies.pack = [=](Honest& honest, const PackId& pack, Bytes& bytes) {
      if (kind_of(honest, pack, bytes.size()) == what)
        bytes = dice->mutate(how, bytes, another_pack(honest, pack));
    };
  }
  return lies;
}

// ---- key material: one sealed key for another ----

// `choose` says which key is shown instead of the one at a place; nullopt: the right one.
using Choose = std::function<std::optional<Place>(const Circle& circle, const Place& asked)>;

Lies show_key(Choose choose) {
  Lies lies;
  lies.blob = [choose = std::move(choose)](Honest& honest, const BlobId& blob, Bytes& bytes) {
    const Circle circle = circle_of(honest);
    const auto asked = place_of(circle, blob);
    if (!asked) return;
    const auto shown = choose(circle, *asked);
    if (!shown) return;
    bytes = sure(honest.get_blob(sure(circle.blob(shown->epoch, shown->slot))));
  };
  return lies;
}

Lies envelope_of_another_reader() {
  return show_key([](const Circle& circle, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != BlobKind::kRoot) return std::nullopt;
    for (const auto& [slot, id] : circle.epochs()[asked.epoch - 1].blobs)
      if (slot.kind == BlobKind::kRoot && slot.reader != asked.slot.reader)
        return Place{asked.epoch, slot};
    return std::nullopt;
  });
}

Lies key_of_another_epoch(BlobKind kind) {
  return show_key([kind](const Circle& circle, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != kind) return std::nullopt;
    for (const circle::Epoch& epoch : circle.epochs())
      if (epoch.number != asked.epoch && epoch.blobs.contains(asked.slot))
        return Place{epoch.number, asked.slot};
    return std::nullopt;
  });
}

Lies key_of_another_vault(BlobKind kind) {
  return show_key([kind](const Circle& circle, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != kind) return std::nullopt;
    for (const circle::Vault& vault : circle.vaults())
      if (vault.id != asked.slot.vault) return Place{asked.epoch, {kind, {}, vault.id}};
    return std::nullopt;
  });
}

Lies key_of_another_kind(BlobKind asked_for, BlobKind shown) {
  return show_key([=](const Circle&, const Place& asked) -> std::optional<Place> {
    if (asked.slot.kind != asked_for) return std::nullopt;
    return Place{asked.epoch, {shown, {}, asked.slot.vault}};
  });
}

// A root of the service's own, wrapped to whoever asks, as MEGA's server could hand out keys.
Lies root_of_its_own() {
  Lies lies;
  lies.blob = [](Honest& honest, const BlobId& blob, Bytes& bytes) {
    const Circle circle = circle_of(honest);
    const auto asked = place_of(circle, blob);
    if (!asked || asked->slot.kind != BlobKind::kRoot) return;
    const circle::Device* const device = circle.device(asked->slot.reader);
    const auto& key = device != nullptr ? device->info.wrap_key : circle.recovery()->info.wrap_key;
    bytes = sure(keys::wrap_root(keys::RootKey::random(), {circle.id(), asked->epoch, {}}, {key}));
  };
  return lies;
}

// ---- statements, altered or forged ----

using Alter = std::function<void(circle::Statement& statement)>;

Bytes altered(const Bytes& signed_statement, const Alter& alter) {
  auto outer = sure(wire::decode<circle::SignedStatement>(signed_statement));
  auto statement = sure(wire::decode<circle::Statement>(outer.statement));
  alter(statement);
  outer.statement = wire::encode(statement);
  return wire::encode(outer);
}

template <class Body>
void alter_body(circle::Statement& statement, const std::function<void(Body&)>& alter) {
  auto body = sure(wire::decode<Body>(statement.body));
  alter(body);
  statement.body = wire::encode(body);
}

// Every statement of a type.
Lies alter_statements(circle::StatementType type, Alter alter) {
  Lies lies;
  lies.circle = [=, alter = std::move(alter)](Honest&, std::uint64_t, Page& page) {
    for (Bytes& item : page)
      item = altered(item, [&](circle::Statement& statement) {
        if (statement.type == type) alter(statement);
      });
  };
  return lies;
}

template <class Body>
Lies alter_bodies(circle::StatementType type, std::function<void(Body&)> alter) {
  return alter_statements(type, [alter = std::move(alter)](circle::Statement& statement) {
    alter_body<Body>(statement, alter);
  });
}

// One more statement, signed by the service's own key in the name of the first member.
using Forge = std::function<circle::Draft(Honest& honest, const Circle& circle)>;

const testkit::TestDevice& ghost() {
  static const testkit::TestDevice made = testkit::make_device("ghost");
  return made;
}

circle::Draft next_draft(const Circle& circle, circle::StatementType type, Bytes body) {
  return {circle.id(), circle.seq() + 1,        circle.head(),  testkit::kTestTime,
          type,        circle.members()[0]->id, std::move(body)};
}

circle::EpochInfo standing_epoch(Honest& honest, const Circle& circle, std::size_t blobs) {
  circle::EpochInfo info;
  info.epoch = circle.epoch();
  info.check = circle.epochs().back().check;
  for (std::size_t i = 0; i < blobs; ++i)
    info.blobs.push_back(BlobId(crypto::sha256(wire::encode_array("forged", i)).bytes));
  for (const circle::VaultHead& head : heads_of(honest, circle)) info.vault_heads.push_back(head);
  return info;
}

Lies forge_statement(Forge forge) {
  Lies lies;
  lies.circle = [forge = std::move(forge)](Honest& honest, std::uint64_t from, Page& page) {
    const Circle circle = circle_of(honest);
    if (from + page.size() != circle.seq() + 1) return;  // not the last page
    const circle::Draft draft = forge(honest, circle);
    page.push_back(wire::encode(circle::sign_statement(draft, *ghost().key)));
  };
  return lies;
}

circle::Draft ghost_admission(Honest& honest, const Circle& circle) {
  circle::Admit body;
  body.device = ghost().info;
  body.request = crypto::sha256(as_bytes("a request that nobody made"));
  body.countersignature = ghost().key->sign(
      circle::kAdmissionLabel, circle::admission_bytes(circle.id(), body.request, ghost().id));
  body.epoch = standing_epoch(honest, circle, 1);
  return next_draft(circle, circle::StatementType::kAdmit, wire::encode(body));
}

circle::Draft ghost_admission_by_itself(Honest& honest, const Circle& circle) {
  circle::Draft draft = ghost_admission(honest, circle);
  draft.signer = ghost().id;
  return draft;
}

circle::Draft ghost_vault(Honest& honest, const Circle& circle) {
  circle::SetVault body;
  body.vault = testkit::vault_id("planted");
  body.name = "planted";
  body.epoch = standing_epoch(honest, circle, 3);
  return next_draft(circle, circle::StatementType::kSetVault, wire::encode(body));
}

circle::Draft ghost_recovery(Honest& honest, const Circle& circle) {
  circle::SetRecovery body;
  body.recovery = testkit::make_recovery("ghost").info;
  body.epoch = standing_epoch(honest, circle, 1);
  ++body.epoch.epoch;
  return next_draft(circle, circle::StatementType::kSetRecovery, wire::encode(body));
}

circle::Draft ghost_rotation(Honest& honest, const Circle& circle) {
  const std::size_t blobs =
      circle::epoch_slots(circle.vaults(), circle.readers(), circle.vault_readers()).size();
  circle::Rotate body{standing_epoch(honest, circle, blobs)};
  ++body.epoch.epoch;
  return next_draft(circle, circle::StatementType::kRotate, wire::encode(body));
}

// A statement of a type that is reserved for later versions.
circle::Draft newer_statement(Honest&, const Circle& circle) {
  return next_draft(circle, circle::StatementType::kGrantWeb, {0x80});
}

Lies newer_suite() {
  Lies lies;
  lies.circle = [](Honest& honest, std::uint64_t from, Page& page) {
    const Circle circle = circle_of(honest);
    if (from + page.size() != circle.seq() + 1) return;
    const auto draft = next_draft(circle, circle::StatementType::kSetRegion, {});
    const Bytes bytes = wire::encode(circle::sign_statement(draft, *ghost().key));
    page.push_back(altered(bytes, [](circle::Statement& statement) { statement.suite = 2; }));
  };
  return lies;
}

// The label is text inside: the same length, so that only the version differs.
Bytes older_label(Bytes bytes) {
  const std::string_view label = "holdfast/v1/";
  const auto at = std::search(bytes.begin(), bytes.end(), label.begin(), label.end());
  if (at != bytes.end()) at[10] = '0';
  return bytes;
}

Lies older_format() {
  Lies lies;
  lies.circle = [](Honest& honest, std::uint64_t from, Page& page) {
    const Circle circle = circle_of(honest);
    if (from + page.size() != circle.seq() + 1) return;
    const auto draft = next_draft(circle, circle::StatementType::kSetRegion, {});
    page.push_back(older_label(wire::encode(circle::sign_statement(draft, *ghost().key))));
  };
  return lies;
}

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

Lies without_newest_statement() {
  Lies lies;
  lies.circle = [](Honest& honest, std::uint64_t from, Page& page) {
    if (from + page.size() == circle_of(honest).seq() + 1 && !page.empty()) page.pop_back();
  };
  return lies;
}

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

// ---- admission ----

// An account of the service's own, in which it holds every key. `person`: a recovery key that it
// has seen in the real account stands in it, capsule and all.
Page own_account(const std::optional<circle::RecoveryInfo>& person) {
  testkit::CircleMaker maker(ghost());
  if (person) {
    circle::SetRecovery body;
    body.recovery = *person;
    body.epoch = maker.same_epoch(circle::reader_slots(circle::reader_id(*person)));
    maker.append(body, ghost());
  }
  return maker.statements();
}

void show_from(const Page& all, std::uint64_t from, Page& page) {
  page.assign(all.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(from, all.size())),
              all.end());
}

// The same account each time it is asked for.
Lies show_account(std::function<Page(Honest&)> make) {
  struct Made {
    std::mutex mutex;
    Page all;
  };
  Lies lies;
  lies.circle = [make = std::move(make), made = std::make_shared<Made>()](
                    Honest& honest, std::uint64_t from, Page& page) {
    const std::lock_guard lock(made->mutex);
    if (made->all.empty()) made->all = make(honest);
    show_from(made->all, from, page);
  };
  return lies;
}

Lies account_of_its_own() {
  return show_account([](Honest&) { return own_account(std::nullopt); });
}

// Devices that have a past ask from its end on; they are told the truth.
Lies account_of_its_own_to_newcomers() {
  Lies lies = account_of_its_own();
  lies.circle = [lie = lies.circle](Honest& honest, std::uint64_t from, Page& page) {
    if (from == 0) lie(honest, from, page);
  };
  return lies;
}

Lies account_around_the_recovery_key() {
  return show_account(
      [](Honest& honest) { return own_account(circle_of(honest).recovery()->info); });
}

Bytes with_any_mac(Bytes body) {
  return wire::encode(vault::Authenticated{std::move(body), crypto::sha256(as_bytes("any"))});
}

// Alters a message of an admission that is there.
Lies alter_message(api::JoinMessage which, std::function<void(Bytes&)> alter) {
  Lies lies;
  lies.join = [=, alter = std::move(alter)](const Lies::Join& join, Result<Bytes>& message) {
    if (join.second != which || !message.ok()) return;
    Bytes bytes = std::move(message).value();
    alter(bytes);
    message = std::move(bytes);
  };
  return lies;
}

// The service's own keys in the place of the new device's.
void with_ghost_keys(Bytes& bytes) {
  auto outer = sure(wire::decode<vault::Authenticated>(bytes));
  auto request = sure(wire::decode<vault::JoinRequest>(outer.body));
  request.device.verify_key = ghost().info.verify_key;
  request.device.wrap_key = ghost().info.wrap_key;
  outer.body = wire::encode(request);
  bytes = wire::encode(outer);
}

// "This is your circle": one that the service made.
void with_own_circle(Bytes& bytes) {
  auto answer =
      sure(wire::decode<vault::JoinAnswer>(sure(wire::decode<vault::Authenticated>(bytes)).body));
  answer.circle = testkit::CircleMaker(ghost()).circle().id();
  bytes = with_any_mac(wire::encode(answer));
}

Lies other_admission() {
  Lies lies;
  lies.admission = [](Result<api::Visitor::Admitted>& admitted) {
    if (!admitted.ok()) return;
    auto shown = std::move(admitted).value();
    shown.mac[0] ^= 1;
    admitted = std::move(shown);
  };
  return lies;
}

// Keeps all messages of admissions, takes no answer to them, and shows them again for ever.
struct Kept {
  std::mutex mutex;
  std::map<Lies::Join, Bytes> messages;
};

Lies replayed_admission() {
  const auto kept = std::make_shared<Kept>();
  Lies lies;
  lies.keeps_joins = true;
  lies.ignore_join = [kept](const Lies::Join& join, BytesView message) {
    const std::lock_guard lock(kept->mutex);
    return !kept->messages.try_emplace(join, to_bytes(message)).second;
  };
  lies.join = [kept](const Lies::Join& join, Result<Bytes>& message) {
    const std::lock_guard lock(kept->mutex);
    const auto known = kept->messages.find(join);
    if (known != kept->messages.end()) message = Bytes(known->second);
  };
  lies.joins = [kept](std::vector<RequestId>& requests) {
    const std::lock_guard lock(kept->mutex);
    for (const auto& [join, bytes] : kept->messages)
      if (std::ranges::count(requests, join.first) == 0) requests.push_back(join.first);
  };
  return lies;
}

// The same request under a new id each time it is asked for, so that no count of tries holds.
Lies renamed_requests() {
  const auto kept = std::make_shared<Kept>();
  const auto real = std::make_shared<std::map<RequestId, RequestId>>();
  Lies lies;
  lies.joins = [=](std::vector<RequestId>& requests) {
    const std::lock_guard lock(kept->mutex);
    for (RequestId& request : requests) {
      const Digest name = crypto::sha256(wire::encode_array(request, real->size()));
      const RequestId shown = *RequestId::from(name.view().first(RequestId::kSize));
      real->emplace(shown, request);
      request = shown;
    }
  };
  lies.ignore_join = [=](const Lies::Join& join, BytesView message) {
    const std::lock_guard lock(kept->mutex);
    kept->messages.try_emplace(join, to_bytes(message));
    return false;
  };
  lies.join = [=](const Lies::Join& join, Result<Bytes>& message) {
    const std::lock_guard lock(kept->mutex);
    const auto request = real->find(join.first);
    if (request == real->end()) return;
    const auto known = kept->messages.find({request->second, join.second});
    if (known != kept->messages.end()) message = Bytes(known->second);
  };
  return lies;
}

// From its turn on it takes every change, and says that it did not.
std::optional<Lies> taken_but_denied(std::string_view code_spelled) {
  for (const Code code : {Code::kNotFound, Code::kDenied, Code::kInvalid, Code::kCorrupt,
                          Code::kConflict, Code::kUnavailable, Code::kUnsafe}) {
    if (code_name(code) != code_spelled) continue;
    Lies lies;
    lies.receipt = [code](Result<api::Receipt>& receipt) {
      if (receipt.ok() && turned()) receipt = Error{code, "the service does not take that"};
    };
    return lies;
  }
  return std::nullopt;
}

// ---- the table ----

using circle::StatementType;
const auto kNothing = [](auto&) {};

const std::map<std::string_view, std::function<Lies()>>& table() {
  static const std::map<std::string_view, std::function<Lies()>> all = {
      {"honest", [] { return Lies{}; }},
      // key material
      {"envelope-of-another-reader", envelope_of_another_reader},
      {"envelope-of-another-epoch", [] { return key_of_another_epoch(BlobKind::kRoot); }},
      {"vault-key-of-another-epoch", [] { return key_of_another_epoch(BlobKind::kVaultKey); }},
      {"vault-key-of-another-vault", [] { return key_of_another_vault(BlobKind::kVaultKey); }},
      {"link-of-another-vault", [] { return key_of_another_vault(BlobKind::kVaultLink); }},
      {"naming-key-of-another-vault", [] { return key_of_another_vault(BlobKind::kNaming); }},
      {"cutting-key-of-another-vault", [] { return key_of_another_vault(BlobKind::kCutting); }},
      {"naming-key-for-vault-key",
       [] { return key_of_another_kind(BlobKind::kVaultKey, BlobKind::kNaming); }},
      {"root-of-its-own", root_of_its_own},
      {"epoch-check",
       [] {
         return alter_bodies<circle::Rotate>(
             StatementType::kRotate, [](circle::Rotate& body) { body.epoch.check.bytes[0] ^= 1; });
       }},
      {"epoch-envelopes",
       [] {
         return alter_bodies<circle::Rotate>(StatementType::kRotate, [](circle::Rotate& body) {
           std::swap(body.epoch.blobs[1], body.epoch.blobs[2]);
         });
       }},
      {"device-key",
       [] {
         return alter_bodies<circle::Admit>(StatementType::kAdmit, [](circle::Admit& body) {
           body.device.wrap_key = ghost().info.wrap_key;
         });
       }},
      // downgrade
      {"newer-suite", newer_suite},
      {"older-format", older_format},
      {"newer-statement", [] { return forge_statement(newer_statement); }},
      {"newer-record-suite",
       [] { return alter_newest_record([](circle::Record& record) { record.suite = 2; }); }},
      {"newer-record",
       [] {
         return forged_snapshot(
             [](circle::Record& record) { record.kind = circle::RecordKind{6}; });
       }},
      // injection
      {"ghost-device", [] { return forge_statement(ghost_admission); }},
      {"ghost-device-by-itself", [] { return forge_statement(ghost_admission_by_itself); }},
      {"ghost-vault", [] { return forge_statement(ghost_vault); }},
      {"ghost-recovery-key", [] { return forge_statement(ghost_recovery); }},
      {"ghost-epoch", [] { return forge_statement(ghost_rotation); }},
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
      {"account-of-its-own", account_of_its_own},
      {"account-of-its-own-to-newcomers", account_of_its_own_to_newcomers},
      {"account-around-the-recovery-key", account_around_the_recovery_key},
      {"answer-of-its-own",
       [] { return alter_message(api::JoinMessage::kAnswer, with_own_circle); }},
      {"request-with-its-keys",
       [] { return alter_message(api::JoinMessage::kRequest, with_ghost_keys); }},
      {"other-admission", other_admission},
      // metadata
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
      {"name-of-a-device",
       [] {
         return alter_bodies<circle::Admit>(StatementType::kAdmit, [](circle::Admit& body) {
           body.device.name = "laptop of mine";
         });
       }},
      {"name-of-a-vault",
       [] {
         return alter_bodies<circle::SetVault>(StatementType::kSetVault,
                                               [](circle::SetVault& body) { body.name = "other"; });
       }},
      // rollback
      {"without-newest-statement", without_newest_statement},
      {"without-newest-snapshot", without_newest_record},
      {"without-middle-snapshot", without_middle_record},
      {"hidden-when-taken", hidden_when_taken},
      {"lost-but-denied", lost_but_denied},
      // guessing
      {"replayed-admission", replayed_admission},
      {"renamed-requests", renamed_requests},
  };
  return all;
}

std::size_t below(Random& random, std::size_t end) {
  return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
}

Bytes reordered(Bytes bytes, Random& random) {
  const std::size_t block = std::max<std::size_t>(1, std::min<std::size_t>(16, bytes.size() / 2));
  for (int tries = 0; tries < 64; ++tries) {
    const std::size_t a = below(random, bytes.size() - block + 1);
    const std::size_t b = below(random, bytes.size() - block + 1);
    if (std::max(a, b) - std::min(a, b) < block) continue;
    const Bytes before = bytes;
    std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(a),
                     bytes.begin() + static_cast<std::ptrdiff_t>(a + block),
                     bytes.begin() + static_cast<std::ptrdiff_t>(b));
    if (bytes != before) return bytes;
  }
  bytes.back() ^= 1;
  return bytes;
}

}  // namespace

std::vector<Bytes> statements_of(api::Session& honest) {
  return read_all([&](std::uint64_t from) { return honest.read_circle(from); }, 0);
}

// Replaying verifies signatures, and lies ask often: what was replayed is kept.
circle::Circle circle_of(api::Session& honest) {
  static std::mutex mutex;
  static std::map<Digest, Circle> known;
  const Page all = statements_of(honest);
  HF_CHECK(!all.empty());
  const std::lock_guard lock(mutex);
  const Digest head = circle::statement_head(all.back());
  if (const auto found = known.find(head); found != known.end()) return found->second;
  std::optional<Circle> circle;
  for (const Bytes& statement : all)
    circle = sure(circle ? circle->apply(statement) : Circle::start(statement));
  return known.emplace(head, *std::move(circle)).first->second;
}

std::vector<Bytes> records_of(api::Session& honest, const VaultId& vault) {
  return read_all([&](std::uint64_t from) { return honest.read_records(vault, from); }, 1);
}

Bytes mutate(std::string_view how, const Bytes& bytes, const Bytes& other, Random& random) {
  if (bytes.empty()) return bytes;
  Bytes out = bytes;
  if (how == "flip") {
    out[below(random, out.size())] ^= static_cast<std::uint8_t>(1U << below(random, 8));
  } else if (how == "cut") {
    out.resize(below(random, out.size()));
  } else if (how == "empty") {
    out.clear();
  } else if (how == "extend") {
    out.push_back(static_cast<std::uint8_t>(below(random, 256)));
  } else if (how == "repeat") {
    append(out, bytes);
  } else if (how == "reorder") {
    out = reordered(std::move(out), random);
  } else if (how == "splice" && other != bytes && !other.empty()) {
    const std::size_t at = below(random, std::min(out.size(), other.size()));
    out.resize(at);
    append(out, BytesView(other).subspan(at));
  } else {
    out = other;
  }
  // By chance nothing changed.
  if (out == bytes) out.back() ^= 1;
  return out;
}

std::optional<Lies> attack(std::string_view name, std::uint64_t seed) {
  for (const auto* all : {&table(), &log_attacks()})
    if (const auto found = all->find(name); found != all->end()) return found->second();
  const auto colon = name.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view how = name.substr(0, colon);
  const std::string_view what = name.substr(colon + 1);
  if (how == "taken-but") return taken_but_denied(what);
  if (std::ranges::count(kMutations, how) == 0 || std::ranges::count(kObjects, what) == 0)
    return std::nullopt;
  return mutation(how, what, seed);
}

std::vector<std::string> attack_names() {
  std::vector<std::string> names;
  for (const auto* all : {&table(), &log_attacks()})
    for (const auto& [name, make] : *all) names.emplace_back(name);
  return names;
}

}  // namespace holdfast::hostile
