// A store for tests that keeps objects and nothing else. For one thread at a time.
#pragma once

#include <map>

#include "api/doors.h"

namespace holdfast::archive {

class ObjectStore final : public api::Session {
 public:
  Result<void> put_pack(const PackId& pack, BytesView bytes) override {
    objects[pack] = to_bytes(bytes);
    return Ok{};
  }
  Result<Bytes> get_pack(const PackId& pack) override {
    const auto it = objects.find(pack);
    if (it == objects.end()) return Error{Code::kNotFound, "no such object"};
    return it->second;
  }
  Result<std::vector<bool>> have_packs(const std::vector<PackId>& packs) override {
    std::vector<bool> there;
    for (const PackId& pack : packs) there.push_back(objects.contains(pack));
    return there;
  }
  Result<api::Usage> usage() override { return none(); }
  Result<api::Usage> delete_account() override { return none(); }
  Result<api::Usage> keep_account() override { return none(); }
  Result<std::vector<api::Connection>> connections() override { return none(); }
  Result<std::uint64_t> wait_for_change(std::uint64_t, std::int64_t) override { return none(); }
  Result<std::vector<Bytes>> read_circle(std::uint64_t) override { return none(); }
  Result<api::Receipt> append(const api::Append&) override { return none(); }
  Result<Bytes> get_blob(const BlobId&) override { return none(); }
  Result<std::vector<RequestId>> list_joins() override { return none(); }
  Result<void> drop_join(const RequestId&) override { return none(); }
  Result<std::vector<Bytes>> read_records(const VaultId&, std::uint64_t) override { return none(); }
  Result<std::vector<std::int64_t>> received(const VaultId&, std::uint64_t) override {
    return none();
  }
  Result<api::Receipt> append_record(const VaultId&, BytesView) override { return none(); }

  std::map<PackId, Bytes> objects;

 private:
  static Error none() { return {Code::kInvalid, "this store keeps objects only"}; }
};

}  // namespace holdfast::archive
