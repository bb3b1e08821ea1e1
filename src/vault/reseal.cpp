// Packs that existed while a former reader could read, sealed again under fresh keys.
// docs/decisions/0015-reseal.md
#include <chrono>
#include <thread>

#include "crypto/hash.h"
#include "vault/exposure.h"
#include "vault/journal.h"
#include "vault/rekey.h"

namespace holdfast::vault {
namespace {

// No more than so many bytes a second, on average since it began.
class Pace {
 public:
  explicit Pace(std::uint64_t bytes_per_second)
      : rate_(bytes_per_second), start_(std::chrono::steady_clock::now()) {}
  void sent(std::uint64_t bytes) {
    sent_ += bytes;
    if (rate_ == 0) return;
    const std::chrono::duration<double> due(static_cast<double>(sent_) /
                                            static_cast<double>(rate_));
    std::this_thread::sleep_until(
        start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
  }

 private:
  const std::uint64_t rate_;  // 0: as fast as it goes
  const std::chrono::steady_clock::time_point start_;
  std::uint64_t sent_ = 0;
};

class Resealer {
 public:
  Resealer(Account::State& account, VaultData data, const Account::ResealOptions& options,
           archive::Progress& progress)
      : account_(account),
        data_(std::move(data)),
        options_(options),
        progress_(progress),
        safe_(epoch_without_former_readers(account.circle(), data_.vault.id)),
        dropped_(account.replica.dropped()),
        journal_(account.home, data_.vault.id),
        pace_(options.bytes_per_second) {}

  Result<Account::ResealReport> run() {
    const std::vector<std::uint32_t> exposed = find_exposed();
    TRY(resume(exposed));
    for (const std::uint32_t number : exposed) {
      if (done_.contains(number)) continue;
      if (options_.until_bytes > 0 && report_.bytes >= options_.until_bytes) break;
      TRY(reseal(number));
      if (batch_.size() >= options_.commit_packs) TRY(commit());
    }
    if (!batch_.empty() || has_old_tables(data_)) TRY(commit());
    return std::move(report_);
  }

 private:
  std::vector<std::uint32_t> find_exposed() {
    std::vector<std::uint32_t> exposed;
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < data_.catalog.pack_count(); ++i) {
      const archive::PackEntry& pack = data_.catalog.pack_at(i);
      if (!is_exposed(pack, safe_, dropped_)) continue;
      exposed.push_back(i);
      bytes += pack.size();
    }
    progress_.total_files = exposed.size();
    progress_.total_bytes = bytes;
    return exposed;
  }

  // What was sent before this device was stopped. Which of several objects was read then is not
  // known any more: such a pack is sealed once more.
  Result<void> resume(const std::vector<std::uint32_t>& exposed) {
    auto journal = TRY(read_journal(account_.home, data_.vault.id, Way::kReseal));
    std::vector<PackId> sent;
    for (const OnItsWay& entry : journal) sent.push_back(entry.object.name);
    const auto missing = TRY(archive::absent_packs(data_.cache.session(), sent));
    const std::set<PackId> absent(missing.begin(), missing.end());
    for (OnItsWay& entry : journal) {
      const auto number = data_.catalog.pack_number(entry.pack);
      if (!number || !std::ranges::binary_search(exposed, *number) || done_.contains(*number))
        continue;
      const archive::PackEntry& pack = data_.catalog.pack_at(*number);
      const PackId& name = entry.object.name;
      const archive::PackObject& old = pack.objects.front();
      if (entry.object.epoch < safe_ || absent.contains(name) || dropped_.contains(name) ||
          pack.objects.size() != 1 || old.kind != entry.object.kind)
        continue;
      add({pack.id, {old.name}, {old.name}, archive::is_index(pack), std::move(entry.object)},
          *number);
      ++report_.resumed_packs;
    }
    return Ok{};
  }

  void add(Resealed one, std::uint32_t number) {
    const std::uint64_t size = data_.catalog.pack_at(number).size();
    batch_.push_back(std::move(one));
    done_.insert(number);
    ++report_.packs;
    report_.bytes += size;
    ++progress_.files;
    progress_.bytes += size;
  }

  // What cannot be read is damage for a check to find; the others do not wait for it.
  Result<void> reseal(std::uint32_t number) {
    const archive::PackEntry& pack = data_.catalog.pack_at(number);
    Resealed one{pack.id, {}, {}, false, std::nullopt};
    const auto inner = read_pack(pack, one);
    if (!inner.ok()) return skip(pack, inner.error());
    if (one.is_index) {
      TRY(send_index(pack, *inner, one));
    } else {
      auto envelope = archive::seal_envelope(data_.access, pack.id, inner->sealed);
      // As large as a pack may be: an envelope is larger. No device makes such packs.
      if (!envelope.ok()) return skip(pack, envelope.error());
      TRY(send_envelope(pack, inner->kind, std::move(envelope).value(), one));
    }
    add(std::move(one), number);
    return Ok{};
  }
  Result<void> skip(const archive::PackEntry& pack, const Error& why) {
    if (why.code == Code::kUnavailable) return why;
    ++report_.skipped;
    report_.findings.problems.push_back({"pack " + pack.id.hex().substr(0, 16), why.message, true});
    return Ok{};
  }

  struct Inner {
    archive::SealedBytes sealed;
    archive::PackKind kind;  // of the object that opened; what others say is anybody's word
  };
  // Of several objects each is read: one that is not this pack may be another's, and stays.
  Result<Inner> read_pack(const archive::PackEntry& pack, Resealed& one) {
    std::optional<Inner> inner;
    std::optional<Error> why;
    for (const archive::PackObject& object : pack.objects) {
      one.seen.push_back(object.name);
      auto sealed = read_one(pack, object);
      if (!sealed.ok() && sealed.error().code == Code::kUnavailable) return sealed.error();
      if (sealed.ok()) one.opened.push_back(object.name);
      if (!sealed.ok() && !why) why = sealed.error();
      if (sealed.ok() && !inner) inner = Inner{std::move(sealed).value(), object.kind};
    }
    if (!inner) return *why;
    one.is_index = archive::is_index(pack);
    return *std::move(inner);
  }
  Result<archive::SealedBytes> read_one(const archive::PackEntry& pack,
                                        const archive::PackObject& object) {
    const auto fetch =
        object.kind == archive::PackKind::kData ? archive::Fetch::kSealed : archive::Fetch::kKept;
    auto sealed = TRY(archive::read_object(data_.cache, data_.access, pack.id, object, fetch));
    if (PackId(crypto::sha256(sealed.bytes).bytes) != pack.id)
      return Error{Code::kCorrupt, "its bytes are not what its name says"};
    TRY(archive::OpenPack::open(data_.access.circle, data_.access.vault, pack.id, sealed.key,
                                object.kind, sealed.bytes));
    return sealed;
  }

  Result<void> send_envelope(const archive::PackEntry& pack, archive::PackKind kind,
                             archive::SealedEnvelope envelope, Resealed& one) {
    archive::PackObject object{envelope.object, std::move(envelope.key), kind,
                               static_cast<std::uint32_t>(envelope.bytes.size()),
                               data_.access.epoch};
    archive::PackHeader header;  // is inside, and the vault's indexes have it
    header.kind = kind;
    TRY(send(pack.id, object, header, envelope.bytes));
    one.object = std::move(object);
    return Ok{};
  }
  // Records name indexes, and drop none that they name: it is written as a pack of its own.
  Result<void> send_index(const archive::PackEntry& pack, const Inner& inner, Resealed& one) {
    const auto& listed = data_.newest()->index_segments;
    if (std::ranges::find(listed, pack.id) == listed.end()) return Ok{};
    const auto open =
        TRY(archive::OpenPack::open(data_.access.circle, data_.access.vault, pack.id,
                                    inner.sealed.key, inner.kind, inner.sealed.bytes));
    auto sealed = open.seal_again(data_.access.circle, data_.access.vault);
    archive::PackObject object = archive::object_of(sealed, data_.access.epoch);
    TRY(send(pack.id, object, sealed.header, sealed.bytes));
    one.object = std::move(object);
    return Ok{};
  }
  Result<void> send(const PackId& pack, const archive::PackObject& object,
                    const archive::PackHeader& header, BytesView bytes) {
    TRY(archive::note_pack(journal_, pack, object, header));
    TRY(data_.cache.session().put_pack(object.name, bytes));
    if (object.kind != archive::PackKind::kData) data_.cache.keep(object.name, bytes);
    progress_.stored_bytes += bytes.size();
    report_.stored_bytes += bytes.size();
    pace_.sent(bytes.size());
    return Ok{};
  }

  Result<void> commit() {
    const TablesWritten written = TRY(write_tables(account_, data_, batch_));
    ++report_.records;
    report_.stored_bytes += written.bytes;
    batch_.clear();
    return clear_journal(account_.home, data_.vault.id, Way::kReseal);
  }

  Account::State& account_;
  VaultData data_;
  const Account::ResealOptions& options_;
  archive::Progress& progress_;
  const std::uint32_t safe_;
  const std::set<PackId> dropped_;
  HomeJournal journal_;
  Pace pace_;
  std::vector<Resealed> batch_;   // sent, and not in the tables yet
  std::set<std::uint32_t> done_;  // numbers in the catalog
  Account::ResealReport report_;
};

}  // namespace

Result<Account::ResealReport> Account::reseal(const ResealOptions& options,
                                              archive::Progress& progress) {
  TRY(state_->check_sends());
  TRY(check_nothing_left_out(*this, options.vault));
  archive::Findings findings;
  VaultData data = TRY(open_vault(*state_, options.vault, findings, Places::kNone));
  if (data.newest() == nullptr) return ResealReport{};
  auto report = TRY(Resealer(*state_, std::move(data), options, progress).run());
  report.findings.problems.insert(report.findings.problems.begin(), findings.problems.begin(),
                                  findings.problems.end());
  report.left = TRY(exposure(options.vault));
  return report;
}

}  // namespace holdfast::vault
