#include "case_folder.h"

#include <sys/stat.h>

#include "base/file.h"
#include "crypto/hash.h"

namespace holdfast::disclose {
namespace {

bool is_there(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

Result<std::vector<Bytes>> read_statements(const std::string& folder) {
  std::vector<Bytes> out;
  for (std::uint64_t n = 0;; ++n) {
    const std::string path = folder + "/" + lawful::statement_name(n);
    if (!is_there(path)) return out;
    if (n == lawful::kMaxCaseStatements)
      return Error{Code::kInvalid, "the case has more statements than an account may have"};
    out.push_back(TRY(read_file(path, circle::kMaxStatement)));
  }
}

Result<std::vector<Received>> read_records(const std::string& folder, const circle::Circle& circle,
                                           const VaultId& vault) {
  std::vector<Received> out;
  circle::ChainTip tip;
  for (std::uint64_t n = 1;; ++n) {
    const std::string path = folder + "/" + lawful::record_name(vault, n);
    if (!is_there(path)) return out;
    if (n > lawful::kMaxCaseRecords)
      return Error{Code::kInvalid, "the case has more records than a vault may have"};
    const Bytes bytes = TRY(read_file(path, circle::kMaxRecord + 4096));
    const auto one = wire::decode<lawful::ReceivedRecord>(bytes);
    if (!one.ok()) return Error{Code::kInvalid, path + " is no record as a case has them"};
    auto linked = circle::extend(circle, vault, tip, one->record);
    if (!linked.ok())
      return Error{Code::kUnsafe,
                   path + " is not of this vault's chain: " + linked.error().message};
    tip = linked->tip;
    out.push_back({std::move(linked).value(), one->received_ms});
  }
}

Error other_bytes(const std::string& what) {
  return {Code::kCorrupt, what + " in the case has other bytes than its name says"};
}

}  // namespace

Result<ReadCase> read_case(const std::string& folder) {
  const std::string path = folder + "/" + lawful::kCaseName;
  const Bytes bytes = TRY(read_file(path, lawful::kMaxCaseFile));
  auto parts = wire::decode<lawful::Case>(bytes);
  if (!parts.ok() && parts.error().code == Code::kOutdated) return std::move(parts).error();
  if (!parts.ok()) return Error{Code::kInvalid, path + " is no case"};
  const auto statements = TRY(read_statements(folder));
  auto state = TRY(lawful::verify_state(parts->circle, parts->state, statements));
  return ReadCase{std::move(parts).value(), crypto::sha256(bytes), std::move(state)};
}

Result<OrderedCase> read_ordered(const std::string& folder, const circle::OperatorKeys& operators) {
  auto read = TRY(read_case(folder));
  if (read.parts.order.empty() || !read.parts.released)
    return Error{
        Code::kDenied,
        "nothing is ordered in this case: `holdfast-disclose verify` shows what it states"};
  auto order = TRY(lawful::verify_order(read.parts.order, operators));
  auto batch = TRY(lawful::verify_released(read.state, order, *read.parts.released));
  std::map<VaultId, OrderedVault> vaults;
  const auto& keys = order.order.keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    OrderedVault& one = vaults[keys[i].vault];
    one.vault = *read.state.circle.vault(keys[i].vault);
    one.sealed_keys[keys[i].epoch] = read.parts.released->keys[i];
  }
  OrderedCase out{std::move(read), std::move(order), std::move(batch), {}};
  for (auto& [id, one] : vaults) {
    one.records = TRY(read_records(folder, out.read.state.circle, id));
    out.vaults.push_back(std::move(one));
  }
  return out;
}

Result<Bytes> CaseSession::get_pack(const PackId& pack) {
  auto bytes = read_file(folder_ + "/" + lawful::pack_name(pack), api::kMaxPackBytes);
  if (!bytes.ok() && bytes.error().code == Code::kNotFound)
    return Error{Code::kNotFound, "the case lacks pack " + pack.hex()};
  TRY(bytes);
  if (PackId(crypto::sha256(*bytes).bytes) != pack) return other_bytes("pack " + pack.hex());
  opened_.insert(pack);
  return bytes;
}

Result<Bytes> CaseSession::get_blob(const BlobId& blob) {
  auto bytes = TRY(read_file(folder_ + "/" + lawful::link_name(blob), api::kMaxBlobBytes));
  if (BlobId(crypto::sha256(bytes).bytes) != blob) return other_bytes("link " + blob.hex());
  return bytes;
}

bool CaseSession::has(const PackId& pack) const {
  return is_there(folder_ + "/" + lawful::pack_name(pack));
}

Result<std::vector<bool>> CaseSession::have_packs(const std::vector<PackId>& packs) {
  std::vector<bool> out;
  for (const PackId& pack : packs) out.push_back(has(pack));
  return out;
}

}  // namespace holdfast::disclose
