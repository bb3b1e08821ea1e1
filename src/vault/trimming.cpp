#include "vault/trimming.h"

#include <algorithm>

namespace holdfast::vault {
namespace {

std::vector<std::uint32_t> all_of(const archive::Catalog& catalog) {
  std::vector<std::uint32_t> numbers(catalog.pack_count());
  for (std::uint32_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  return numbers;
}

}  // namespace

Result<void> Trimming::write(circle::Record& record) {
  TRY(write_indexes(record));
  gone_.insert(indexes_.begin(), indexes_.end());
  return write_tables(record);
}

Result<void> Trimming::write_indexes(circle::Record& record) {
  for (const PackId& id : data_.newest()->index_segments) {
    const auto number = data_.catalog.pack_number(id);
    std::optional<std::vector<std::uint32_t>> left;
    if (number && data_.catalog.has_read(id)) left = TRY(what_is_left(*number));
    if (left) {
      indexes_.insert(*number);
      TRY(write_index(data_.catalog, *left, record));
    } else {
      record.index_segments.push_back(id);
    }
  }
  return write_index(new_, all_of(new_), record);
}

// Numbers of the packs that an index names beside those that go; none: it names none of these.
Result<std::optional<std::vector<std::uint32_t>>> Trimming::what_is_left(std::uint32_t index) {
  const Bytes plain =
      TRY(archive::read_single_pack(data_.cache, data_.access, data_.catalog.pack_at(index)));
  const auto segment = TRY(wire::decode<archive::IndexSegment>(plain));
  std::vector<std::uint32_t> left;
  bool any_goes = false;
  for (const archive::PackIndex& one : segment.packs) {
    any_goes = any_goes || goes(one.pack);
    if (const auto number = data_.catalog.pack_number(one.pack); number && !goes(one.pack))
      left.push_back(*number);
  }
  if (!any_goes) return std::optional<std::vector<std::uint32_t>>();
  return std::optional(std::move(left));
}

Result<void> Trimming::write_index(const archive::Catalog& catalog,
                                   const std::vector<std::uint32_t>& packs,
                                   circle::Record& record) {
  auto made = TRY(archive::make_index_packs(data_.access, catalog, packs));
  for (archive::SealedPack& pack : made) {
    TRY(data_.cache.session().put_pack(pack.id, pack.bytes));
    data_.cache.keep(pack.id, pack.bytes);
    stored_bytes_ += pack.bytes.size();
    written_.insert(pack.id);
    record.index_segments.push_back(pack.id);
    const PackId id = pack.id;
    new_.add(id, archive::object_of(pack, data_.access.epoch), std::nullopt);
  }
  return Ok{};
}

Result<void> Trimming::write_tables(circle::Record& record) {
  for (const archive::SegmentRef& ref : segment_refs(*data_.newest())) {
    archive::Findings ignored;
    const auto table = TRY(archive::Catalog::load(data_.cache, data_.access, {ref}, {}, ignored));
    std::vector<std::uint32_t> left;
    for (std::uint32_t i = 0; i < table.pack_count(); ++i)
      if (!goes(table.pack_at(i).id)) left.push_back(i);
    if (!table.has_read(ref) || left.size() == table.pack_count()) {
      record.key_segments.push_back({ref.object, ref.epoch});
    } else {
      add(TRY(archive::write_key_segments(data_.cache, data_.access, table, left)), record);
      tables_.insert(ref.object);
    }
  }
  add(TRY(archive::write_key_segments(data_.cache, data_.access, new_, all_of(new_))), record);
  return Ok{};
}

void Trimming::add(const archive::WrittenSegments& written, circle::Record& record) {
  for (const archive::SegmentRef& ref : written.refs) {
    record.key_segments.push_back({ref.object, ref.epoch});
    written_.insert(ref.object);
  }
  stored_bytes_ += written.bytes;
}

bool Trimming::goes(const PackId& pack) const {
  const auto number = data_.catalog.pack_number(pack);
  return number && gone_.contains(*number);
}

}  // namespace holdfast::vault
