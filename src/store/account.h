// An account in a store: its circle and the chains of its vaults, each a list of files that only
// grows. The order of writes is what makes a crash harmless:
//
//   1. blobs, named by their hash. Left over after a crash, they are garbage that nothing names.
//   2. circle/<seq>, one file with the statement and the MAC of an admission: the commit.
//
// A record of a vault is one file, its packs were put before. There is no index beside these lists
// that could disagree with them: recovery capsules and admissions are found by replaying.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/doors.h"
#include "base/mutex.h"
#include "circle/vault_chain.h"
#include "store/files.h"
#include "store/format.h"

namespace holdfast::store {

// Who judges ages in an account whose genesis this is; nullptr: nobody.
using MakeAges = std::function<std::shared_ptr<const circle::Ages>(const std::string& account,
                                                                   BytesView genesis)>;

// Safe from several threads and beside other processes: each append takes the store's lock and
// judges by what then lies there, never by what it remembers alone.
class Account {
 public:
  Account(std::shared_ptr<Files> files, const std::string& name, MakeAges make_ages = {});

  Result<bool> exists();
  Result<api::Receipt> create(const api::Append& genesis);

  Result<std::vector<Bytes>> read_circle(std::uint64_t from);
  Result<api::Receipt> append(const api::Append& append);
  Result<Bytes> get_blob(const BlobId& blob);
  Result<api::Visitor::Admitted> get_admission(const RequestId& request);
  // nullopt: none stands.
  Result<std::optional<circle::RecoveryInfo>> recovery();
  // What a proposal that waits would bring.
  Result<std::optional<circle::RecoveryInfo>> proposed(std::uint64_t proposal);
  // A device, also a removed one, the standing recovery key, or an owner whom the provider helps;
  // nullopt: none of them.
  enum class Rights { kNone, kRead, kAll };
  struct Standing {
    crypto::VerifyKey key;
    Rights rights{};
  };
  Result<std::optional<Standing>> standing(const ReaderId& reader, std::int64_t now_ms);

  // What a log keeps of the account: heads of the statements from `from` on, and of every vault.
  Result<std::vector<Digest>> heads(std::uint64_t from);
  Result<std::vector<circle::VaultHead>> vault_heads();
  Result<CircleId> circle_id();
  Result<circle::Circle> circle();
  // What its members chose, as far as a service's policy asks.
  struct Chosen {
    circle::Level level{};
    std::string region;
  };
  Result<Chosen> chosen();

  Result<std::vector<Bytes>> read_records(const VaultId& vault, std::uint64_t from);
  Result<std::vector<TimeMs>> received(const VaultId& vault, std::uint64_t from);
  Result<api::Receipt> append_record(const VaultId& vault, BytesView record);

 private:
  struct Tip {
    circle::ChainTip chain;
    Digest file;  // SHA-256 of the newest file
  };
  // What was verified; all of it can be read again.
  struct Known {
    circle::Circle circle;
    Digest newest;  // SHA-256 of the newest entry's file
    std::map<RequestId, api::Visitor::Admitted> admissions;
    std::map<VaultId, Tip> tips;
  };

  Error absent() const;
  std::string statement_path(std::uint64_t seq) const;
  std::string record_path(const VaultId& vault, std::uint64_t n) const;

  Result<void> refresh() HF_REQUIRES(mutex_);
  Result<void> check_known() HF_REQUIRES(mutex_);
  Result<void> learn(std::uint64_t seq, BytesView file) HF_REQUIRES(mutex_);
  Result<Tip> tip(const VaultId& vault) HF_REQUIRES(mutex_);
  Result<void> check_heads(const circle::EpochInfo& info) HF_REQUIRES(mutex_);
  Result<void> commit_entry(const std::string& path, BytesView entry,
                            const std::vector<Bytes>& blobs);

  const std::shared_ptr<Files> files_;
  const std::string name_;
  const std::string folder_;
  const MakeAges make_ages_;
  Mutex mutex_;
  std::optional<Known> known_ HF_GUARDED_BY(mutex_);
};

}  // namespace holdfast::store
