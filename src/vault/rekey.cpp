#include "vault/rekey.h"

#include <algorithm>

namespace holdfast::vault {
namespace {

class TableWriter {
 public:
  TableWriter(Account::State& account, VaultData& data, const std::vector<Resealed>& batch)
      : account_(account), data_(data), batch_(batch) {}

  Result<TablesWritten> run() {
    for (unsigned attempt = 0; attempt < kRebases; ++attempt) {
      TRY(read_newest_state());
      const circle::Record record = TRY(make_record());
      if (std::max(record.key_segments.size(), record.index_segments.size()) > circle::kMaxSegments)
        return account_.too_many_segments(data_.vault.id);
      if (!TRY(account_.append_record(record))) continue;
      TRY(account_.check_sends());
      data_.chain = &account_.replica.chain(data_.vault.id);
      return written_;
    }
    return Error{Code::kConflict, "other devices keep writing to this vault; try again"};
  }

 private:
  Result<void> read_newest_state() {
    TRY(account_.sync());
    TRY(account_.check_sends());
    const circle::Vault vault = *account_.circle().vault(data_.vault.id);
    if (account_.circle().epoch() != data_.access.epoch)
      data_.access = TRY(account_.replica.access(vault));
    data_.chain = &account_.replica.chain(vault.id);
    HF_CHECK(data_.newest() != nullptr);
    return Ok{};
  }

  // Tables that cannot be read stay listed: what they hold may come back.
  Result<circle::Record> make_record() {
    const circle::LinkedRecord newest = *data_.newest();
    const auto refs = segment_refs(newest);
    archive::Findings ignored;
    tables_ = TRY(archive::Catalog::load(data_.cache, data_.access, refs, {}, ignored));
    indexes_ = newest.index_segments;
    dropped_ = unused_;
    gone_.clear();
    for (const Resealed& one : batch_) apply(one);
    circle::Record record = account_.next_record(data_.vault.id, circle::RecordKind::kRekey);
    const auto written = TRY(write_entries());
    for (const archive::SegmentRef& ref : written.refs)
      record.key_segments.push_back({ref.object, ref.epoch});
    for (const archive::SegmentRef& ref : refs) {
      if (tables_->has_read(ref))
        dropped_.insert(ref.object);
      else
        record.key_segments.push_back({ref.object, ref.epoch});
    }
    record.index_segments = indexes_;
    TRY(list_dropped(record));
    for (const archive::SegmentRef& ref : written.refs) unused_.insert(ref.object);
    return record;
  }

  Result<archive::WrittenSegments> write_entries() {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < tables_->pack_count(); ++i)
      if (!gone_.contains(i)) numbers.push_back(i);
    auto written = TRY(archive::write_key_segments(data_.cache, data_.access, *tables_, numbers));
    written_.bytes += written.bytes;
    written_.entries = numbers.size();
    return written;
  }

  // Nothing that the tables or lists still name, whoever made them name it.
  Result<void> list_dropped(circle::Record& record) {
    for (std::uint32_t i = 0; i < tables_->pack_count(); ++i)
      if (!gone_.contains(i))
        for (const archive::PackObject& object : tables_->pack_at(i).objects)
          dropped_.erase(object.name);
    for (const circle::KeySegmentRef& ref : record.key_segments) dropped_.erase(ref.object);
    for (const PackId& id : indexes_) dropped_.erase(id);
    for (const auto& [pack, since] : data_.chain->state.dropped) dropped_.erase(pack);
    if (dropped_.size() > circle::kMaxDropped)
      return Error{Code::kInvalid, "more is to be dropped than one record can name"};
    record.dropped = {dropped_.begin(), dropped_.end()};
    written_.dropped = dropped_.size();
    return Ok{};
  }

  void apply(const Resealed& one) {
    const auto number = tables_->pack_number(one.pack);
    const auto listed = std::ranges::find(indexes_, one.pack);
    if (!number || !had_no_other(one, *number)) {
      drop_new(one);
    } else if (one.is_index && listed == indexes_.end()) {
      drop_new(one);
      leave(one, *number);
    } else if (one.is_index && one.object) {
      tables_->add(one.object->name, archive::copy_of(*one.object), std::nullopt);
      *listed = one.object->name;
      leave(one, *number);
    } else if (one.object) {
      tables_->replace_objects(*number, archive::copy_of(*one.object));
      dropped_.insert(one.opened.begin(), one.opened.end());
    }
  }
  void leave(const Resealed& one, std::uint32_t number) {
    gone_.insert(number);
    dropped_.insert(one.opened.begin(), one.opened.end());
  }
  void drop_new(const Resealed& one) {
    if (one.object) dropped_.insert(one.object->name);
  }
  // Another device may have sealed it again meanwhile.
  bool had_no_other(const Resealed& one, std::uint32_t number) const {
    return std::ranges::all_of(tables_->pack_at(number).objects,
                               [&](const archive::PackObject& object) {
                                 return std::ranges::find(one.seen, object.name) != one.seen.end();
                               });
  }

  Account::State& account_;
  VaultData& data_;
  const std::vector<Resealed>& batch_;
  TablesWritten written_;
  std::set<PackId> unused_;  // tables of attempts that came too late
  // Of the attempt that is being made.
  std::optional<archive::Catalog> tables_;
  std::vector<PackId> indexes_;
  std::set<PackId> dropped_;
  std::set<std::uint32_t> gone_;  // packs that the tables name no more
};

}  // namespace

Result<TablesWritten> write_tables(Account::State& account, VaultData& data,
                                   const std::vector<Resealed>& batch) {
  return TableWriter(account, data, batch).run();
}

bool has_old_tables(const VaultData& data) {
  return data.newest() != nullptr &&
         std::ranges::any_of(data.newest()->key_segments, [&](const circle::KeySegmentRef& ref) {
           return ref.epoch != data.access.epoch && data.catalog.has_read({ref.object, ref.epoch});
         });
}

Result<void> check_nothing_left_out(Account& account, const std::string& vault) {
  for (const Account::Loss& loss : TRY(account.losses()))
    if (loss.vault == vault && loss.unlisted + loss.unread > 0)
      return Error{
          Code::kInvalid,
          "since record " + std::to_string(loss.n) + " by \"" + loss.device +
              "\" the vault does not list all that it listed before: first holdfast undo " +
              std::to_string(loss.n)};
  return Ok{};
}

Result<Account::RekeyReport> Account::rekey(const std::string& vault) {
  TRY(state_->check_sends());
  TRY(check_nothing_left_out(*this, vault));
  archive::Findings findings;
  VaultData data = TRY(open_vault(*state_, vault, findings, Places::kNone));
  RekeyReport report;
  if (!has_old_tables(data)) return report;
  const TablesWritten written = TRY(write_tables(*state_, data, {}));
  report.written = true;
  report.entries = written.entries;
  report.stored_bytes = written.bytes;
  return report;
}

}  // namespace holdfast::vault
