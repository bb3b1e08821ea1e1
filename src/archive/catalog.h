// What a vault holds: the packs with their keys, and in which pack each chunk lies. Read from the
// key and index segments that the vault's head names; an index that is damaged or missing is made
// again from the packs themselves.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <unordered_map>

#include "archive/envelope.h"
#include "archive/local_index.h"
#include "archive/pack.h"
#include "archive/pack_cache.h"
#include "archive/problem.h"
#include "archive/progress.h"

namespace holdfast::archive {

// A sealed key segment in the store.
struct SegmentRef {
  PackId object;
  std::uint32_t epoch = 0;
  bool operator==(const SegmentRef&) const = default;
};

// For messages.
std::string short_name(const PackId& id);

// An object of the store that holds a pack, and its key.
struct PackObject {
  PackId name;
  keys::PackKey key;
  PackKind kind{};
  std::uint32_t size = 0;
  std::uint32_t epoch = 0;  // PackKeyEntry
};
bool same_object(const PackObject& a, const PackObject& b);  // of name, key and kind
PackObject copy_of(const PackObject& object);

// At least one object. Nearly always it is one, which lies here itself: a large vault has hundreds
// of thousands of packs.
class PackObjects {
 public:
  PackObjects() = default;
  PackObjects(std::vector<PackObject> objects) {  // NOLINT: the same thing
    for (PackObject& object : objects) push_back(std::move(object));
  }
  void push_back(PackObject object);
  void clear();
  std::size_t size() const { return more_ ? more_->size() : one_.has_value(); }
  const PackObject* begin() const { return more_ ? more_->data() : one_ ? &*one_ : nullptr; }
  const PackObject* end() const { return begin() + size(); }
  const PackObject& front() const { return *begin(); }
  const PackObject& operator[](std::size_t i) const { return begin()[i]; }

 private:
  std::optional<PackObject> one_;
  std::unique_ptr<std::vector<PackObject>> more_;  // all of them, where they are several
};

// A pack by the name that indexes and records give it.
struct PackEntry {
  PackId id;
  // After an undo segments that stood at several times are listed together, and a thief may have
  // listed anything: the first that is there and opens counts.
  PackObjects objects;
  bool indexed = false;  // whether an index says what is in it: Catalog::header

  // Whether one of its objects is listed as of this kind, which it is only if it opens as that.
  bool may_be(PackKind kind) const;
  std::uint32_t size() const { return objects.front().size; }
};

// An index and nothing else: one object that a thief listed must not make a pack look like one.
bool is_index(const PackEntry& pack);

// A segment that could not be used, or an index that names packs without a key.
struct UnreadSegment {
  SegmentRef segment;  // of an index: epoch 0
  // kInvalid: a key segment whose bytes are as its name says, and no key of the vault opens them or
  // ever did. Otherwise what it holds may come back.
  Code why{};
};

// Whether packs are read where an index is damaged.
enum class Rebuild { kYes, kNo };

// Packs by name: 8 to 16 bytes for each.
class PackNumbers {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // `packs` has what the numbers stand for.
  std::uint32_t find(const std::deque<PackEntry>& packs, const PackId& id) const;
  // Of the last one of them, which is not known yet.
  void add(const std::deque<PackEntry>& packs);

 private:
  std::size_t slot_of(const PackId& id) const { return slot_for(hash_(id.bytes), slots_.size()); }

  TableHash hash_;
  std::vector<std::uint32_t> slots_;  // number + 1; 0: free
};

class Catalog {
 public:
  Catalog();
  Catalog(Catalog&&) noexcept;
  Catalog& operator=(Catalog&&) noexcept;
  ~Catalog();

  // Findings name every segment that could not be used; what they held is missing here, and a
  // backup sends it again.
  // Where the cache has a folder, a large index is read from the local index there, which is made
  // again where it is not of these segments; with Rebuild::kNo nothing is written.
  static Result<Catalog> load(PackCache& cache, const VaultAccess& access,
                              const std::vector<SegmentRef>& key_segments,
                              const std::vector<PackId>& index_segments, Findings& findings,
                              Rebuild rebuild = Rebuild::kYes);

  // Of several packs that hold a chunk the newest counts: it may have replaced one that was lost.
  // Safe from several threads while nobody adds.
  std::optional<ChunkPlace> find(const ChunkId& id) const;
  // What is in a pack, where an index says it. kUnavailable: the local index is damaged.
  Result<std::optional<PackHeader>> header(std::uint32_t pack) const;
  // kUnavailable where the local index turned out to be damaged, so that find() may not have found
  // what is there. It is put away: the next command makes it again.
  Result<void> check_local_index() const;
  const PackEntry& pack_at(std::uint32_t index) const { return packs_[index]; }
  std::size_t pack_count() const { return packs_.size(); }
  std::uint64_t chunk_count() const;  // some twice, where several packs hold them
  std::optional<std::uint32_t> pack_number(const PackId& id) const;
  // Of those that load() was given; all others are here as a whole.
  const std::vector<UnreadSegment>& unread() const { return unread_; }
  bool has_read(const SegmentRef& segment) const;
  bool has_read(const PackId& index) const { return has_read(SegmentRef{index}); }

  // Adds a pack; or to a known one another object, which comes last, and its header, if it has
  // none.
  void add(const PackId& id, PackObject object, std::optional<PackHeader> header);
  // The keys of a pack of another catalog, not what is in it.
  void add_keys_of(const PackEntry& entry);
  // Instead of all that it had.
  void replace_objects(std::uint32_t pack, PackObject object);
  // Numbers of the packs of which every object is one of these.
  std::vector<std::uint32_t> packs_within(const std::set<PackId>& objects) const;
  // Whether every chunk of it is found in a later pack: it was lost and sent again.
  Result<bool> is_replaced(std::uint32_t pack) const;
  // Forgets what the store says it no longer has, so that a backup sends it again.
  void leave_out(const std::vector<std::uint32_t>& packs);
  bool is_left_out(std::uint32_t pack) const {
    return !left_out_.empty() && left_out_.contains(pack);
  }

 private:
  friend class CatalogLoader;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Indexed {
    std::uint32_t row = kNone;       // in the local index
    std::uint32_t position = kNone;  // of its segment in the vault's list; kNone: after all of them
  };
  struct Base;

  void index(std::uint32_t pack, PackHeader header, std::uint32_t position);
  std::optional<ChunkPlace> find_in_base(const ChunkId& id) const;

  std::deque<PackEntry> packs_;
  std::deque<Indexed> indexed_;  // for each of packs_
  PackNumbers numbers_;
  std::unordered_map<std::uint32_t, PackHeader> headers_;  // that the local index has not
  ChunkTable chunks_;                                      // likewise
  std::unique_ptr<Base> base_;                             // the local index, if any
  std::vector<UnreadSegment> unread_;
  std::set<std::uint32_t> left_out_;
};

// Where an object is read from: the cache where it has it, or the store, for packs that are many.
enum class Fetch { kKept, kSealed };
// The pack as it was first sealed, from one of its objects. This is the one place where a pack
// becomes an object. `progress` counts stored bytes, where there is one.
Result<SealedBytes> read_object(PackCache& cache, const VaultAccess& access, const PackId& pack,
                                const PackObject& object, Fetch fetch,
                                Progress* progress = nullptr);
// From the first of its objects that is there and opens. kNotFound: the store has none of them.
Result<OpenPack> open_pack(PackCache& cache, const VaultAccess& access, const PackEntry& entry,
                           Fetch fetch, Progress* progress = nullptr);

// Why a key segment cannot be used, if so; `why` as above.
Result<void> check_key_segment(PackCache& cache, const VaultAccess& access, const SegmentRef& ref);

// Of these, the packs that the store says it does not have.
Result<std::vector<PackId>> absent_packs(api::Session& session, const std::vector<PackId>& packs);
// Numbers of the packs of which the store says that it has no object.
Result<std::vector<std::uint32_t>> missing_packs(PackCache& cache, const Catalog& catalog);

// The keys that a segment lists; the caller wipes them. `why` as above.
Result<KeySegment> read_key_segment(PackCache& cache, const VaultAccess& access,
                                    const SegmentRef& ref);
void wipe_keys(KeySegment& segment);

// ---- writing segments ----

struct WrittenSegments {
  std::vector<SegmentRef> refs;
  std::uint64_t bytes = 0;
};

// Seals the keys of `packs` (numbers in the catalog) for access.epoch and puts them in the store.
Result<WrittenSegments> write_key_segments(PackCache& cache, const VaultAccess& access,
                                           const Catalog& catalog,
                                           const std::vector<std::uint32_t>& packs);
// Packs of kind kIndex that say where the chunks of `packs` lie; the caller stores them.
Result<std::vector<SealedPack>> make_index_packs(const VaultAccess& access, const Catalog& catalog,
                                                 const std::vector<std::uint32_t>& packs);
// A pack with one chunk of its own.
SealedPack make_single_pack(const VaultAccess& access, PackKind kind, ChunkType type,
                            BytesView plain);
// That chunk; checks its type and id.
Result<Bytes> read_single_pack(PackCache& cache, const VaultAccess& access, const PackEntry& entry);

// ---- the journal of a backup ----

// A pack on its way: what a killed backup must know to go on.
struct JournalPack {
  PackKeyEntry entry;
  PackHeader header;
  static constexpr auto kFields = wire::fields(&JournalPack::entry, &JournalPack::header);
};
PackKeyEntry key_entry(const PackId& pack, const PackObject& object);
PackObject object_of(const PackKeyEntry& entry);
// Of a pack that was just sealed, whose key it takes.
PackObject object_of(SealedPack& pack, std::uint32_t epoch);

}  // namespace holdfast::archive
