#include "hostile/attacks.h"

#include <algorithm>
#include <mutex>

#include "crypto/hash.h"
#include "hostile/attack_parts.h"
#include "hostile/log_attacks.h"

namespace holdfast::hostile {
namespace {

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

constexpr std::size_t kNames = 64 * 1024;  // in tests, contents are more

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

// For reading only: how old something is was judged when it was taken in.
class AnyAge final : public circle::Ages {
 public:
  Result<void> check(BytesView, std::uint64_t, const Digest&, std::int64_t) const override {
    return Ok{};
  }
};

constexpr std::array kTables = {key_attacks,       statement_attacks, record_attacks,
                                admission_attacks, log_attacks,       level_attacks};

}  // namespace

// ---- what the service knows ----

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
    circle = sure(circle ? circle->apply(statement)
                         : Circle::start(statement, std::make_shared<const AnyAge>()));
  return known.emplace(head, *std::move(circle)).first->second;
}

std::vector<Bytes> records_of(api::Session& honest, const VaultId& vault) {
  return read_all([&](std::uint64_t from) { return honest.read_records(vault, from); }, 1);
}

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

// ---- what it makes ----

const testkit::TestDevice& ghost() {
  static const testkit::TestDevice made = testkit::make_device("ghost");
  return made;
}

circle::Draft next_draft(const Circle& circle, StatementType type, Bytes body) {
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

Lies add_statement(MakeStatement make) {
  Lies lies;
  lies.circle = [make = std::move(make)](Honest& honest, std::uint64_t from, Page& page) {
    const Circle circle = circle_of(honest);
    if (from + page.size() != circle.seq() + 1) return;  // not the last page
    page.push_back(make(honest, circle));
  };
  return lies;
}

Lies forge_statement(Forge forge) {
  return add_statement([forge = std::move(forge)](Honest& honest, const Circle& circle) {
    return wire::encode(circle::sign_statement(forge(honest, circle), *ghost().key));
  });
}

Bytes altered(const Bytes& signed_statement, const Alter& alter) {
  auto outer = sure(wire::decode<circle::SignedStatement>(signed_statement));
  auto statement = sure(wire::decode<circle::Statement>(outer.statement));
  alter(statement);
  outer.statement = wire::encode(statement);
  return wire::encode(outer);
}

// ---- finding a lie ----

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
  if (name == "honest") return Lies{};
  for (const auto table : kTables)
    if (const auto found = table().find(name); found != table().end()) return found->second();
  const auto colon = name.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view how = name.substr(0, colon);
  const std::string_view what = name.substr(colon + 1);
  if (how == "taken-but") return taken_but_denied(what);
  if (how == "level-by-fleet") return level_by_fleet(std::string(what));
  if (std::ranges::count(kMutations, how) == 0 || std::ranges::count(kObjects, what) == 0)
    return std::nullopt;
  return mutation(how, what, seed);
}

std::vector<std::string> attack_names() {
  std::vector<std::string> names = {"honest"};
  for (const auto table : kTables)
    for (const auto& [name, make] : table()) names.emplace_back(name);
  return names;
}

}  // namespace holdfast::hostile
