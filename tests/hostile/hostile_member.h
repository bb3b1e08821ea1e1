// A device of the account in the hands of someone else: it has all keys and signs as a member, and
// writes snapshots that no honest device would. Test-only.
#pragma once

#include "archive/packer.h"
#include "crypto/hash.h"
#include "crypto/seal.h"
#include "support/journey.h"
#include "vault/ages.h"
#include "vault/rekey.h"
#include "vault/vault_data.h"

namespace holdfast::hostile {

class NoJournal final : public archive::PackJournal {
 public:
  Result<void> add(const PackId&, BytesView) override { return Ok{}; }
};

class HostileMember {
 public:
  HostileMember(vault::Home& home, api::Store& store, const Clock& clock,
                const std::string& vault = "main")
      : state_{home, store, clock, vault::signing_key(home.device_key()), replica(home, store)},
        data_(open(vault)),
        chunker_(*data_.access.cutting),
        packer_(data_.cache, data_.access, data_.catalog, journal_, progress_),
        files_(packer_, chunker_, archive::ChunkType::kData),
        names_(packer_, chunker_, archive::ChunkType::kManifest) {}

  const archive::VaultAccess& access() const { return data_.access; }
  ChunkId chunk_id(archive::ChunkType type, BytesView plain) const {
    return ChunkId(
        crypto::Mac(*access().naming).compute(static_cast<std::uint8_t>(type), plain).bytes);
  }

  // Stores it as a file's content is stored.
  archive::Content content(BytesView bytes) {
    must_do(files_.write(bytes));
    return must(files_.finish());
  }
  // The next entry of the manifest, whatever it says.
  void entry(const archive::Entry& entry) { must_do(names_.write(wire::encode(entry))); }
  void file(std::uint32_t depth, std::string_view name, std::string_view text) {
    archive::Entry made = named(depth, name, archive::EntryKind::kFile);
    made.size = text.size();
    made.content = content(as_bytes(text));
    entry(made);
  }
  void directory(std::uint32_t depth, std::string_view name) {
    entry(named(depth, name, archive::EntryKind::kDirectory));
  }
  void symlink(std::uint32_t depth, std::string_view name, std::string_view target) {
    archive::Entry made = named(depth, name, archive::EntryKind::kSymlink);
    made.target = to_bytes(as_bytes(target));
    entry(made);
  }

  static archive::Entry named(std::uint32_t depth, std::string_view name, archive::EntryKind kind) {
    archive::Entry made;
    made.depth = depth;
    made.name = to_bytes(as_bytes(name));
    made.kind = kind;
    made.mode = kind == archive::EntryKind::kDirectory ? 0755 : 0644;
    made.uid = ::geteuid();
    made.gid = ::getegid();
    made.links = 1;
    return made;
  }

  // A pack with one frame that says of itself what it likes.
  void pack(archive::PackKind kind, const archive::FrameInfo& frame, BytesView compressed) {
    archive::PackBuilder builder(kind);
    builder.add(frame, compressed);
    store(std::move(builder).seal(access().circle, access().vault));
  }
  // One of nothing but padding, for which an envelope would be larger than a pack may be.
  void largest_pack() {
    std::size_t size = archive::kMaxPack;
    archive::SealedPack made = padded_pack(size);
    while (made.bytes.size() > archive::kMaxPack) {
      size -= made.bytes.size() - archive::kMaxPack;
      made = padded_pack(size);
    }
    store(std::move(made));
  }
  // An index that says what it likes of a pack that is there.
  void index(archive::IndexSegment segment) { index_.push_back(std::move(segment)); }

  // The snapshot of these entries, or of another tree, is committed.
  void commit(const std::optional<archive::Content>& tree = std::nullopt) {
    archive::Snapshot root;
    root.device = "nas";
    root.roots = {to_bytes(as_bytes("/"))};
    root.tree = must(names_.finish());
    if (tree) root.tree = *tree;
    for (const PackId& id : must(packer_.finish())) packs_.push_back(id);
    circle::Record record = next_record();
    for (archive::SealedPack& made : index_packs())
      record.index_segments.push_back(store(std::move(made)));
    record.snapshot = store(archive::make_single_pack(
        access(), archive::PackKind::kSnapshot, archive::ChunkType::kSnapshot, wire::encode(root)));
    std::vector<std::uint32_t> numbers;
    for (const PackId& id : packs_) numbers.push_back(*data_.catalog.pack_number(id));
    const auto written =
        must(archive::write_key_segments(data_.cache, access(), data_.catalog, numbers));
    for (const archive::SegmentRef& ref : written.refs)
      record.key_segments.push_back({ref.object, ref.epoch});
    const Bytes bytes = circle::sign_record(record, state_.signing);
    must(session().append_record(record.vault, bytes));
  }

  // ---- a thief, who takes away ----

  // A record of its own making after the newest one, signed.
  using Alter = std::function<void(circle::Record&)>;
  Bytes make_record(const Alter& alter) {
    must_do(state_.sync());
    circle::Record record = next_record();
    alter(record);
    return circle::sign_record(record, state_.signing);
  }
  Result<api::Receipt> send_record(const Bytes& record) {
    return session().append_record(data_.vault.id, record);
  }
  void record(const Alter& alter) { must(send_record(make_record(alter))); }
  void forget_everything() {
    record([](circle::Record& record) {
      record.kind = circle::RecordKind::kForget;
      for (std::uint64_t n = 1; n < record.n; ++n) record.forgets.push_back(n);
    });
  }
  // With all that would be needed to find it again.
  void drop_everything() { drop(everything()); }
  // A snapshot like any other, after which the vault lists nothing.
  void list_nothing() {
    record([](circle::Record& record) {
      record.snapshot = PackId{};
      record.key_segments.clear();
      record.index_segments.clear();
    });
  }
  void drop(std::vector<PackId> packs) {
    record([&](circle::Record& record) {
      record.kind = circle::RecordKind::kPrune;
      record.key_segments.clear();
      record.index_segments.clear();
      record.dropped = std::move(packs);
    });
  }
  // What the vault lists now.
  const circle::LinkedRecord& newest() {
    must_do(state_.sync());
    return *data_.newest();
  }
  // An object that is there and opens under no key of the vault.
  PackId noise(BytesView bytes) {
    const PackId id(crypto::sha256(bytes).bytes);
    must_do(session().put_pack(id, bytes));
    return id;
  }
  // Of the keys of the whole vault, again; and an index of all its packs, with its key.
  circle::KeySegmentRef key_segment() { return write_keys(all_packs()); }
  struct IndexAgain {
    PackId index;
    circle::KeySegmentRef key;
  };
  IndexAgain index_again() {
    auto made = must(archive::make_index_packs(access(), data_.catalog, all_packs()));
    const PackId id = store(std::move(made.at(0)));
    return {id, write_keys({*data_.catalog.pack_number(id)})};
  }
  // All that the vault has: contents, names, indexes, snapshots and key segments.
  std::vector<PackId> everything() {
    std::vector<PackId> all;
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i)
      for (const archive::PackObject& object : data_.catalog.pack_at(i).objects)
        all.push_back(object.name);
    for (const auto& ref : data_.newest()->key_segments) all.push_back(ref.object);
    all.insert(all.end(), data_.newest()->index_segments.begin(),
               data_.newest()->index_segments.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  // ---- who says that it wrote the tables anew ----

  void rekey_honestly() { must(vault::write_tables(state_, data_, {})); }
  enum class FalseTables { kMissingObjects, kSwappedObjects, kWrongKeys, kNoise, kOtherKind };
  // The number of its record, which drops the objects that were.
  std::uint64_t rekey_falsely(FalseTables lie) {
    std::set<PackId> dropped;
    const circle::KeySegmentRef ref = false_table(lie, dropped);
    for (const auto& old : data_.newest()->key_segments) dropped.insert(old.object);
    record([&](circle::Record& record) {
      record.kind = circle::RecordKind::kRekey;
      record.key_segments = {ref};
      record.dropped = {dropped.begin(), dropped.end()};
    });
    return newest().tip.n;
  }
  // Of one pack alone.
  std::uint64_t rekey_falsely_of_one(FalseTables lie) {
    only_ = first_content();
    const std::uint64_t n = rekey_falsely(lie);
    only_.reset();
    return n;
  }
  // In front of those that are true, all of which stay listed. Four count for a pack.
  void list_false_tables_first(FalseTables lie, std::size_t tables) {
    std::vector<circle::KeySegmentRef> first;
    std::set<PackId> ignored;
    while (first.size() < tables) first.push_back(false_table(lie, ignored));
    record([&](circle::Record& record) {
      record.kind = circle::RecordKind::kRekey;
      record.key_segments.insert(record.key_segments.begin(), first.begin(), first.end());
    });
  }
  // A table of all packs that claims their keys were first sealed for `epoch`.
  circle::KeySegmentRef table_of_epoch(std::uint32_t epoch) {
    archive::Catalog tables;
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i) {
      archive::PackObject object = archive::copy_of(data_.catalog.pack_at(i).objects.front());
      object.epoch = epoch;
      tables.add(data_.catalog.pack_at(i).id, std::move(object), std::nullopt);
    }
    return write_keys(tables);
  }
  // The keys that it holds now, of all that the vault has.
  std::vector<archive::PackKeyEntry> all_keys() const {
    std::vector<archive::PackKeyEntry> all;
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i)
      for (const archive::PackObject& object : data_.catalog.pack_at(i).objects)
        all.push_back(archive::key_entry(data_.catalog.pack_at(i).id, object));
    return all;
  }
  // The first index to speak of the packs with contents says that other chunks are in them.
  void list_false_places() {
    archive::IndexSegment segment;
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i) {
      const archive::PackEntry& pack = data_.catalog.pack_at(i);
      if (!pack.may_be(archive::PackKind::kData)) continue;
      archive::PackHeader header = *must(data_.catalog.header(i));
      for (archive::FrameInfo& frame : header.frames)
        for (archive::ChunkInfo& chunk : frame.chunks) crypto::random_fill(chunk.id.bytes);
      segment.packs.push_back({pack.id, std::move(header)});
    }
    const PackId index = store(archive::make_single_pack(
        access(), archive::PackKind::kIndex, archive::ChunkType::kIndex, wire::encode(segment)));
    const circle::KeySegmentRef key = write_keys({*data_.catalog.pack_number(index)});
    record([&](circle::Record& record) {
      record.kind = circle::RecordKind::kRekey;
      record.index_segments.insert(record.index_segments.begin(), index);
      record.key_segments.push_back(key);
    });
  }
  // A table of these keys, whatever they are of.
  void list_keys(const std::vector<archive::PackKeyEntry>& entries) {
    archive::Catalog tables;
    for (const archive::PackKeyEntry& entry : entries)
      tables.add(entry.pack, archive::object_of(entry), std::nullopt);
    const circle::KeySegmentRef key = write_keys(tables);
    record([&](circle::Record& record) {
      record.kind = circle::RecordKind::kRekey;
      record.key_segments.push_back(key);
    });
  }

 private:
  // Of all packs; also names the objects that it does not list.
  circle::KeySegmentRef false_table(FalseTables lie, std::set<PackId>& left_out) {
    archive::Catalog tables;
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i) {
      const archive::PackEntry& pack = data_.catalog.pack_at(i);
      const bool is_index = pack.objects.front().kind == archive::PackKind::kIndex;
      archive::PackObject object = archive::copy_of(pack.objects.front());
      if (lie == FalseTables::kOtherKind || (!is_index && i == only_.value_or(i)))
        object = false_object(i, std::move(object), lie);
      if (object.name != pack.objects.front().name) left_out.insert(pack.objects.front().name);
      tables.add(pack.id, std::move(object), std::nullopt);
    }
    return write_keys(tables);
  }
  archive::SealedPack padded_pack(std::size_t size) const {
    archive::PackHeader header;
    header.kind = archive::PackKind::kData;
    const Bytes encoded = wire::encode(header);
    Bytes plain = {0, 0, 0, static_cast<std::uint8_t>(encoded.size())};
    append(plain, encoded);
    plain.resize(size);
    auto key = keys::PackKey::random();
    Bytes sealed = crypto::seal(key,
                                wire::encode_array("holdfast/v1/pack", access().circle,
                                                   access().vault, archive::PackKind::kData),
                                plain);
    const PackId id(crypto::sha256(sealed).bytes);
    return {id, std::move(key), std::move(header), std::move(sealed)};
  }
  std::uint32_t first_content() const {
    std::uint32_t i = 0;
    while (data_.catalog.pack_at(i).objects.front().kind != archive::PackKind::kData) ++i;
    return i;
  }
  archive::PackObject false_object(std::uint32_t pack, archive::PackObject object,
                                   FalseTables lie) {
    switch (lie) {
      case FalseTables::kMissingObjects: crypto::random_fill(object.name.bytes); break;
      case FalseTables::kSwappedObjects: {
        const auto other = (pack + 1) % static_cast<std::uint32_t>(data_.catalog.pack_count());
        return archive::copy_of(data_.catalog.pack_at(other).objects.front());
      }
      case FalseTables::kWrongKeys: object.key = keys::PackKey::random(); break;
      case FalseTables::kNoise:
        object.name = noise(as_bytes("noise " + std::to_string(pack)));
        break;
      case FalseTables::kOtherKind:
        object.kind = object.kind == archive::PackKind::kIndex ? archive::PackKind::kData
                                                               : archive::PackKind::kIndex;
        break;
    }
    return object;
  }
  static vault::Replica replica(vault::Home& home, api::Store& store) {
    const ReaderId self = circle::reader_id(vault::device_info(home.device_key(), ""));
    return {must(store.open_account(home.setting("account"), vault::caller(home.device_key()))),
            self, crypto::derive<crypto::WrapPurpose>(home.device_key()),
            must(vault::log_ages(home))};
  }
  vault::VaultData open(const std::string& vault) {
    must_do(state_.sync());
    archive::Findings findings;
    return must(vault::open_vault(state_, vault, findings));
  }
  api::Session& session() { return state_.replica.session(); }

  PackId store(archive::SealedPack made) {
    must_do(session().put_pack(made.id, made.bytes));
    const PackId id = made.id;
    archive::PackObject object = archive::object_of(made, access().epoch);
    data_.catalog.add(id, std::move(object), std::move(made.header));
    packs_.push_back(id);
    return id;
  }

  std::vector<std::uint32_t> all_packs() const {
    std::vector<std::uint32_t> all(data_.catalog.pack_count());
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    return all;
  }
  circle::KeySegmentRef write_keys(const archive::Catalog& tables) {
    std::vector<std::uint32_t> all(tables.pack_count());
    for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    const auto written = must(archive::write_key_segments(data_.cache, access(), tables, all));
    return {written.refs.at(0).object, written.refs.at(0).epoch};
  }
  circle::KeySegmentRef write_keys(const std::vector<std::uint32_t>& packs) {
    const auto written =
        must(archive::write_key_segments(data_.cache, access(), data_.catalog, packs));
    return {written.refs.at(0).object, written.refs.at(0).epoch};
  }

  std::vector<archive::SealedPack> index_packs() {
    std::vector<archive::SealedPack> made;
    for (const archive::IndexSegment& segment : index_)
      made.push_back(archive::make_single_pack(access(), archive::PackKind::kIndex,
                                               archive::ChunkType::kIndex, wire::encode(segment)));
    std::vector<std::uint32_t> numbers;
    for (const PackId& id : packs_) numbers.push_back(*data_.catalog.pack_number(id));
    for (auto& pack : must(archive::make_index_packs(access(), data_.catalog, numbers)))
      made.push_back(std::move(pack));
    return made;
  }

  circle::Record next_record() {
    circle::Record record;
    if (const circle::LinkedRecord* const newest = data_.newest()) {
      record.key_segments = newest->key_segments;
      record.index_segments = newest->index_segments;
    }
    record.circle = state_.circle().id();
    record.vault = data_.vault.id;
    record.n = data_.chain->tip.n + 1;
    record.prev = data_.chain->tip.head;
    record.circle_seq = state_.circle().seq();
    record.circle_head = state_.circle().head();
    record.epoch = state_.circle().epoch();
    record.time_ms = state_.clock.now();
    record.kind = circle::RecordKind::kSnapshot;
    record.signer = state_.replica.self();
    return record;
  }

  vault::Account::State state_;
  vault::VaultData data_;
  archive::Chunker chunker_;
  NoJournal journal_;
  archive::Progress progress_;
  archive::Packer packer_;
  archive::ContentWriter files_;
  archive::ContentWriter names_;
  std::vector<archive::IndexSegment> index_;
  std::vector<PackId> packs_;
  std::optional<std::uint32_t> only_;  // the one pack that tables lie about; none: all
};

}  // namespace holdfast::hostile
