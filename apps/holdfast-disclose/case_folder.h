// A case as it lies in a folder, checked: order, account, release and records, before any key is
// touched. The folder comes from a service, over whatever carried it here: all of it is hostile.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/doors.h"
#include "circle/vault_chain.h"
#include "lawful/case.h"

namespace holdfast::disclose {

// A record of an ordered vault, with the service's word on when it came.
struct Received {
  circle::LinkedRecord record;
  std::int64_t received_ms = 0;
};

struct OrderedVault {
  circle::Vault vault;
  std::map<std::uint32_t, Bytes> sealed_keys;  // by epoch
  std::vector<Received> records;               // the whole chain, oldest first
};

struct ReadCase {
  lawful::Case parts;
  Digest digest;  // SHA-256 of its file
  lawful::ShownState state;
};

// What two operators ordered, of a case that shows that it may be carried out.
struct OrderedCase {
  ReadCase read;
  lawful::VerifiedOrder order;
  tlog::ReleaseBatch batch;
  std::vector<OrderedVault> vaults;
};

// kUnsafe, kInvalid, kCorrupt: it is not what it claims to be, and why.
Result<ReadCase> read_case(const std::string& folder);
// kDenied also: there is no order in it, or not two of `operators` signed it.
Result<OrderedCase> read_ordered(const std::string& folder, const circle::OperatorKeys& operators);

// The packs of a case, and which of them were asked for. Nothing is written through it.
class CaseSession final : public api::Session {
 public:
  explicit CaseSession(std::string folder) : folder_(std::move(folder)) {}

  // A pack or link, with the name that it should have. kNotFound, kCorrupt: by its name.
  Result<Bytes> get_pack(const PackId& pack) override;
  Result<Bytes> get_blob(const BlobId& blob) override;
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override;
  bool has(const PackId& pack) const;
  const std::set<PackId>& opened() const { return opened_; }

  Result<std::vector<Bytes>> read_circle(std::uint64_t) override { return none(); }
  Result<api::Receipt> append(const api::Append&) override { return none(); }
  Result<std::vector<RequestId>> list_joins() override { return none(); }
  Result<void> drop_join(const RequestId&) override { return none(); }
  Result<std::vector<Bytes>> read_records(const VaultId&, std::uint64_t) override { return none(); }
  Result<std::vector<TimeMs>> received(const VaultId&, std::uint64_t) override { return none(); }
  Result<api::Receipt> append_record(const VaultId&, BytesView) override { return none(); }
  Result<void> put_pack(const PackId&, BytesView) override { return none(); }
  Result<api::Usage> usage() override { return none(); }
  Result<api::Usage> delete_account() override { return none(); }
  Result<api::Usage> keep_account() override { return none(); }
  Result<std::vector<api::Connection>> connections() override { return none(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t, std::int64_t) override { return none(); }

 private:
  static Error none() { return {Code::kInvalid, "a case is read, and nothing else"}; }
  const std::string folder_;
  std::set<PackId> opened_;
};

}  // namespace holdfast::disclose
