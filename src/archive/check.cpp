#include "archive/check.h"

#include <algorithm>

namespace holdfast::archive {
namespace {

std::string shown(const PackId& id) { return "pack " + id.hex().substr(0, 16); }

// The slight bias of 2^64 does not matter here.
std::size_t random_below(std::size_t size) {
  std::array<std::uint8_t, 8> bytes{};
  crypto::random_fill(bytes);
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return static_cast<std::size_t>(value % size);
}

// Packs in random order, until they have that much of the bytes of all, or a little more: a share
// of a small vault is never nothing.
std::set<std::uint32_t> chosen_packs(const Catalog& catalog, unsigned percent) {
  std::uint64_t left = 0;
  std::vector<std::uint32_t> order(catalog.pack_count());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    order[i] = i;
    left += catalog.pack_at(i).size();
  }
  left = left / 100 * percent + left % 100 * percent / 100;
  std::set<std::uint32_t> chosen;
  for (std::size_t i = order.size(); i > 0 && (left > 0 || percent >= 100); --i) {
    std::swap(order[random_below(i)], order[i - 1]);
    chosen.insert(order[i - 1]);
    left -= std::min<std::uint64_t>(left, catalog.pack_at(order[i - 1]).size());
  }
  return chosen;
}

Result<void> check_frame(const OpenPack& pack, std::size_t number, const std::string& name,
                         ChunkNames& names) {
  const Bytes raw = TRY(pack.frame(number));
  std::size_t at = 0;
  for (const ChunkInfo& chunk : pack.header().frames[number].chunks) {
    if (!names.fits(chunk.id, static_cast<std::uint8_t>(chunk.type),
                    BytesView(raw).subspan(at, chunk.length)))
      return Error{Code::kCorrupt, name + " holds other bytes than its header says"};
    at += chunk.length;
  }
  return Ok{};
}

// One sound object is enough; why the first is not, where none is.
Result<void> check_pack(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
                        std::uint32_t number, Progress& progress) {
  const PackEntry& entry = catalog.pack_at(number);
  const auto header = TRY(catalog.header(number));
  std::optional<Error> why;
  for (const PackObject& object : entry.objects) {
    const auto sound = check_object(cache, access, entry, header, object, progress);
    if (sound.ok() || sound.error().code == Code::kUnavailable) return sound;
    if (!why) why = sound.error();
  }
  return *why;
}

// Whether each point of a guide is where an entry of that path begins.
class GuideCheck {
 public:
  GuideCheck(ChunkReader& chunks, const VaultAccess& access, const Snapshot& snapshot) {
    auto guide = Guide::read(chunks, access, snapshot);
    sound_ = guide.ok();
    if (sound_) guide_ = std::move(guide).value();
  }
  void pass(const EntryReader& entry) {
    if (next_ == guide_.points().size()) return;
    const GuidePoint& point = guide_.points()[next_];
    if (entry.offset() < point.offset) return;
    sound_ = sound_ && entry.offset() == point.offset && joined(entry.path()) == point.path;
    ++next_;
  }
  bool is_sound() const { return sound_ && next_ == guide_.points().size(); }

 private:
  Guide guide_;
  std::size_t next_ = 0;
  bool sound_ = false;
};

}  // namespace

Result<void> check_object(PackCache& cache, const VaultAccess& access, const PackEntry& entry,
                          const std::optional<PackHeader>& indexed, const PackObject& object,
                          Progress& progress) {
  const std::string name = shown(entry.id);
  const SealedBytes inner =
      TRY(read_object(cache, access, entry.id, object, Fetch::kSealed, &progress));
  if (PackId(crypto::sha256(inner.bytes).bytes) != entry.id)
    return Error{Code::kCorrupt,
                 name + " in the store is damaged: its bytes are not what its name says"};
  const OpenPack pack = TRY(
      OpenPack::open(access.circle, access.vault, entry.id, inner.key, object.kind, inner.bytes));
  if (indexed && wire::encode(pack.header()) != wire::encode(*indexed))
    return Error{Code::kCorrupt, name + " does not hold what the index says"};
  ChunkNames names(access);
  for (std::size_t i = 0; i < pack.header().frames.size(); ++i)
    TRY(check_frame(pack, i, name, names));
  return Ok{};
}

Result<PackCheck> check_packs(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
                              unsigned percent, Progress& progress, Findings& findings) {
  PackCheck check;
  const auto missing = TRY(missing_packs(cache, catalog));
  for (const std::uint32_t number : missing) {
    check.damaged.insert(number);
    const std::string name = shown(catalog.pack_at(number).id);
    if (TRY(catalog.is_replaced(number))) {
      findings.notes.push_back({name, "the store lost it; a later backup sent its content again"});
    } else {
      findings.problems.push_back({name, "it is missing from the store"});
    }
  }
  for (const std::uint32_t i : chosen_packs(catalog, percent)) {
    if (check.damaged.contains(i)) continue;
    const PackEntry& entry = catalog.pack_at(i);
    const std::uint64_t before = progress.stored_bytes;
    const auto sound = check_pack(cache, access, catalog, i, progress);
    if (!sound.ok() && sound.error().code == Code::kUnavailable) return sound.error();
    check.bytes += progress.stored_bytes - before;
    if (progress.stored_bytes > before) ++check.read;
    if (sound.ok()) continue;
    check.damaged.insert(i);
    findings.problems.push_back({shown(entry.id), sound.error().message});
  }
  return check;
}

Result<void> check_content(ChunkReader& chunks, const VaultAccess& access, const Catalog& catalog,
                           const Entry& entry, const std::set<std::uint32_t>& damaged) {
  ExtentReader extents(chunks, access, entry.content);
  std::uint64_t size = 0;
  while (const auto extent = TRY(extents.next())) {
    size += extent->length;
    if (!extent->chunk) continue;
    const auto place = catalog.find(*extent->chunk);
    TRY(catalog.check_local_index());
    if (!place) return Error{Code::kCorrupt, "a part of its content is missing from the vault"};
    if (damaged.contains(place->pack))
      return Error{Code::kCorrupt, "a part of its content lies in " +
                                       shown(catalog.pack_at(place->pack).id) +
                                       ", which is damaged or missing"};
    if (place->type != ChunkType::kData || place->length != extent->length)
      return Error{Code::kCorrupt, "a part of its content is not what the snapshot says"};
  }
  if (size != entry.size) return Error{Code::kCorrupt, "its content is not as long as its size"};
  return Ok{};
}

Result<void> check_tree(PackCache& cache, const VaultAccess& access, const Catalog& catalog,
                        const Snapshot& snapshot, const std::set<std::uint32_t>& damaged,
                        Findings& findings) {
  ChunkReader chunks(cache, access, catalog);
  EntryReader entries(chunks, access, snapshot.tree);
  GuideCheck guide(chunks, access, snapshot);
  while (const auto entry = TRY(entries.next())) {
    guide.pass(entries);
    if (entry->kind != EntryKind::kFile) continue;
    const auto sound = check_content(chunks, access, catalog, *entry, damaged);
    if (sound.ok()) continue;
    if (sound.error().code == Code::kUnavailable) return sound;
    findings.problems.push_back({path_text(entries.path()), sound.error().message});
  }
  if (!guide.is_sound())
    findings.problems.push_back(
        {"the guide to the list of files",
         "it is damaged or lies: files are found by reading all of the list"});
  return Ok{};
}

}  // namespace holdfast::archive
