#include "archive/catalog.h"

#include <algorithm>

#include "archive/catalog_base.h"
#include "crypto/hash.h"

namespace holdfast::archive {
namespace {

constexpr std::size_t kAsked = 1000;  // packs in one question to the store
// Of one pack. An undo lists two, or three where there were several thefts.
constexpr std::size_t kMaxObjects = 4;

}  // namespace

std::string short_name(const PackId& id) { return id.hex().substr(0, 16); }

bool same_object(const PackObject& a, const PackObject& b) {
  return a.name == b.name && a.kind == b.kind &&
         crypto::equal(crypto::expose(a.key), crypto::expose(b.key));
}

PackObject copy_of(const PackObject& object) {
  return {object.name, keys::PackKey::from_bytes(crypto::expose(object.key)), object.kind,
          object.size, object.epoch};
}

void PackObjects::push_back(PackObject object) {
  if (size() == 0) {
    one_ = std::move(object);
    return;
  }
  if (!more_) {
    more_ = std::make_unique<std::vector<PackObject>>();
    more_->push_back(*std::move(one_));
    one_.reset();
  }
  more_->push_back(std::move(object));
}

void PackObjects::clear() {
  one_.reset();
  more_.reset();
}

bool PackEntry::may_be(PackKind kind) const {
  return std::ranges::find(objects, kind, &PackObject::kind) != objects.end();
}

std::uint32_t PackNumbers::find(const std::deque<PackEntry>& packs, const PackId& id) const {
  if (slots_.empty()) return kNone;
  for (std::size_t at = slot_of(id); slots_[at] != 0; at = (at + 1) & (slots_.size() - 1))
    if (packs[slots_[at] - 1].id == id) return slots_[at] - 1;
  return kNone;
}

void PackNumbers::add(const std::deque<PackEntry>& packs) {
  const bool grows = slots_.size() < 2 * packs.size();
  if (grows) slots_.assign(std::max<std::size_t>(64, 2 * slots_.size()), 0);
  for (std::size_t number = grows ? 0 : packs.size() - 1; number < packs.size(); ++number) {
    std::size_t at = slot_of(packs[number].id);
    while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = static_cast<std::uint32_t>(number + 1);
  }
}

bool is_index(const PackEntry& pack) {
  return std::ranges::all_of(
      pack.objects, [](const PackObject& object) { return object.kind == PackKind::kIndex; });
}

Catalog::Catalog() = default;
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;
Catalog::~Catalog() = default;

std::optional<ChunkPlace> Catalog::find(const ChunkId& id) const {
  std::optional<ChunkPlace> found;
  if (const ChunkPlace* const place = chunks_.find(id);
      place != nullptr && !is_left_out(place->pack))
    found = *place;
  if (base_ == nullptr || (found && indexed_[found->pack].position > base_->last)) return found;
  const auto old = find_in_base(id);
  if (!old || is_left_out(old->pack)) return found;
  const bool older = found && indexed_[old->pack].position < indexed_[found->pack].position;
  return older ? found : old;
}

std::optional<ChunkPlace> Catalog::find_in_base(const ChunkId& id) const {
  auto place = base_->index.find(id);
  if (!place.ok()) base_->damaged = true;
  if (!place.ok() || !*place) return std::nullopt;
  (*place)->pack = base_->numbers[(*place)->pack];
  return *place;
}

Result<std::optional<PackHeader>> Catalog::header(std::uint32_t pack) const {
  if (const auto it = headers_.find(pack); it != headers_.end()) return std::optional(it->second);
  if (indexed_[pack].row == kNone) return std::optional<PackHeader>();
  return std::optional(TRY(base_->index.header(indexed_[pack].row)));
}

std::uint64_t Catalog::chunk_count() const {
  return chunks_.rows().size() + (base_ ? base_->index.chunks() : 0);
}

Result<void> Catalog::check_local_index() const {
  if (base_ == nullptr || !base_->damaged) return Ok{};
  return Error{Code::kUnavailable,
               "the local index of this vault is damaged and was put away; run the command again"};
}

std::optional<std::uint32_t> Catalog::pack_number(const PackId& id) const {
  const std::uint32_t number = numbers_.find(packs_, id);
  if (number == PackNumbers::kNone) return std::nullopt;
  return number;
}

Result<bool> Catalog::is_replaced(std::uint32_t pack) const {
  const auto header = TRY(this->header(pack));
  if (!header) return false;
  bool replaced = true;
  for_each_chunk(*header, pack, [&](const ChunkRow& chunk) {
    const auto place = find(chunk.id);
    replaced = replaced && place && place->pack != pack;
  });
  TRY(check_local_index());
  return replaced;
}

void Catalog::index(std::uint32_t pack, PackHeader header, std::uint32_t position) {
  for_each_chunk(header, pack, [&](const ChunkRow& row) { chunks_.put(row); });
  packs_[pack].indexed = true;
  indexed_[pack].position = position;
  headers_.insert_or_assign(pack, std::move(header));
}

void Catalog::add(const PackId& id, PackObject object, std::optional<PackHeader> header) {
  std::uint32_t number = numbers_.find(packs_, id);
  if (number == PackNumbers::kNone) {
    number = static_cast<std::uint32_t>(packs_.size());
    packs_.push_back({id, {}, false});
    indexed_.emplace_back();
    numbers_.add(packs_);
  }
  PackEntry& pack = packs_[number];
  const bool known = std::ranges::any_of(
      pack.objects, [&](const PackObject& one) { return same_object(one, object); });
  if (!known && pack.objects.size() < kMaxObjects) pack.objects.push_back(std::move(object));
  if (header && !pack.indexed) index(number, std::move(*header), kNone);
}

void Catalog::add_keys_of(const PackEntry& entry) {
  for (const PackObject& object : entry.objects) add(entry.id, copy_of(object), std::nullopt);
}

void Catalog::replace_objects(std::uint32_t pack, PackObject object) {
  packs_[pack].objects.clear();
  packs_[pack].objects.push_back(std::move(object));
}

std::vector<std::uint32_t> Catalog::packs_within(const std::set<PackId>& objects) const {
  std::vector<std::uint32_t> within;
  for (std::uint32_t i = 0; i < packs_.size() && !objects.empty(); ++i)
    if (std::ranges::all_of(packs_[i].objects,
                            [&](const PackObject& one) { return objects.contains(one.name); }))
      within.push_back(i);
  return within;
}

void Catalog::leave_out(const std::vector<std::uint32_t>& packs) {
  left_out_.insert(packs.begin(), packs.end());
}

Result<std::vector<PackId>> absent_packs(api::Session& session, const std::vector<PackId>& packs) {
  std::vector<PackId> absent;
  for (std::size_t from = 0; from < packs.size(); from += kAsked) {
    const std::size_t to = std::min(packs.size(), from + kAsked);
    const std::vector<PackId> asked(packs.begin() + static_cast<std::ptrdiff_t>(from),
                                    packs.begin() + static_cast<std::ptrdiff_t>(to));
    const auto there = TRY(session.have_packs(asked));
    for (std::size_t i = 0; i < asked.size(); ++i)
      if (i >= there.size() || !there[i]) absent.push_back(asked[i]);
  }
  return absent;
}

Result<std::vector<std::uint32_t>> missing_packs(PackCache& cache, const Catalog& catalog) {
  std::vector<PackId> asked;
  for (std::uint32_t i = 0; i < catalog.pack_count(); ++i)
    for (const PackObject& object : catalog.pack_at(i).objects) asked.push_back(object.name);
  const auto absent = TRY(absent_packs(cache.session(), asked));
  return catalog.packs_within({absent.begin(), absent.end()});
}

namespace {

Result<OpenPack> open_one(PackCache& cache, const VaultAccess& access, const PackEntry& entry,
                          const PackObject& object, Fetch fetch, Progress* progress) {
  const SealedBytes inner = TRY(read_object(cache, access, entry.id, object, fetch, progress));
  return OpenPack::open(access.circle, access.vault, entry.id, inner.key, object.kind, inner.bytes);
}

}  // namespace

Result<SealedBytes> read_object(PackCache& cache, const VaultAccess& access, const PackId& pack,
                                const PackObject& object, Fetch fetch, Progress* progress) {
  auto sealed =
      fetch == Fetch::kKept ? cache.get_named(object.name) : cache.get_sealed(object.name);
  if (!sealed.ok()) {
    Error error = std::move(sealed).error();
    if (error.code == Code::kNotFound) error.message = "it is missing from the store";
    return std::move(error).in("pack " + short_name(pack));
  }
  if (progress != nullptr) progress->stored_bytes += sealed->size();
  if (object.name != pack) return open_envelope(access, pack, object.key, *sealed);
  return SealedBytes{keys::PackKey::from_bytes(crypto::expose(object.key)),
                     std::move(sealed).value()};
}

Result<OpenPack> open_pack(PackCache& cache, const VaultAccess& access, const PackEntry& entry,
                           Fetch fetch, Progress* progress) {
  std::optional<Error> why;  // of the first one
  for (const PackObject& object : entry.objects) {
    auto pack = open_one(cache, access, entry, object, fetch, progress);
    if (pack.ok() || pack.error().code == Code::kUnavailable) return pack;
    if (!why) why = pack.error();
  }
  return *why;
}

}  // namespace holdfast::archive
